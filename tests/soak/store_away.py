"""The database goes away while calls go on: nothing may be lost, the agents' screens go on, and all is written soon after.

SQLite is locked by another process, as a backup script does; PostgreSQL is stopped and started again.
"""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.soak import loss
from tests.soak.figure import Figure
from tests.soak.site import Site, eventually
from tests.soak.truth import TrueCall, read_truth
from tests.support import crowd
from tests.support.postgres import PostgresServer

WRITTEN_SECONDS = 10.0
POP_SECONDS = 1.0
"""A pop that comes later than this after its ring has not gone on as before."""
LOCK = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
store.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""

Away = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Calls at `rate` a second for `seconds` with the database away, and a little before and after."""

    rate: float = 5.0
    seconds: float = 60.0
    around_seconds: float = 5.0


async def run(site: Site, plan: Plan, away: Away) -> list[Figure]:
    """`away` is a context in which the database cannot be written."""
    calls = loss.Plan(calls=round(plan.rate * (plan.seconds + 2 * plan.around_seconds)), rate=plan.rate, kills=0, cuts=0)
    async with crowd.phones_on(site.pbx.network, site.folder), asyncio.TaskGroup() as story:
        story.create_task(loss.everybody_calls(site, calls), name="calls")
        await asyncio.sleep(plan.around_seconds)
        async with away():
            site.tell("store away")
            since = time.time()
            await asyncio.sleep(plan.seconds)
            until = time.time()
        site.tell("store back", seconds=round(until - since, 3))
        due = {call.call_id for call in _truth(site) if call.ended_at is not None}
        back = time.monotonic()
        await eventually(lambda: _are_written(site, due), seconds=60, every=0.2)
        written = time.monotonic() - back
    await loss.quiescence(site)
    verdict = await loss.verdict(site)
    return [
        Figure(label="store away", value=until - since, unit="s"),
        Figure(label="calls that ended meanwhile", value=sum(since < (call.ended_at or 0) < until for call in _truth(site))),
        Figure(label="until all were written", value=written, unit="s", most=WRITTEN_SECONDS),
        Figure(label="rings meanwhile without a pop in 1 s", value=_late_pops(site, since, until), most=0),
        *verdict.figures(),
    ]


@asynccontextmanager
async def sqlite_locked(file: Path) -> AsyncIterator[None]:
    """Another process holds the write lock of the store."""
    locker = await asyncio.create_subprocess_exec(sys.executable, "-c", LOCK, str(file), stdin=PIPE, stdout=PIPE)
    assert locker.stdout is not None
    try:
        await locker.stdout.readline()
        yield
    finally:
        await locker.communicate(b"")  # it lets go when it has read its input


@asynccontextmanager
async def postgres_stopped(server: PostgresServer) -> AsyncIterator[None]:
    """The server is down: connections break, and new ones are refused."""
    await asyncio.to_thread(server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def _are_written(site: Site, due: set[str]) -> bool:
    return due <= {row["call_id"] for row in await site.items("/interactions")}


def _truth(site: Site) -> list[TrueCall]:
    return read_truth(site.pbx.cel_csv, since=site.cel_from)


def _late_pops(site: Site, since: float, until: float) -> int:
    """Rings that began while the store was away and were not on their agent's screen in time."""
    shown: dict[tuple[str, str], float] = {}
    for page in site.browsers:
        for pop in page.shown.values():
            shown.setdefault((page.extension, pop.call_id), pop.at)  # the first of several rings
    late = 0
    for call in _truth(site):
        for agent, rang_at in call.first_rings.items():
            if since < rang_at < until - POP_SECONDS:
                late += shown.get((agent, call.call_id), until) - rang_at > POP_SECONDS
    return late
