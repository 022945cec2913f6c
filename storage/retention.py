"""What was kept long enough goes, in steps so small that no call waits for them.

In: how long each kind is kept, and the moment. Out: how much went, or with `due` how much would. Nothing goes that an open
commitment still points to. What is cut from the head of the audit log leaves an entry at its end that the rest is checked by.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final, assert_never

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, or_, select, tuple_, update

from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.retention import Counts, Periods, RetentionKind
from storage.audit_log import append, cut
from storage.database import Database
from storage.persons import lock_interactions, remove_accounts, without_caller
from storage.schema import (
    accounts,
    audit_log,
    audit_runs,
    cases,
    gaps,
    interaction_legs,
    interactions,
    merges,
    webhook_deliveries,
)

CHUNK: Final = 100
"""Rows of one transaction: some milliseconds in which a call that ends would have to wait."""
ACCOUNTS_CHUNK: Final = 10
"""Each takes its contacts along."""
_KEYS: Final = {
    RetentionKind.CASES: (cases.c.closed_at, cases.c.case_id),
    RetentionKind.PROVISIONAL_ACCOUNTS: (accounts.c.created_at, accounts.c.account_id),
    RetentionKind.INTERACTIONS: (interactions.c.started_at, interactions.c.interaction_id),
    RetentionKind.CALL_DETAILS: (interactions.c.started_at, interactions.c.interaction_id),
    RetentionKind.GAPS: (gaps.c.until, gaps.c.gap_id),
    RetentionKind.AUDITS: (audit_runs.c.at, audit_runs.c.run_id),
    RetentionKind.DELIVERIES: (webhook_deliveries.c.created_at, webhook_deliveries.c.delivery_id),
    RetentionKind.AUDIT_LOG: (audit_log.c.at, audit_log.c.seq),
}
"""The order in which rows go, and their ids."""


class Retention:
    """Every method may raise StorageError."""

    def __init__(self, database: Database, periods: Periods) -> None:
        self._database = database
        self._periods = periods

    async def due(self, *, now: datetime) -> Counts:
        """How much of each kind would go now."""
        counts: dict[RetentionKind, int] = {}
        for kind, period in self._periods.items():
            rows = await self._database.fetch(select(func.count(_KEYS[kind][1])).where(_is_old(kind, now - period)))
            counts[kind] = rows[0][0]
        return counts

    async def carry_out(self, *, by: str, now: datetime) -> Counts:
        """Deletes what is due, and writes down in the audit log how much that was; gives it.

        A store that goes away in between leaves whole steps done; the next time goes on from there.
        """
        counts: dict[RetentionKind, int] = {}
        for kind in RetentionKind:
            if (period := self._periods.get(kind)) is not None:
                counts[kind] = await self._delete(kind, now - period, by, now)
        detail = {kind.value: count for kind, count in counts.items() if count}
        if detail:
            await self._database.commit(
                lambda connection: append(connection, AuditAction.RETENTION_DONE, actor=by, subject=None, detail=detail, now=now)
            )
        return counts

    async def _delete(self, kind: RetentionKind, before: datetime, by: str, now: datetime) -> int:
        """A step at a time, each its own transaction; others write in between. What is to go is looked for while they do."""
        if kind is RetentionKind.AUDIT_LOG:
            return await self._cut(before, by, now)
        size = ACCOUNTS_CHUNK if kind is RetentionKind.PROVISIONAL_ACCOUNTS else CHUNK
        key = _KEYS[kind]
        wanted = select(key[0].label("at"), key[1].label("id")).where(_is_old(kind, before)).order_by(*key).limit(size)
        total = 0
        rows = await self._database.fetch(wanted)
        while rows:
            ids = [row.id for row in rows]
            total += await self._database.commit(partial(_remove, kind=kind, ids=ids, before=before, now=now))
            rows = await self._database.fetch(wanted.where(tuple_(*key) > tuple_(*rows[-1])))
        return total

    async def _cut(self, before: datetime, by: str, now: datetime) -> int:
        total = 0
        while count := await self._database.commit(partial(cut, before=before, actor=by, now=now)):
            total += count
        return total


def _remove(connection: Connection, *, kind: RetentionKind, ids: Sequence[str], before: datetime, now: datetime) -> int:
    """Removes those of the rows that are still to go, and gives how many: somebody may have promised something meanwhile."""
    if kind is RetentionKind.PROVISIONAL_ACCOUNTS:
        lock_interactions(connection)
    _, column = _KEYS[kind]
    still = connection.scalars(select(column).where(column.in_(ids), _is_old(kind, before))).all()
    match kind:
        case RetentionKind.PROVISIONAL_ACCOUNTS:
            remove_accounts(connection, still, numbers=(), strays=(), now=now)
        case RetentionKind.CALL_DETAILS:
            _thin(connection, still, now)
        case _:
            connection.execute(delete(column.table).where(column.in_(still)))
    return len(still)


def _thin(connection: Connection, interaction_ids: Sequence[str], now: datetime) -> None:
    column = interactions.c
    connection.execute(delete(interaction_legs).where(interaction_legs.c.interaction_id.in_(interaction_ids)))
    rows = connection.execute(select(column.interaction_id, column.call).where(column.interaction_id.in_(interaction_ids))).all()
    thinned = [{"of": row.interaction_id, "thin": without_caller(row.call)} for row in rows]
    if thinned:
        one = update(interactions).where(column.interaction_id == bindparam("of"))
        connection.execute(one.values(call=bindparam("thin", type_=column.call.type), erased_at=now), thinned)


def _is_old(kind: RetentionKind, before: datetime) -> ColumnElement[bool]:
    match kind:
        case RetentionKind.CASES:
            return cases.c.closed_at < before
        case RetentionKind.PROVISIONAL_ACCOUNTS:
            return _untouched(before)
        case RetentionKind.INTERACTIONS:
            return (interactions.c.started_at < before) & ~_is_promised()
        case RetentionKind.CALL_DETAILS:
            told = interactions.c.call.is_not(None) & interactions.c.erased_at.is_(None)
            return (interactions.c.started_at < before) & told & ~_is_promised()
        case RetentionKind.GAPS:
            return gaps.c.until < before
        case RetentionKind.AUDITS:
            later = audit_runs.alias("later")
            newer = exists().where(
                later.c.pbx == audit_runs.c.pbx, later.c.reason == audit_runs.c.reason, later.c.at > audit_runs.c.at
            )
            return (audit_runs.c.at < before) & newer
        case RetentionKind.DELIVERIES:
            return (webhook_deliveries.c.created_at < before) & webhook_deliveries.c.next_try_at.is_(None)
        case RetentionKind.AUDIT_LOG:
            return (audit_log.c.at < before) & (audit_log.c.seq < select(func.max(audit_log.c.seq)).scalar_subquery())
        case _:
            assert_never(kind)


def _is_promised() -> ColumnElement[bool]:
    """An open commitment came out of this contact."""
    return exists().where(cases.c.interaction_id == interactions.c.interaction_id, cases.c.closed_at.is_(None))


def _untouched(before: datetime) -> ColumnElement[bool]:
    """A provisional account without a contact since, with nothing promised, that no other account was merged into."""
    own = accounts.c.account_id
    return (
        accounts.c.provisional
        & accounts.c.merged_into.is_(None)
        & (accounts.c.created_at < before)
        & ~exists().where(interactions.c.account_id == own, interactions.c.started_at >= before)
        & ~exists().where(cases.c.account_id == own, cases.c.closed_at.is_(None))
        & ~exists().where(or_(merges.c.kept_id == own, merges.c.merged_id == own))
    )
