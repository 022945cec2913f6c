"""The store as an audit sees it: the calls of a time, read in pages and in bulk; what it found wrong, mended; its results, kept.

A mend is a transaction that looks again at what it changes: an agent may have written on the row meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, false, func, or_, select, true, tuple_, update

from cti_bridge.domain.audit import (
    AuditResult,
    DropGhost,
    Mend,
    MergeCall,
    PutCall,
    StoredCall,
    StoredSpan,
    audit_document,
    audit_result_of,
)
from cti_bridge.domain.call import CallId, Extension, Offer, OfferResult, Talk
from cti_bridge.domain.interaction import Channel
from cti_bridge.domain.recorded_call import RecordSource
from storage.database import Database
from storage.recorder import SEEN, insert_call, replace_legs, row_of
from storage.schema import audit_runs, interaction_legs, interactions, new_id
from storage.score_columns import SCORE_COLUMNS, satisfaction_of, score_columns

PAGE = 50
"""Calls read at a time: few enough that a phone that rings meanwhile does not wait."""
IDS = 200
"""Names asked for at a time; most of them are not there."""
SPANS = 500
"""As many tell the difference of two clocks."""
KEPT_RUNS = 200
"""Results kept for each PBX."""
_CALLS: Final = (
    interactions.c.interaction_id,
    interactions.c.call_id,
    interactions.c.source,
    interactions.c.direction,
    interactions.c.started_at,
    interactions.c.ended_at,
    interactions.c.agent,
    interactions.c.queue,
    interactions.c.outcome,
    interactions.c.call,
    interactions.c.is_ghost,
    interactions.c.erased_at,
    interactions.c.account_set_by_agent,
    interactions.c.disposition,
    interactions.c.note,
    interactions.c.score,
)


class Audits:
    """Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._put = _put_statement(database)

    async def spans(self, pbx: str, since: datetime, until: datetime, *, began_after: datetime) -> Sequence[StoredSpan]:
        """When the PBX's calls were that lived in the window and began after `began_after`: the newest SPANS of them."""
        column = interactions.c
        rows = await self._database.fetch(
            select(column.call_id, column.started_at, column.ended_at)
            .where(_lived(pbx, since, until, began_after))
            .order_by(column.started_at.desc())
            .limit(SPANS)
        )
        return [StoredSpan(call_id=CallId(row.call_id), started_at=row.started_at, ended_at=row.ended_at) for row in rows]

    async def page(
        self, pbx: str, since: datetime, until: datetime, *, began_after: datetime, after: StoredCall | None
    ) -> Sequence[StoredCall]:
        """The next of these calls, in order of their beginning; empty after the last one."""
        key = tuple_(interactions.c.started_at, interactions.c.call_id)
        wanted = select(*_CALLS).where(_lived(pbx, since, until, began_after))
        if after is not None:
            wanted = wanted.where(key > tuple_(after.started_at, after.call_id))
        return await self._calls(wanted.order_by(interactions.c.started_at, interactions.c.call_id).limit(PAGE))

    async def by_call_ids(self, call_ids: Sequence[CallId]) -> Sequence[StoredCall]:
        """Those that are there, wherever in time."""
        found: list[StoredCall] = []
        for start in range(0, len(call_ids), IDS):
            found += await self._calls(select(*_CALLS).where(interactions.c.call_id.in_(call_ids[start : start + IDS])))
        return found

    async def mend(self, mends: Sequence[Mend]) -> None:
        """Does all of them, or none."""

        def do(connection: Connection) -> None:
            for mend in mends:
                match mend:
                    case PutCall():
                        self._put_call(connection, mend)
                    case MergeCall():
                        _merge(connection, mend)
                    case DropGhost():
                        _drop_ghost(connection, mend.call_id)

        await self._database.commit(do)

    async def keep(self, result: AuditResult) -> None:
        """Keeps the result, and the KEPT_RUNS newest of its PBX and reason."""
        column = audit_runs.c
        row = {
            "run_id": new_id(),
            "pbx": result.pbx,
            "reason": result.reason.value,
            "at": result.at,
            "result": audit_document(result),
        }
        alike = and_(column.pbx == result.pbx, column.reason == result.reason.value)
        kept = select(column.run_id).where(alike).order_by(column.at.desc(), column.run_id.desc()).limit(KEPT_RUNS)
        async with self._database.write() as connection:
            await connection.execute(audit_runs.insert().values(row))
            await connection.execute(delete(audit_runs).where(alike, column.run_id.not_in(kept.scalar_subquery())))

    async def last(self) -> Sequence[AuditResult]:
        """The newest result of each PBX for each reason."""
        column = audit_runs.c
        newest = select(column.pbx, column.reason, func.max(column.at).label("at")).group_by(column.pbx, column.reason).subquery()
        same = and_(newest.c.pbx == column.pbx, newest.c.reason == column.reason, newest.c.at == column.at)
        rows = await self._database.fetch(select(column.result).join(newest, same).order_by(column.run_id))
        return [audit_result_of(row.result) for row in rows]

    async def _calls(self, wanted: Any) -> list[StoredCall]:
        rows = await self._database.fetch(wanted)
        if not rows:
            return []
        legs: dict[str, list[Row[Any]]] = {row.interaction_id: [] for row in rows}
        for leg in await self._database.fetch(
            select(interaction_legs)
            .where(interaction_legs.c.interaction_id.in_(legs))
            .order_by(interaction_legs.c.interaction_id, interaction_legs.c.position)
        ):
            legs[leg.interaction_id].append(leg)
        return [_stored_call(row, legs[row.interaction_id]) for row in rows]

    def _put_call(self, connection: Connection, mend: PutCall) -> None:
        call = mend.call
        if mend.is_new_customer:
            connection.execute(
                update(interactions)
                .where(interactions.c.call_id == call.call_id, ~interactions.c.account_set_by_agent)
                .values(account_id=None)
            )
        connection.execute(self._put, row_of(call, mend.account_id, source=mend.source))
        replace_legs(connection, {call.call_id: call}, source=mend.source)


def _lived(pbx: str, since: datetime, until: datetime, began_after: datetime) -> ColumnElement[bool]:
    """Calls of this PBX that lived in the window. Its name holds no colon, and `;` follows that."""
    column = interactions.c
    return and_(
        column.channel == Channel.PHONE.value,
        column.call_id >= f"{pbx}:",
        column.call_id < f"{pbx};",
        column.started_at >= began_after,
        column.started_at < until,
        or_(column.ended_at.is_(None), column.ended_at >= since),
    )


def _put_statement(database: Database) -> Any:
    statement = insert_call(database)
    new, old = statement.excluded, interactions.c
    return statement.on_conflict_do_update(
        index_elements=["call_id"],
        set_={name: new[name] for name in SEEN}
        | {
            "call": case((old.erased_at.is_not(None), old.call), else_=new.call),
            "account_id": case((old.account_set_by_agent, old.account_id), else_=func.coalesce(old.account_id, new.account_id)),
            "is_ghost": false(),
        },
    )


def _merge(connection: Connection, mend: MergeCall) -> None:
    column = interactions.c
    scored = (column[name] for name in SCORE_COLUMNS)
    written = select(column.call_id, column.account_id, column.account_set_by_agent, column.disposition, column.note, *scored)
    rows = {row.call_id: row for row in connection.execute(written.where(column.call_id.in_([mend.keep, mend.drop])))}
    if len(rows) < 2:
        return
    connection.execute(
        update(interactions).where(column.call_id == mend.keep).values(_written_on_both(rows[mend.keep], rows[mend.drop]))
    )
    connection.execute(delete(interactions).where(column.call_id == mend.drop))


def _written_on_both(keep: Any, drop: Any) -> dict[str, Any]:
    """Nothing that a person wrote is lost: a second label goes into the note."""
    notes = [keep.note, drop.note]
    if keep.disposition and drop.disposition and keep.disposition != drop.disposition:
        notes.append(drop.disposition)
    takes_account = not keep.account_set_by_agent and (drop.account_set_by_agent or keep.account_id is None)
    return {
        "disposition": keep.disposition or drop.disposition,
        "note": "\n".join(dict.fromkeys(note for note in notes if note)) or None,
        "account_id": drop.account_id if takes_account else keep.account_id,
        "account_set_by_agent": keep.account_set_by_agent or drop.account_set_by_agent,
        **score_columns(satisfaction_of(keep) or satisfaction_of(drop)),
    }


def _drop_ghost(connection: Connection, call_id: CallId) -> None:
    column = interactions.c
    untouched = and_(column.disposition.is_(None), column.note.is_(None), column.score.is_(None), ~column.account_set_by_agent)
    connection.execute(delete(interactions).where(column.call_id == call_id, untouched))
    connection.execute(update(interactions).where(column.call_id == call_id).values(is_ghost=true()))


def _stored_call(row: Row[Any], legs: Sequence[Row[Any]]) -> StoredCall:
    return StoredCall(
        call_id=CallId(row.call_id),
        source=RecordSource(row.source),
        direction=row.direction,
        started_at=row.started_at,
        ended_at=row.ended_at,
        agent=row.agent,
        queue=row.queue,
        outcome=row.outcome,
        document=row.call,
        offers=tuple(
            Offer(
                agent=Extension(leg.party),
                queue=leg.queue,
                rang_at=leg.started_at,
                ended_at=leg.ended_at,
                result=OfferResult(leg.result) if leg.result else None,
            )
            for leg in legs
            if leg.kind == "offer"
        ),
        talks=tuple(
            Talk(party=leg.party, started_at=leg.started_at, ended_at=leg.ended_at) for leg in legs if leg.kind == "talk"
        ),
        is_written_on=bool(row.account_set_by_agent or row.disposition or row.note or row.score),
        is_ghost=row.is_ghost,
        is_erased=row.erased_at is not None,
    )
