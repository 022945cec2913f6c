"""Hours in minutes: calls at a rate, nothing else, and the service's memory, file descriptors and threads over time.

What grows for ever grows in the last third too; a cache that fills up does not.
"""

import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.soak import loss
from tests.soak.figure import Figure
from tests.soak.site import Site

SAMPLE_SECONDS = 5.0
GROWTH_MB_AN_HOUR = 20.0
"""In the last third; 1 kB kept of every call would be 18 at 5 calls/s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`rate` calls a second for `minutes`."""

    minutes: float = 10.0
    rate: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the kernel says of the service's process. `t` in seconds since the beginning, `resident` in MB."""

    t: float
    resident: float
    descriptors: int
    threads: int
    reconnects: int


async def run(site: Site, plan: Plan) -> list[Figure]:
    """Samples go to memory.jsonl in the site's folder."""
    calls = loss.Plan(calls=round(60 * plan.minutes * plan.rate), rate=plan.rate, kills=0, cuts=0)
    samples: list[Sample] = []
    sampling = asyncio.create_task(_sample(site, samples))
    try:
        verdict = await loss.run(site, calls)
    finally:
        sampling.cancel()
    (site.folder / "memory.jsonl").write_text("".join(f"{json.dumps(asdict(sample))}\n" for sample in samples))
    third = samples[-len(samples) // 3 :]
    return [
        Figure(label="calls", value=calls.calls),
        Figure(label="resident at the beginning", value=samples[0].resident, unit="MB"),
        Figure(label="resident at two thirds", value=third[0].resident, unit="MB"),
        Figure(label="resident at the end", value=third[-1].resident, unit="MB"),
        Figure(label="growth in the last third", value=_growth(third), unit="MB/h", most=GROWTH_MB_AN_HOUR),
        Figure(label="file descriptors, more than at first", value=third[-1].descriptors - samples[0].descriptors, most=10),
        Figure(label="threads, more than at first", value=third[-1].threads - samples[0].threads, most=10),
        Figure(label="reconnects", value=third[-1].reconnects, most=0),
        *verdict.figures(),
    ]


async def _sample(site: Site, samples: list[Sample]) -> None:
    began = time.monotonic()
    while True:
        process = Path(f"/proc/{site.service.pid}")
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        (link,) = (await site.get("/links"))["items"]
        samples.append(
            Sample(
                t=round(time.monotonic() - began, 1),
                resident=int(status["VmRSS"].split()[0]) / 1024,
                descriptors=len(list((process / "fd").iterdir())),
                threads=int(status["Threads"]),
                reconnects=link["counters"]["reconnects"],
            )
        )
        await asyncio.sleep(SAMPLE_SECONDS)


def _growth(samples: list[Sample]) -> float:
    """MB an hour, by least squares."""
    mean_t = sum(sample.t for sample in samples) / len(samples)
    mean_resident = sum(sample.resident for sample in samples) / len(samples)
    spread = sum((sample.t - mean_t) ** 2 for sample in samples)
    together = sum((sample.t - mean_t) * (sample.resident - mean_resident) for sample in samples)
    return 3600 * together / spread if spread else 0.0
