"""`python -m tests.soak`: the service through bad days on a real Asterisk 22, and what was lost. `make soak` runs all of it.

Without names all stories run, each on a fresh store; `--scale 0.1` makes every one of them smaller. Leaves the stories' logs,
mishaps and differences in the folder that it prints. Exit: 0 all goals met (or this machine has no PBX), 1 not.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from tests.soak import half_open, loss, memory, restart, store_away
from tests.soak.figure import Figure, table
from tests.soak.site import Site, open_site
from tests.support import crowd
from tests.support.machine import why_no_pbx
from tests.support.pbx import Pbx, running_pbx
from tests.support.postgres import postgres_server, why_no_postgres
from tests.support.sipp import why_no_sipp

LONGEST_SECONDS = 3600.0
"""Of one story; none comes near it unless something hangs."""

Story = Callable[[Site], Awaitable[list[Figure]]]


def stories(scale: float, minutes: float, seed: int) -> dict[str, Story]:
    """The stories by name; `scale` shrinks their counts, `minutes` is how long the one about memory goes on, `seed` fixes the
    moments of the mishaps.
    """

    def times(count: float) -> int:
        return max(1, round(count * scale))

    async def losses(site: Site) -> list[Figure]:
        plan = loss.Plan(calls=times(1000), rate=5.0, kills=times(20), cuts=times(5), pbx_kills=1, seed=seed)
        verdict = await loss.run(site, plan)
        (site.folder / "verdict.json").write_text(json.dumps(verdict.document(), indent=1))
        return [*verdict.figures(), *await loss.audited(site)]

    async def locked(site: Site) -> list[Figure]:
        plan = store_away.Plan(seconds=60 * scale)
        return await store_away.run(site, plan, lambda: store_away.sqlite_locked(site.folder / "cti.db"))

    return {
        "loss": losses,
        "half-open": lambda site: half_open.run(site, half_open.Plan(times=times(3))),
        "restart": lambda site: restart.run(site, restart.Plan(calls=times(200))),
        "sqlite-locked": locked,
        "memory": lambda site: memory.run(site, memory.Plan(minutes=minutes)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("stories", nargs="*", help="which: loss half-open restart sqlite-locked postgres-stopped memory")
    parser.add_argument("--scale", type=float, default=1.0, help="how much of each (1 = the full size)")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the story about memory goes on")
    parser.add_argument("--seed", type=int, default=1, help="which moments of the mishaps")
    parser.add_argument("--folder", type=Path, help="where logs and figures go; a temporary one unless given")
    asked = parser.parse_args()
    reason = why_no_pbx() or why_no_sipp()
    if reason is not None:
        _say(f"soak: skipped: {reason}")
        return 0
    signal.signal(signal.SIGTERM, _leave)
    folder: Path = asked.folder or Path(tempfile.mkdtemp(prefix="cti-soak-"))
    _say(f"soak: {os.cpu_count()} cores, logs in {folder}")
    told = stories(asked.scale, asked.minutes, asked.seed)
    good = True
    with running_pbx() as pbx:
        crowd.add_to(pbx)
        for name in asked.stories or [*told, "postgres-stopped"]:
            own = folder / name
            own.mkdir(parents=True)
            if name == "postgres-stopped":
                good &= _tell_with_postgres(pbx, own, asked.scale)
            else:
                good &= _tell(name, pbx, own, told[name])
    return 0 if good else 1


def _tell(name: str, pbx: Pbx, folder: Path, story: Story, *, database: str | None = None) -> bool:
    began = time.monotonic()
    figures = asyncio.run(_told(pbx, folder, story, database))
    document = [{"label": figure.label, "value": figure.value, "goal": figure.most} for figure in figures]
    (folder / "figures.json").write_text(json.dumps(document, indent=1))
    _say(table(f"{name} ({time.monotonic() - began:.0f} s)", figures))
    return all(figure.is_good for figure in figures)


async def _told(pbx: Pbx, folder: Path, story: Story, database: str | None) -> list[Figure]:
    async with asyncio.timeout(LONGEST_SECONDS), open_site(pbx, folder, database=database) as site:
        return await story(site)


def _tell_with_postgres(pbx: Pbx, folder: Path, scale: float) -> bool:
    reason = why_no_postgres()
    if reason is not None:
        _say(f"postgres-stopped: skipped: {reason}\n")
        return True
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())

        async def stopped(site: Site) -> list[Figure]:
            return await store_away.run(site, store_away.Plan(seconds=60 * scale), lambda: store_away.postgres_stopped(server))

        return _tell("postgres-stopped", pbx, folder, stopped, database=f"{server.url}postgres")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _leave(_: int, __: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGINT)  # asyncio ends in good order on this one: the PBX and everything else with it


if __name__ == "__main__":
    sys.exit(main())
