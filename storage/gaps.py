"""The gaps: each time in which a PBX was not seen, what the resync found, and whether an audit has settled it since."""

from typing import Any

from sqlalchemy import Row, Select, select, tuple_

from cti_bridge.domain.gap import Gap, GapCause, GapId
from cti_bridge.domain.listing import Page
from storage.database import Database
from storage.paging import page_of, time_key_of
from storage.schema import gaps

_NEWEST_FIRST = (gaps.c.since.desc(), gaps.c.gap_id.desc())


class Gaps:
    """The gaps in the store. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, gap: Gap) -> None:
        """Stores the gap as it stands now, in place of what was stored of it before; committed when it returns."""
        values = {
            "gap_id": gap.gap_id,
            "pbx": gap.pbx,
            "cause": gap.cause.value,
            "since": gap.since,
            "until": gap.until,
            "rebuilt": gap.rebuilt,
            "ended_unseen": gap.ended_unseen,
            "appeared": gap.appeared,
            "added": gap.added,
            "corrected": gap.corrected,
            "queues": list(gap.queues),
            "settled_at": gap.settled_at,
        }
        insert = self._database.insert(gaps).values(values)
        changed = {name: insert.excluded[name] for name in values if name != "gap_id"}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=["gap_id"], set_=changed))

    async def recent(self, limit: int) -> tuple[Gap, ...]:
        """Newest first."""
        return await self._read(select(gaps).order_by(*_NEWEST_FIRST).limit(limit))

    async def open(self) -> tuple[Gap, ...]:
        """Those whose PBX is still away, newest first; at most one a PBX."""
        return await self._read(select(gaps).where(gaps.c.until.is_(None)).order_by(*_NEWEST_FIRST))

    async def list(self, *, cursor: str | None, limit: int) -> Page[Gap]:
        """Newest first. ValueError for a cursor not ours."""
        wanted = select(gaps).order_by(*_NEWEST_FIRST).limit(limit + 1)
        if cursor is not None:
            wanted = wanted.where(tuple_(gaps.c.since, gaps.c.gap_id) < tuple_(*time_key_of(cursor)))
        return page_of(await self._read(wanted), limit, lambda gap: (gap.since, gap.gap_id))

    async def _read(self, wanted: Select[Any]) -> tuple[Gap, ...]:
        return tuple(_gap_of_row(row) for row in await self._database.fetch(wanted))


def _gap_of_row(row: Row[Any]) -> Gap:
    return Gap(
        gap_id=GapId(row.gap_id),
        pbx=row.pbx,
        cause=GapCause(row.cause),
        since=row.since,
        until=row.until,
        rebuilt=row.rebuilt,
        ended_unseen=row.ended_unseen,
        appeared=row.appeared,
        added=row.added,
        corrected=row.corrected,
        queues=tuple(row.queues),
        settled_at=row.settled_at,
    )
