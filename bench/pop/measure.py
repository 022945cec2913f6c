"""From the bytes that make a phone ring to the pop's frame at the browser: the service against a bare relay, in turns.

50 calls a second, 200 agents' browsers, 100,000 customers in the store. Out: p50 against the relay's, and p99 against p50.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import store
from bench.figures import ROUNDS, Figure, Goal, percentile, ratio_of

RATE = 50
CALLS_A_ROUND = 200
WARM_UP_CALLS = 200
FRAME_BYTES = 3600
"""What the relay writes: about a pop with three earlier calls."""


class Child:
    """A process that is talked with in lines."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def hear(self) -> Any:
        """The next line, as JSON. Raises RuntimeError where the process ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended")
        return json.loads(line) if line[0] in '{["0123456789' else line

    def ask(self, what: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self.hear()


@contextmanager
def child(module: str, *arguments: object) -> Iterator[Child]:
    """`python -m module`, ended by the end of its stdin."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.db"
        asyncio.run(store.build(file))
        return _figures(_milliseconds(file))


def _milliseconds(file: Path) -> dict[str, list[list[float]]]:
    """The delays of each side's calls, round by round."""
    with ExitStack() as children:
        feeder = children.enter_context(child("bench.pop.feeder"))
        ports = feeder.hear()
        service = children.enter_context(child("bench.pop.service", file, ports["service"]))
        relay = children.enter_context(child("bench.pop.relay", ports["relay"], FRAME_BYTES))
        browsers = children.enter_context(child("bench.pop.browsers", service.hear(), relay.hear()))
        browsers.hear()

        def run(side: str, calls: int) -> list[float]:
            stamps = feeder.ask({"to": side, "calls": calls, "rate": RATE})
            read = browsers.ask("what was read?")[side]
            if missing := stamps.keys() - read.keys():
                raise RuntimeError(f"{len(missing)} of {len(stamps)} pops never came from the {side}")
            return [(read[key][0] - stamp) / 1e6 for key, stamp in stamps.items()]

        sides = ("service", "relay")
        for side in sides:
            run(side, WARM_UP_CALLS)
        results: dict[str, list[list[float]]] = {side: [] for side in sides}
        for number in range(ROUNDS):
            for side in sides if number % 2 == 0 else reversed(sides):
                results[side].append(run(side, CALLS_A_ROUND))
        return results


def _figures(results: dict[str, list[list[float]]]) -> list[Figure]:
    middle = {side: [median(of_round) for of_round in rounds] for side, rounds in results.items()}
    everything = {side: [delay for of_round in rounds for delay in of_round] for side, rounds in results.items()}
    p99 = {side: percentile(delays, 99) for side, delays in everything.items()}
    p50 = {side: median(delays) for side, delays in everything.items()}
    return [
        Figure(
            name="pop, p50",
            ours=f"{p50['service']:.2f} ms",
            peer=f"bare relay {p50['relay']:.2f} ms",
            ratio=ratio_of(middle["service"], middle["relay"]),
            goal=Goal(at_most=3),
        ),
        Figure(
            name="pop, p99",
            ours=f"{p99['service']:.2f} ms",
            peer=f"our p50 {p50['service']:.2f} ms",
            ratio=p99["service"] / p50["service"],
            goal=Goal(at_most=10),
        ),
        Figure(
            name="pop, p99",
            ours=f"{p99['service']:.2f} ms",
            peer=f"bare relay {p99['relay']:.2f} ms",
            ratio=p99["service"] / p99["relay"],
        ),
    ]
