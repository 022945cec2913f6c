"""The audit log in the store: rows are added in the transaction of what they tell, and checked from the first to the last.

In: who did what to which id. Out: the rows, and the first one that is not as it was written. The tables refuse changes by
triggers; who takes those away is found by the chain of hashes, and who writes the whole chain anew by a head kept elsewhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text

from cti_bridge.domain.audit_log import FIRST_HASH, AuditAction, AuditEntry, Broken, Head, hash_of
from cti_bridge.domain.listing import Page
from storage.database import Database
from storage.paging import cursor_after, key_of
from storage.schema import audit_log, storable

PAGE = 1000
CUT_AT_ONCE = 1000
APPEND_LOCK = 0x617564
"""PostgreSQL's advisory lock that lets one transaction at a time add to the chain; any number, always the same."""

_LAST = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)


def append(
    connection: Connection,
    action: AuditAction,
    *,
    actor: str,
    subject: str | None,
    detail: Mapping[str, str | int | None],
    now: datetime,
) -> None:
    """Adds a row to the transaction of `connection`, as its last step: others that would add wait from here to its end.

    `subject` and `detail` hold ids and counts, never what tells of a person.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": APPEND_LOCK})
    last = connection.execute(_LAST).one_or_none()
    row: dict[str, Any] = {
        "seq": last.seq + 1 if last else 1,
        "at": now,
        "actor": storable(actor),
        "action": action.value,
        "subject": subject,
        "detail": storable(dict(detail)),
        "prev_hash": last.hash if last else FIRST_HASH,
    }
    connection.execute(insert(audit_log).values(**row, hash=hash_of(**row)))


def cut(connection: Connection, *, before: datetime, actor: str, now: datetime) -> int:
    """Deletes the oldest rows, at most `CUT_AT_ONCE` and never the last one, as far as all are from before `before`; gives how
    many.

    A row that says so is added first: with it the triggers let the old ones go, and by it the rest is checked.
    """
    columns = (audit_log.c.seq, audit_log.c.at, audit_log.c.hash)
    oldest = connection.execute(select(*columns).order_by(audit_log.c.seq).limit(CUT_AT_ONCE + 1)).all()
    old = list(takewhile(lambda row: row.at < before, oldest[:-1]))  # whatever follows them stays
    if not old:
        return 0
    anchor = {"up_to": old[-1].seq, "hash": old[-1].hash}
    append(connection, AuditAction.LOG_CUT, actor=actor, subject=None, detail=anchor, now=now)
    return connection.execute(delete(audit_log).where(audit_log.c.seq <= old[-1].seq)).rowcount


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How many rows are as they were written, the last of them, and the first that is not; `cut`: the last row that retention
    took from the beginning.
    """

    count: int
    head: Head
    broken: Broken | None
    cut: Head | None = None


class AuditLog:
    """The log as it is read, and rows that stand for themselves. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(
        self,
        action: AuditAction,
        *,
        actor: str,
        detail: Mapping[str, str | int | None],
        now: datetime,
        subject: str | None = None,
    ) -> None:
        """A row that stands for itself, committed when it returns."""
        await self._database.commit(
            lambda connection: append(connection, action, actor=actor, subject=subject, detail=detail, now=now)
        )

    async def list(self, *, cursor: str | None, limit: int) -> Page[AuditEntry]:
        """Newest first. ValueError for a cursor not ours."""
        wanted = select(audit_log).order_by(audit_log.c.seq.desc()).limit(limit + 1)
        if cursor is not None:
            wanted = wanted.where(audit_log.c.seq < int(key_of(cursor)[0]))
        rows = await self._database.fetch(wanted)
        page = tuple(_entry_of(row) for row in rows[:limit])
        return Page(items=page, next=cursor_after(str(page[-1].seq), "") if len(rows) > limit else None)

    async def verify(self, known: Head | None = None) -> Verified:
        """Walks the whole chain, a page at a time, to the first row that is not as it was written.

        `known`, a head noted earlier, also shows rows taken from the end, and a chain that was written anew.
        """
        last_cut = await self._cut()
        head = last_cut or Head(seq=0, hash=FIRST_HASH)
        count = 0

        def verified(broken: Broken | None) -> Verified:
            return Verified(count=count, head=head, broken=broken, cut=last_cut)

        if last_cut is not None and known is not None and known.seq == last_cut.seq and known.hash != last_cut.hash:
            return verified(Broken(seq=known.seq, why="is not the one noted before"))
        while True:
            rows = await self._after(head.seq, PAGE)
            if isinstance(rows, Broken):
                return verified(rows)
            for row in rows:
                why = _fault(row, head) or _unlike(row, known)
                if why is not None:
                    return verified(Broken(seq=head.seq + 1, why=why))
                head = Head(seq=row.seq, hash=row.hash)
                count += 1
            if not rows:
                is_short = known is not None and known.seq > head.seq
                return verified(Broken(seq=head.seq + 1, why="is missing, and all after it") if is_short else None)

    async def _cut(self) -> Head | None:
        """Where retention has cut the log, by the newest row that says so: a row of the chain like any other. Older rows that are
        there all the same were put there since.
        """
        newest = (
            select(audit_log).where(audit_log.c.action == AuditAction.LOG_CUT.value).order_by(audit_log.c.seq.desc()).limit(1)
        )
        first = await self._database.fetch(select(func.min(audit_log.c.seq)))
        if first[0][0] in {None, 1}:
            return None
        try:
            rows = await self._database.fetch(newest)
            return Head(seq=int(rows[0].detail["up_to"]), hash=str(rows[0].detail["hash"])) if rows else None
        except (ValueError, TypeError, AttributeError, KeyError):
            return None  # no row of ours; the walk tells what is wrong with it

    async def _after(self, seq: int, limit: int) -> Sequence[Row[Any]] | Broken:
        """The next rows; where one of them cannot be read at all, those before it first."""
        wanted = select(audit_log).where(audit_log.c.seq > seq).order_by(audit_log.c.seq).limit(limit)
        try:
            return await self._database.fetch(wanted)
        except (ValueError, TypeError, AttributeError):
            # SQLite keeps what was put there by hand, be it a time or a JSON document or not.
            return await self._after(seq, 1) if limit > 1 else Broken(seq=seq + 1, why="cannot be read")


def _fault(row: Row[Any], before: Head) -> str | None:
    if row.seq != before.seq + 1:
        return "is missing"
    if row.prev_hash != before.hash:
        return "does not follow the one before it"
    if row.hash != hash_of(**{name: value for name, value in row._asdict().items() if name != "hash"}):
        return "was changed"
    return None


def _unlike(row: Row[Any], known: Head | None) -> str | None:
    return "is not the one noted before" if known is not None and row.seq == known.seq and row.hash != known.hash else None


def _entry_of(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**row._asdict())
