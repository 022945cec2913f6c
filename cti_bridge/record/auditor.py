"""Runs the audit: reads the PBX's record and the store, compares, mends where it is told to, and keeps what came out.

Three ways in: the command (`audit`), the end of a gap (`gap_closed`), and the night (`run`, which only looks: a person decides
what to mend of that). A PBX whose record or store cannot be read gives a result with an `error`, never an exception.
One audit at a time, in pages, giving way to everything else in between.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from cti_bridge.domain.audit import (
    MAX_FINDINGS,
    MAX_PROBLEMS,
    AuditReason,
    AuditResult,
    Mend,
    StoredCall,
    StoredSpan,
)
from cti_bridge.domain.call import CallId
from cti_bridge.domain.errors import RecordUnreadable, StorageError
from cti_bridge.domain.gap import Gap, GapId
from cti_bridge.domain.recorded_call import FindingKind, RecordSource
from cti_bridge.record.audit import (
    BATCH_SECONDS,
    SETTLING_SECONDS,
    Comparison,
    Difference,
    Window,
    by_our_clock,
    clock_ahead,
)
from cti_bridge.record.mending import AccountsByPhone, Mender
from cti_bridge.record.reader import RecordRead
from cti_bridge.record.results import as_problem, counts_of, problems_of, seconds_until, with_what_is_left

log = structlog.get_logger(__name__)

LONGEST_CALL: Final = timedelta(hours=24)
"""How far back the store is searched for calls that were going on when the window began."""
EDGE: Final = timedelta(minutes=10)
"""The record is read so much wider than the window: a call at its edge may lie within it by one clock and not by the other."""
ONE_MINUTE: Final = timedelta(minutes=1)
GAP_MARGIN: Final = timedelta(seconds=5)
"""A gap's times are those of what came before and after it, not of the calls that it hid."""
LATE_ROWS: Final = timedelta(seconds=SETTLING_SECONDS)
"""CEL and queue_log are written at once: on a quiet PBX no later row has to come for this to be sure."""
FLUSH_SECONDS: Final = 10.0
"""How long finished calls may be on their way to the store; longer, and there is nothing to compare with."""
UNSETTLED_GAPS: Final = 200
RESULTS_SECONDS: Final = 60.0
"""How soon the service knows what the command has found or mended."""


class Record(Protocol):
    """One PBX's record (cti_bridge/record/reader.py)."""

    async def calls(self, since: datetime, until: datetime) -> RecordRead:
        """The calls that lived in this time. Raises RecordUnreadable."""


class Store(Protocol):
    """The store as an audit sees it (storage/audits.py). Every method may raise StorageError."""

    async def spans(self, pbx: str, since: datetime, until: datetime, *, began_after: datetime) -> Sequence[StoredSpan]: ...
    async def page(
        self, pbx: str, since: datetime, until: datetime, *, began_after: datetime, after: StoredCall | None
    ) -> Sequence[StoredCall]: ...
    async def by_call_ids(self, call_ids: Sequence[CallId]) -> Sequence[StoredCall]: ...
    async def mend(self, mends: Sequence[Mend]) -> None: ...
    async def keep(self, result: AuditResult) -> None: ...
    async def last(self) -> Sequence[AuditResult]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One look: what differs, and what the result says of it."""

    window: Window
    differences: Sequence[Difference]
    result: AuditResult


class Auditor:
    """`records` holds the PBXs that have a record; `settled` waits until no finished call is on its way to the store."""

    def __init__(
        self,
        records: Mapping[str, Record],
        store: Store,
        accounts: AccountsByPhone,
        *,
        now: Callable[[], datetime],
        settled: Callable[[], Awaitable[None]],
        nightly_at: str,
    ) -> None:
        self._records = records
        self._store = store
        self._mender = Mender(store, accounts)
        self._now = now
        self._settled = settled
        self._nightly_at = nightly_at
        self._one_at_a_time = asyncio.Lock()
        self._newest: dict[tuple[str, AuditReason], AuditResult] = {}
        self._unsettled: dict[GapId, Gap] = {}
        self.counters: Counter[str] = Counter()
        """Runs, failed ones, what was found by kind, and what was mended."""

    def last(self) -> Mapping[str, AuditResult]:
        """The newest result of each PBX; what a whole audit found stays until a whole one finds it mended, whatever gaps say."""
        last: dict[str, AuditResult] = {}
        for result in sorted(self._newest.values(), key=lambda result: result.at):
            before = last.get(result.pbx)
            if before is None or before.is_clean or result.reason is not AuditReason.GAP or not result.is_clean:
                last[result.pbx] = result
        return last

    async def run(self, gap_changed: Callable[[Gap], None] = lambda _: None) -> None:
        """Until cancelled: each night audits the last day; meanwhile takes in what the command, another process, has found.

        Gaps that `gap_closed` could not settle are tried once more in the night; `gap_changed` hears what came of it.
        """
        while True:
            now = self._now()
            due = now + timedelta(seconds=seconds_until(self._nightly_at, now.astimezone()))
            while (left := (due - self._now()).total_seconds()) > 0:
                await self._take_in_results()
                await asyncio.sleep(min(left, RESULTS_SECONDS))
            for gap in tuple(self._unsettled.values()):
                gap_changed(await self.gap_closed(gap))
            for pbx in self._records:
                await self.audit(pbx, due - timedelta(days=1), due, reason=AuditReason.NIGHTLY)

    async def _take_in_results(self) -> None:
        try:
            for result in await self._store.last():
                self._note(result)
        except StorageError as error:
            log.warning("audit.results_not_read", error=str(error))

    def _note(self, result: AuditResult) -> None:
        key = (result.pbx, result.reason)
        if key not in self._newest or self._newest[key].at <= result.at:
            self._newest[key] = result

    async def gap_closed(self, gap: Gap) -> Gap:
        """Brings in what the gap hid, and says in the gap how much that was; `settled_at` once nothing is missing any more.

        A gap comes back unsettled, and is to be given again later, where it closed only seconds ago, where calls of it are still
        going on, and where the record or the store is away.
        """
        if gap.pbx not in self._records or gap.until is None:
            return gap
        if self._now() < gap.until + timedelta(seconds=SETTLING_SECONDS):
            return self._unsettled_still(gap)  # what the resync closed is on its way to the store
        async with self._one_at_a_time:
            result = await self._audit(
                gap.pbx, gap.since - GAP_MARGIN, gap.until + GAP_MARGIN, reason=AuditReason.GAP, repair=True
            )
        is_mended = result.error is None and result.left <= result.counts[FindingKind.GHOST]  # nothing is removed unasked
        is_settled = is_mended and result.going_on == 0 and self._record_is_past(gap.until, result)
        gap = replace(gap, added=gap.added + result.added, corrected=gap.corrected + result.corrected)
        if not is_settled:
            return self._unsettled_still(gap)
        self._unsettled.pop(gap.gap_id, None)
        return replace(gap, settled_at=self._now())

    def _record_is_past(self, until: datetime, result: AuditResult) -> bool:
        """The record has rows from after the gap, or has had the time to write those of the gap."""
        late = timedelta(seconds=BATCH_SECONDS) if result.sources == {RecordSource.CDR} else LATE_ROWS
        return (result.newest is not None and result.newest >= until) or self._now() >= until + late

    def _unsettled_still(self, gap: Gap) -> Gap:
        self._unsettled[gap.gap_id] = gap
        while len(self._unsettled) > UNSETTLED_GAPS:
            del self._unsettled[next(iter(self._unsettled))]
        return gap

    async def audit(
        self, pbx: str, since: datetime, until: datetime, *, reason: AuditReason, repair: bool = False
    ) -> AuditResult:
        """Compares the calls that lived in this time, and with `repair` mends and compares again; keeps the result."""
        async with self._one_at_a_time:
            return await self._audit(pbx, since, until, reason=reason, repair=repair)

    async def _audit(self, pbx: str, since: datetime, until: datetime, *, reason: AuditReason, repair: bool) -> AuditResult:
        try:
            result = await self._audited(pbx, since, min(until, self._now()), reason=reason, repair=repair)
        except (RecordUnreadable, StorageError) as error:
            result = AuditResult(pbx=pbx, reason=reason, at=self._now(), since=since, until=until, error=str(error))
        self._note(result)
        self._tell(result)
        try:
            await self._store.keep(result)
        except StorageError as error:
            log.warning("audit.result_not_kept", pbx=pbx, error=str(error))
        return result

    async def _audited(self, pbx: str, since: datetime, until: datetime, *, reason: AuditReason, repair: bool) -> AuditResult:
        if pbx not in self._records:
            raise RecordUnreadable(
                f"no record of {pbx} is configured: set cel_csv (best), queue_log or cdr_csv, or their …_url, in [pbx.record]"
            )
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._settled()
        except TimeoutError:
            raise StorageError("finished calls wait for the store: there is nothing to compare with yet") from None
        seen = await self._look(pbx, since, until, reason=reason)
        if not repair:
            return seen.result
        done = await self._mender.mend(seen.differences, seen.window, removes=reason is AuditReason.COMMAND)
        if not any(done.values()):
            return seen.result
        after = (await self._look(pbx, since, until, reason=reason)).result
        return replace(
            seen.result,
            added=done["added"],
            corrected=done["corrected"],
            merged=done["merged"],
            removed=done["removed"],
            left=after.left,
            findings=with_what_is_left(seen.result.findings, after.findings),
        )

    async def _look(self, pbx: str, since: datetime, until: datetime, *, reason: AuditReason) -> _Seen:
        now = self._now()
        spans = await self._store.spans(pbx, since, until, began_after=since - LONGEST_CALL)
        read, ahead = await self._read(pbx, since, until, spans)
        if read.newest is None and spans:
            raise RecordUnreadable(f"the record of {pbx} holds no row, the store has calls: is it still being written?")
        shift = timedelta(seconds=ahead)
        window = Window(
            since=since,
            until=until,
            oldest=read.oldest + shift if read.oldest else None,
            newest=read.newest + shift if read.newest else None,
            now=now,
        )
        comparison = await asyncio.to_thread(_comparison, read, window, ahead)
        await self._compare(comparison, pbx, window, ahead)
        differences = await asyncio.to_thread(comparison.differences)
        findings = tuple(finding for difference in differences for finding in difference.findings)
        problems = (*problems_of(pbx, comparison, window, ahead), *map(as_problem, read.problems))
        result = AuditResult(
            pbx=pbx,
            reason=reason,
            at=now,
            since=since,
            until=until,
            sources=read.sources,
            newest=window.newest,
            calls=comparison.calls,
            stored=comparison.stored,
            going_on=comparison.going_on,
            counts=counts_of(differences),
            left=len(findings),
            clock_ahead_seconds=ahead,
            findings=findings[:MAX_FINDINGS],
            problems=problems[:MAX_PROBLEMS],
            problem_count=len(problems) - len(read.problems) + read.problem_count,
        )
        return _Seen(window=window, differences=differences, result=result)

    async def _read(self, pbx: str, since: datetime, until: datetime, spans: Sequence[StoredSpan]) -> tuple[RecordRead, float]:
        """The record of this time by the service's clock, and by how much that is ahead of the PBX's."""
        newest = max(
            (result for result in self._newest.values() if result.pbx == pbx), key=lambda result: result.at, default=None
        )
        ahead = newest.clock_ahead_seconds if newest else 0.0
        read = await self._records[pbx].calls(*_by_pbx_clock(since, until, ahead))
        found = clock_ahead(read.calls, spans)
        if found is None:
            return read, ahead
        if abs(found - ahead) > EDGE.total_seconds():
            read = await self._records[pbx].calls(*_by_pbx_clock(since, until, found))
        return read, found

    async def _compare(self, comparison: Comparison, pbx: str, window: Window, ahead: float) -> None:
        """Feeds every stored call of the window, and those of recorded calls and of ghosts that lie elsewhere in time."""
        last: StoredCall | None = None
        while page := await self._store.page(
            pbx, window.since, window.until, began_after=window.since - LONGEST_CALL, after=last
        ):
            for stored in page:
                comparison.feed(stored)
            last = page[-1]
            await asyncio.sleep(0)
        for stored in await self._store.by_call_ids(await asyncio.to_thread(comparison.missing)):
            comparison.feed(stored)
        for at in comparison.elsewhere():
            read = await self._records[pbx].calls(at, at + ONE_MINUTE)
            comparison.learn(by_our_clock(call, ahead) for call in read.calls)

    def _tell(self, result: AuditResult) -> None:
        self.counters["runs"] += 1
        if result.error is not None:
            self.counters["failed"] += 1
            log.error("audit.failed", pbx=result.pbx, reason=result.reason.value, error=result.error)
            return
        self.counters.update({kind.value: count for kind, count in result.counts.items()})
        self.counters.update(added=result.added, corrected=result.corrected, merged=result.merged, removed=result.removed)
        told = {kind.value: count for kind, count in result.counts.items()} | {
            "pbx": result.pbx,
            "reason": result.reason.value,
            "calls": result.calls,
            "added": result.added,
            "corrected": result.corrected,
            "merged": result.merged,
            "removed": result.removed,
            "left": result.left,
            "problems": result.problem_count,
        }
        if result.is_clean:
            log.info("audit.done", **told)
        else:
            log.error("audit.found", **told)


def _comparison(read: RecordRead, window: Window, ahead_seconds: float) -> Comparison:
    return Comparison((by_our_clock(call, ahead_seconds) for call in read.calls), window, sources=read.sources)


def _by_pbx_clock(since: datetime, until: datetime, ahead_seconds: float) -> tuple[datetime, datetime]:
    ahead = timedelta(seconds=ahead_seconds)
    return since - ahead - EDGE, until - ahead + EDGE
