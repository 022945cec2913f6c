"""The times in which a PBX was not seen: opened when the link is lost, closed by the resync, settled by an audit.

In: what the pipelines tell (`lost`, `resynced`), and after a restart what the journal tells (`away_since`). Out: `Gap`s in the
store, on the board (figures of that time are provisional) and to supervisors. Nothing here waits for the store or an audit but
`run`, which catches up with both: a gap is no less told while the store is away.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

import structlog

from cti_bridge.backoff import Backoff
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.gap import Gap, GapCause, GapId
from cti_bridge.live.board import Board
from cti_bridge.tracking.resync import Rebuilt
from screen_pop.ports import GapSeen

log = structlog.get_logger()

REMEMBERED: Final = 200
"""Gaps in memory, for the boards; the store has them all. A link that flaps every second fills it in three minutes."""
SHOWN: Final = 20
"""Gaps on a board at most."""
AUDIT_AGAIN_SECONDS: Final = (15.0, 60.0, 300.0, 900.0, 3600.0)
"""A record may be written late (in batches, or when a call ends): what was not settled is audited again after so long,
and then left to the nightly audit."""


class GapStore(Protocol):
    """`storage.gaps.Gaps`. Every method may raise StorageError."""

    async def put(self, gap: Gap) -> None: ...
    async def recent(self, limit: int) -> tuple[Gap, ...]: ...
    async def open(self) -> tuple[Gap, ...]: ...


class GapAuditor(Protocol):
    """Compares the store with the PBX's own record for the time of a closed gap, and repairs."""

    async def gap_closed(self, gap: Gap) -> Gap:
        """The gap with `added`, `corrected`, and `settled_at` where nothing is missing any more."""


@dataclass(slots=True)
class _Audit:
    """When a gap is audited (again), in the loop's time, and how often it was."""

    due: float
    times: int = 0


class GapBook:
    """All gaps of all PBXs. `recorded`: names of the PBXs whose own record can be read; gaps of others stay provisional.

    `counters`: opened, closed, settled, store_retries, and dropped: closed before the store was back, and too many of them.
    """

    def __init__(self, store: GapStore, board: Board, *, auditor: GapAuditor, recorded: Collection[str]) -> None:
        self._store = store
        self._board = board
        self._auditor = auditor
        self._recorded = frozenset(recorded)
        self._gaps: OrderedDict[GapId, Gap] = OrderedDict()
        """Oldest first."""
        self._open: dict[str, GapId] = {}
        self._unstored: OrderedDict[GapId, Gap] = OrderedDict()
        self._audits: dict[GapId, _Audit] = {}
        self._came = asyncio.Event()
        self.counters: Counter[str] = Counter()

    def seen(self, since: datetime) -> Sequence[GapSeen]:
        """Newest first: those that are open, and those that were after `since`; at most `SHOWN`."""
        recent = [gap for gap in self._gaps.values() if gap.until is None or gap.until >= since]
        recent.sort(key=lambda gap: gap.since, reverse=True)
        return [GapSeen(gap=gap, is_audited=self.is_audited(gap.pbx)) for gap in recent[:SHOWN]]

    def is_audited(self, pbx: str) -> bool:
        """Whether an audit can ever settle a gap of this PBX."""
        return pbx in self._recorded

    async def load(self) -> None:
        """Takes up what the store holds: open gaps stay open, and closed ones that are not settled are audited.

        Raises StorageError.
        """
        for gap in reversed(await self._store.recent(REMEMBERED)):
            self._remember(gap)
            if gap.until is not None and gap.settled_at is None:
                self._to_audit(gap)
        for gap in await self._store.open():
            self._remember(gap)
            self._open[gap.pbx] = gap.gap_id

    def away_since(self, pbx: str, since: datetime) -> None:
        """This service was not running: `since` is when it last heard from the PBX (the journal's last receive time)."""
        self._opened(pbx, since, GapCause.SERVICE, ())

    def lost(self, pbx: str, at: datetime, *, queues: Collection[str]) -> None:
        """The link is gone; `queues` are those the PBX is known to have. A link that broke again before the resync was done
        makes no second gap.
        """
        self._opened(pbx, at, GapCause.LINK, queues)

    def resynced(self, pbx: str, at: datetime, rebuilt: Rebuilt) -> None:
        """The PBX's present state is known again; without an open gap (the first connection ever) nothing was missed."""
        gap_id = self._open.pop(pbx, None)
        if gap_id is None:
            return
        before = self._gaps[gap_id]
        gap = replace(
            before,
            cause=GapCause.PBX if rebuilt.restarted else before.cause,
            until=max(at, before.since),
            rebuilt=len(rebuilt.rebuilt),
            ended_unseen=len(rebuilt.ended_unseen),
            appeared=len(rebuilt.appeared),
            queues=tuple(sorted({*before.queues, *rebuilt.queues})),
        )
        self.counters["closed"] += 1
        log.warning(
            "gap.closed",
            pbx=pbx,
            cause=gap.cause.value,
            seconds=round((at - gap.since).total_seconds(), 1),
            rebuilt=gap.rebuilt,
            ended_unseen=gap.ended_unseen,
            appeared=gap.appeared,
        )
        self.changed(gap)
        self._to_audit(gap)

    def changed(self, gap: Gap) -> None:
        """Something became known of a gap (an audit at night settled it): shown at once, stored as soon as can be."""
        known = self._gaps.get(gap.gap_id)
        if gap.settled_at is not None and (known is None or known.settled_at is None):
            self.counters["settled"] += 1
            log.info("gap.settled", pbx=gap.pbx, gap_id=gap.gap_id, added=gap.added, corrected=gap.corrected)
        self._remember(gap)
        self._unstored[gap.gap_id] = gap
        self._came.set()

    async def run(self) -> None:
        """Until cancelled: writes what changed, and has closed gaps audited."""
        backoff = Backoff(first_seconds=0.2, most_seconds=10.0)
        while True:
            await self._wait()
            try:
                while self._unstored:
                    gap_id, gap = next(iter(self._unstored.items()))
                    await self._store.put(gap)
                    if self._unstored.get(gap_id) is gap:
                        del self._unstored[gap_id]
                backoff.reset()
                await self._audit_due()
            except StorageError as error:
                self.counters["store_retries"] += 1
                log.warning("gap.waits_for_store", waiting=len(self._unstored), error=str(error))
                await asyncio.sleep(backoff.next())
                self._came.set()

    # --- the parts

    def _opened(self, pbx: str, since: datetime, cause: GapCause, queues: Collection[str]) -> None:
        if pbx in self._open:
            return
        gap_id = GapId(f"{pbx}:{since.timestamp() * 1000:.0f}")
        self._open[pbx] = gap_id
        self.counters["opened"] += 1
        log.warning("gap.opened", pbx=pbx, cause=cause.value, gap_id=gap_id)
        self.changed(Gap(gap_id=gap_id, pbx=pbx, cause=cause, since=since, queues=tuple(sorted(queues))))

    def _remember(self, gap: Gap) -> None:
        self._gaps[gap.gap_id] = gap
        self._board.note_gap(gap)
        closed = (gap_id for gap_id in self._gaps if gap_id not in self._open.values())
        for oldest in tuple(islice(closed, max(0, len(self._gaps) - REMEMBERED))):
            del self._gaps[oldest]
            self._audits.pop(oldest, None)
            if self._unstored.pop(oldest, None) is not None:
                self.counters["dropped"] += 1

    def _to_audit(self, gap: Gap) -> None:
        if gap.pbx in self._recorded:
            self._audits[gap.gap_id] = _Audit(asyncio.get_running_loop().time())
            self._came.set()

    async def _wait(self) -> None:
        """Until something changed, or an audit is due."""
        due = min((audit.due for audit in self._audits.values()), default=None)
        try:
            async with asyncio.timeout_at(due):
                await self._came.wait()
        except TimeoutError:
            pass
        self._came.clear()

    async def _audit_due(self) -> None:
        loop = asyncio.get_running_loop()
        for gap_id, audit in list(self._audits.items()):
            gap = self._gaps.get(gap_id)
            if audit.due > loop.time() or gap is None:
                continue
            audited = await self._auditor.gap_closed(gap)
            if audited != gap:
                self.changed(audited)
            if audited.settled_at is not None or audit.times == len(AUDIT_AGAIN_SECONDS):
                self._audits.pop(gap_id, None)
            else:
                audit.due = loop.time() + AUDIT_AGAIN_SECONDS[audit.times]
                audit.times += 1
