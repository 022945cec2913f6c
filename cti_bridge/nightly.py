"""What the service does once a night: lets go of what was kept long enough, merges doubles by the admin's rule, judges relations.

Each also soon after a start, for machines that are off at night. A store that is away ends a pass; the next goes on from there.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

import structlog

from config.settings import Settings
from cti_bridge.domain.errors import StorageError
from cti_bridge.housekeeping import utc_now
from cti_bridge.record.results import seconds_until
from screen_pop.hub import Hub
from screen_pop.merged import show_merge
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.merge_rule import merge_by_rule
from storage.merges import Merges
from storage.relations import Relations
from storage.retention import Retention

log = structlog.get_logger()

SETTLED_SECONDS = 300.0
"""After a start, before the first pass: a start amid live calls has better things to do."""

_Work = Callable[[], Awaitable[None]]


class Night:
    """The night's work; `run` it. `counters`: what retention deleted, by kind, and its `failed` passes."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        accounts: Accounts,
        cases: Cases,
        merges: Merges,
        relations: Relations,
        hub: Hub,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._settings = settings
        self._database = database
        self._accounts = accounts
        self._cases = cases
        self._merges = merges
        self._relations = relations
        self._hub = hub
        self._rule = settings.merging.as_rule()
        self._periods = settings.retention.as_periods()
        self._retention = Retention(database, self._periods)

    async def run(self) -> None:
        """Until cancelled: what the settings want done, each at its time."""
        async with asyncio.TaskGroup() as tasks:
            for at, work in self._works():
                tasks.create_task(every_night(at, work))

    def _works(self) -> Iterator[tuple[str, _Work]]:
        settings = self._settings
        yield settings.churn.nightly_at, self.judge_relations
        if self._rule.same:
            yield settings.merging.nightly_at, self.merge_doubles
        if self._periods:
            yield settings.retention.nightly_at, self.let_go

    async def judge_relations(self) -> None:
        """Time alone brings signs that a customer is leaving, and takes them."""
        try:
            await self._relations.judge_all(now=utc_now())
        except StorageError as error:
            log.warning("churn.not_judged", error=str(error))

    async def merge_doubles(self) -> None:
        """Makes one what the admin's rule says is one customer; agents who have one of them on the phone see it."""
        merged = 0
        try:
            async for merge in merge_by_rule(self._database, self._merges, self._rule, now=utc_now()):
                merged += 1
                await show_merge(
                    merge,
                    accounts=self._accounts,
                    cases=self._cases,
                    relations=self._relations,
                    hub=self._hub,
                    now=utc_now(),
                )
        except StorageError as error:
            log.warning("merging.stopped", merged=merged, error=str(error))
        else:
            log.info("merging.done", merged=merged)

    async def let_go(self) -> None:
        """Deletes what was kept long enough."""
        began = time.monotonic()
        try:
            counts = await self._retention.carry_out(by="retention", now=utc_now())
        except StorageError as error:
            self.counters["failed"] += 1
            log.warning("retention.failed", error=str(error))
            return
        told = {kind.value: count for kind, count in counts.items()}
        self.counters.update(told)
        log.info("retention.done", seconds=round(time.monotonic() - began, 1), **told)


async def every_night(at: str, work: _Work) -> None:
    """`work` soon after a start, and each night at `at` (HH:MM, the machine's own time)."""
    await asyncio.sleep(SETTLED_SECONDS)
    while True:
        await work()
        await asyncio.sleep(seconds_until(at, utc_now().astimezone()))
