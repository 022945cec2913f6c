"""One other system, asked for callers: beside our own store, never before it, and left alone when it does not answer.

In: a number in E.164. Out: an `ExternalAnswer`, never an error, whatever the adapter does: within the deadline, from the cache
where it was asked a moment ago, once for everybody who asks for the same number, `AT_ONCE` questions at most.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import structlog

from config.external import ExternalSettings
from cti_bridge.domain.errors import ExternalFailed
from cti_bridge.domain.external import ExternalAnswer, ExternalRecord, ExternalState, cleaned
from cti_bridge.external.breaker import Breaker
from cti_bridge.external.cache import Cache

log = structlog.get_logger(__name__)

AT_ONCE = 16
"""Questions to one system under way at most; while it is slow, more would only make it slower."""
CLOSE_SECONDS = 2.0
MAX_TOLD = 100
"""Fields that could not be read are told once each; this many, then no more."""


class ExternalLookup(Protocol):
    """What an adapter is. The deadline is kept for it, its texts are cleaned for it."""

    async def by_number(self, e164: str) -> tuple[ExternalRecord, ...]:
        """Everybody whom the system knows by this number; none where it knows nobody.

        Raises ExternalFailed, with a reason that names no number.
        """

    async def close(self) -> None:
        """Lets go of connections; nothing is asked afterwards."""


class ExternalSource:
    """`close()` ends what is under way."""

    def __init__(
        self, settings: ExternalSettings, adapter: ExternalLookup, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = settings.name
        self._adapter = adapter
        self._deadline_seconds = settings.deadline_seconds
        self._pause_seconds = settings.pause_seconds
        self._cache = Cache[ExternalAnswer](seconds=settings.cache_seconds, size=settings.cache_size, clock=clock)
        self._breaker = Breaker(failures=settings.failures, pause_seconds=settings.pause_seconds, clock=clock)
        self._running: dict[str, asyncio.Task[ExternalAnswer]] = {}
        self._told: set[str] = set()
        self.failing = ""
        """Why the last question failed; empty where it did not."""
        self.counters: Counter[str] = Counter()
        """found, not_found, timed_out, failed; cached; refused (too many under way); paused (not asked); unread (fields)."""

    @property
    def trouble(self) -> str | None:
        """Why it is left alone at present; None while it is asked."""
        return f"not asked for {self._pause_seconds:g} s at a time: {self.failing}" if self._breaker.is_open else None

    def known(self, e164: str) -> ExternalAnswer:
        """What can be said at once: PENDING where it has to be asked."""
        kept = self._cache.get(e164)
        self.counters["cached"] += kept is not None
        return kept or ExternalAnswer(source=self.name, state=ExternalState.PENDING)

    async def by_number(self, e164: str) -> ExternalAnswer:
        """What it says of this number. Cancelling the caller does not cancel the question: its answer is kept for others."""
        kept = self._cache.get(e164)
        if kept is not None:
            self.counters["cached"] += 1
            return kept
        task = self._running.get(e164) or self._begin(e164)
        if task is None:
            return self._answer(ExternalState.FAILED)
        await asyncio.wait({task})
        return self._answer(ExternalState.FAILED) if task.cancelled() else task.result()

    async def close(self) -> None:
        running = tuple(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._adapter.close()
        except TimeoutError:
            log.warning("shutdown.straggler", task=f"external {self.name}")

    def _begin(self, e164: str) -> asyncio.Task[ExternalAnswer] | None:
        if len(self._running) >= AT_ONCE:
            self.counters["refused"] += 1
            return None
        if not self._breaker.admits():
            self.counters["paused"] += 1
            return None
        task = asyncio.create_task(self._question(e164), name=f"external {self.name}")
        self._running[e164] = task
        task.add_done_callback(lambda _: self._running.pop(e164))
        return task

    async def _question(self, e164: str) -> ExternalAnswer:
        state, why, records = ExternalState.FAILED, "", tuple[ExternalRecord, ...]()
        try:
            async with asyncio.timeout(self._deadline_seconds):
                records = tuple(cleaned(record) for record in await self._adapter.by_number(e164))
            state = ExternalState.FOUND if records else ExternalState.NOT_FOUND
        except TimeoutError:
            state, why = ExternalState.TIMED_OUT, f"no answer within {self._deadline_seconds:g} s"
        except ExternalFailed as error:
            why = str(error)
        except Exception as error:
            # The rim of an adapter: others write them, and a mistake there must not touch a call.
            why = f"a defect in its adapter: {type(error).__name__}"
            log.exception("external.adapter_failed", source=self.name)
        self.counters[state.value] += 1
        answer = self._answer(state, records)
        if why:
            self._failed(why)
        else:
            self._succeeded(answer)
            self._cache.put(e164, answer)
        return answer

    def _answer(self, state: ExternalState, records: tuple[ExternalRecord, ...] = ()) -> ExternalAnswer:
        return ExternalAnswer(source=self.name, state=state, records=records)

    def _failed(self, why: str) -> None:
        if why != self.failing:
            log.warning("external.failed", source=self.name, error=why)
        self.failing = why
        if self._breaker.failed():
            log.warning("external.paused", source=self.name, error=why, seconds=self._pause_seconds)

    def _succeeded(self, answer: ExternalAnswer) -> None:
        self.failing = ""
        if self._breaker.succeeded():
            log.info("external.resumed", source=self.name)
        for what in (what for record in answer.records for what in record.unread):
            self.counters["unread"] += 1
            if what not in self._told and len(self._told) < MAX_TOLD:
                self._told.add(what)
                log.warning("external.unread", source=self.name, field=what)
