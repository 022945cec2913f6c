"""Gaps for tests, and what the people's side and the gap book need around them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.gap import Gap, GapCause, GapId
from cti_bridge.domain.listing import Page
from tests.support.store import NOW


def a_gap(minutes_ago: int = 0, **changes: Any) -> Gap:
    """Half a minute without the PBX, `minutes_ago`; three calls went on."""
    since = NOW - timedelta(minutes=minutes_ago)
    gap = Gap(
        gap_id=GapId(f"main:{since.timestamp() * 1000:.0f}"),
        pbx="main",
        cause=GapCause.LINK,
        since=since,
        until=since + timedelta(seconds=28),
        rebuilt=3,
        queues=("support",),
    )
    return replace(gap, **changes)


@dataclass
class FakeGaps:
    """Gaps in the store, newest first; cursors are positions."""

    the_gaps: list[Gap] = field(default_factory=lambda: [a_gap(minutes) for minutes in range(5)])

    async def list(self, *, cursor: str | None, limit: int) -> Page[Gap]:
        if cursor is not None and not cursor.isdigit():
            raise ValueError("this cursor was not made here: leave it out to begin anew")
        at = int(cursor or 0)
        more = len(self.the_gaps) > at + limit
        return Page(items=tuple(self.the_gaps[at : at + limit]), next=str(at + limit) if more else None)


@dataclass
class GapStore:
    """Gaps in memory; `away` is a store that cannot be reached."""

    held: dict[GapId, Gap] = field(default_factory=dict)
    away: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def put(self, gap: Gap) -> None:
        if self.away:
            raise StorageError("the store is away")
        self.held[gap.gap_id] = gap
        self.changed.set()

    async def recent(self, limit: int) -> tuple[Gap, ...]:
        return tuple(sorted(self.held.values(), key=lambda gap: gap.since, reverse=True))[:limit]

    async def open(self) -> tuple[Gap, ...]:
        return tuple(gap for gap in self.held.values() if gap.until is None)

    async def until(self, seen: Callable[[Gap], bool]) -> Gap:
        """Waits for a stored gap that is so."""
        async with asyncio.timeout(5):
            while not (found := [gap for gap in self.held.values() if seen(gap)]):
                self.changed.clear()
                await self.changed.wait()
        return found[0]


@dataclass
class GapAudit:
    """An auditor that settles a gap at the `settles_at`-th time that it is asked."""

    settles_at: int = 1
    asked: list[Gap] = field(default_factory=list)

    async def gap_closed(self, gap: Gap) -> Gap:
        self.asked.append(gap)
        if len(self.asked) < self.settles_at:
            return gap
        return replace(gap, added=2, settled_at=NOW)
