"""The measures of each customer's relation, kept with the account: judged anew at each change that bears on them, and each night.

What is counted here is counted for many accounts at once; a screen pop reads what was kept.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select, tuple_, update

from cti_bridge.domain.account import Account, AccountId, Tier
from cti_bridge.domain.call import CallId, Direction
from cti_bridge.domain.case import CaseKind
from cti_bridge.domain.churn import SCORES_AVERAGED, ChurnRules, Complaint, OnRecord, is_valued, judge
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.listing import Page
from cti_bridge.domain.profile import Stage
from cti_bridge.domain.relation import NOTHING_MEASURED, Relation, relation_document, relation_of
from cti_bridge.domain.webhook import account_at_risk
from storage.accounts import Accounts
from storage.database import Database
from storage.paging import cursor_after, time_key_of
from storage.schema import accounts, cases, interactions
from storage.webhooks import Outbox

log = structlog.get_logger(__name__)

CHUNK = 500
"""Accounts judged in one transaction, so that calls are recorded in between."""

_WANTED = (
    accounts.c.account_id,
    accounts.c.stage,
    accounts.c.tier,
    accounts.c.relation,
    accounts.c.merged_into,
)
_own = interactions.alias("own")
_LAST_CONTACT = (
    select(_own.c.started_at)
    .where(_own.c.account_id == accounts.c.account_id, _own.c.direction == Direction.INBOUND.value)
    .order_by(_own.c.started_at.desc(), _own.c.interaction_id.desc())
    .limit(1)
    .scalar_subquery()
    .label("last_contact_at")
)
"""Flat in cost however long the timeline is, which a maximum over a group is not."""
_JUDGED = (
    update(accounts)
    .where(accounts.c.account_id == bindparam("of"))
    .values(relation=bindparam("relation"), churn_noticed_at=bindparam("churn_noticed_at"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """How many were looked at, how many have a sign, and the last id."""

    accounts: int
    at_risk: int
    last: str | None


class Relations:
    """`rules` are the section [churn] of the settings. Every method but `refresh` may raise StorageError."""

    def __init__(
        self, database: Database, reader: Accounts, *, rules: ChurnRules | None = None, outbox: Outbox | None = None
    ) -> None:
        self._database = database
        self._accounts = reader
        self._rules = rules or ChurnRules()
        self._outbox = outbox or Outbox(database=database)

    async def refresh(self, ids: Sequence[AccountId | None], *, now: datetime) -> None:
        """Judges these accounts anew. A store that is away is told in the log, and the night's pass makes up for it."""
        wanted = sorted({account_id for account_id in ids if account_id is not None})
        try:
            if wanted:
                await self._judge(select(*_WANTED, _LAST_CONTACT).where(accounts.c.account_id.in_(wanted)), now)
        except StorageError as error:
            log.warning("churn.not_judged", error=str(error))

    async def refresh_of_call(self, call_id: CallId, *, now: datetime) -> None:
        """As `refresh`, for whoever has the call on the account."""
        try:
            rows = await self._database.fetch(select(interactions.c.account_id).where(interactions.c.call_id == call_id))
        except StorageError as error:
            log.warning("churn.not_judged", error=str(error))
            return
        await self.refresh([row.account_id for row in rows], now=now)

    async def judge_all(self, *, now: datetime) -> int:
        """Judges every account; gives how many have a sign. Time passes, so signs come and go without any change on record, and
        accounts were merged that were not judged then.
        """
        at_risk, last = 0, ""
        while True:
            judged = or_(accounts.c.merged_into.is_(None), accounts.c.relation.is_not(None))
            wanted = select(*_WANTED, _LAST_CONTACT).where(accounts.c.account_id > last, judged)
            done = await self._judge(wanted.limit(CHUNK), now)
            at_risk += done.at_risk
            if done.last is None:
                log.info("churn.judged", at_risk=at_risk)
                return at_risk
            last = done.last
            await asyncio.sleep(0)

    async def at_risk(self, *, cursor: str | None, limit: int) -> Page[Account]:
        """The accounts with a churn sign, newest noticed first. ValueError for a cursor not ours."""
        noticed, account_id = accounts.c.churn_noticed_at, accounts.c.account_id
        wanted = select(account_id, noticed).where(noticed.is_not(None), accounts.c.merged_into.is_(None))
        if cursor is not None:
            wanted = wanted.where(tuple_(noticed, account_id) < tuple_(*time_key_of(cursor)))
        rows = await self._database.fetch(wanted.order_by(noticed.desc(), account_id.desc()).limit(limit + 1))
        page = rows[:limit]
        found = {account.account_id: account for account in await self._accounts.by_ids([row.account_id for row in page])}
        more = len(rows) > limit
        return Page(
            items=tuple(found[row.account_id] for row in page if row.account_id in found),
            next=cursor_after(page[-1].churn_noticed_at.isoformat(), page[-1].account_id) if more else None,
        )

    async def _judge(self, wanted: Select[Any], now: datetime) -> _Judged:
        ordered = wanted.order_by(accounts.c.account_id).with_for_update(of=accounts)
        return await self._database.commit(lambda connection: self._judge_in(connection, ordered, now))

    def _judge_in(self, connection: Connection, wanted: Select[Any], now: datetime) -> _Judged:
        rows = connection.execute(wanted).all()
        living = [row for row in rows if row.merged_into is None]
        records = _records(connection, living, self._rules, now)
        changed: list[dict[str, Any]] = []
        at_risk = 0
        for row in rows:
            present = relation_of(row.relation)
            record = records.get(row.account_id)
            after = judge(record, present, self._rules, now=now) if record else NOTHING_MEASURED
            at_risk += bool(after.signs)
            if after != present:
                changed.append(_columns(row.account_id, after))
            if {sign.kind for sign in after.signs} - {sign.kind for sign in present.signs}:
                self._outbox.put(connection, [account_at_risk(row.account_id, after)])
        if changed:
            connection.execute(_JUDGED, changed)
        return _Judged(accounts=len(rows), at_risk=at_risk, last=rows[-1].account_id if rows else None)


def _columns(account_id: str, relation: Relation) -> dict[str, Any]:
    document = None if relation == NOTHING_MEASURED else relation_document(relation)
    return {"of": account_id, "relation": document, "churn_noticed_at": relation.noticed_at}


def _records(connection: Connection, rows: Sequence[Row[Any]], rules: ChurnRules, now: datetime) -> Mapping[str, OnRecord]:
    """What is on record of each account; one that nothing is known of is there too."""
    ids = [row.account_id for row in rows]
    contacts = {row.account_id: row for row in connection.execute(_contacts(ids, rules, now))}
    complaints: dict[str, list[Complaint]] = {}
    for row in connection.execute(_complaints(ids, rules, now)):
        one = Complaint(opened_at=row.opened_at, problem=row.problem, reopened_at=row.reopened_at)
        complaints.setdefault(row.account_id, []).append(one)
    scores: dict[str, list[tuple[int, datetime]]] = {}
    for row in connection.execute(_scores(ids, rules)):
        scores.setdefault(row.account_id, []).append((row.score, row.started_at))
    escalated: dict[str, list[datetime]] = {}
    for row in connection.execute(_escalated(ids, rules, now)):
        escalated.setdefault(row.account_id, []).append(row.escalated_at)
    return {
        row.account_id: OnRecord(
            is_valued=is_valued(Stage(row.stage) if row.stage else None, Tier(row.tier) if row.tier else None),
            contacts=contacts[row.account_id].now_ if row.account_id in contacts else 0,
            contacts_before=contacts[row.account_id].before if row.account_id in contacts else 0,
            last_contact_at=row.last_contact_at,
            complaints=complaints.get(row.account_id, ()),
            scores=scores.get(row.account_id, ()),
            escalated=escalated.get(row.account_id, ()),
        )
        for row in rows
    }


def _contacts(ids: Sequence[str], rules: ChurnRules, now: datetime) -> Select[Any]:
    """Contacts that the customers made, in the last span and in the one before it."""
    column, span = interactions.c, timedelta(days=rules.span_days)
    return (
        select(
            column.account_id,
            func.count().filter(column.started_at > now - span).label("now_"),
            func.count().filter(column.started_at <= now - span).label("before"),
        )
        .where(
            column.account_id.in_(ids),
            column.started_at > now - 2 * span,
            column.direction == Direction.INBOUND.value,
        )
        .group_by(column.account_id)
    )


def _complaints(ids: Sequence[str], rules: ChurnRules, now: datetime) -> Select[Any]:
    start = now - timedelta(days=rules.complaint_days)
    return (
        select(cases.c.account_id, cases.c.opened_at, cases.c.problem, cases.c.reopened_at)
        .where(
            cases.c.account_id.in_(ids),
            cases.c.kind == CaseKind.COMPLAINT.value,
            or_(cases.c.opened_at > start, cases.c.reopened_at > start),
        )
        .order_by(cases.c.opened_at, cases.c.case_id)
    )


def _scores(ids: Sequence[str], rules: ChurnRules) -> Select[Any]:
    """The newest scores of each, newest first."""
    column = interactions.c
    place = func.row_number().over(
        partition_by=column.account_id, order_by=(column.started_at.desc(), column.interaction_id.desc())
    )
    scored = (
        select(column.account_id, column.started_at, column.score, place.label("place"))
        .where(column.account_id.in_(ids), column.score.is_not(None))
        .subquery()
    )
    newest = max(SCORES_AVERAGED, rules.scores)
    return select(scored).where(scored.c.place <= newest).order_by(scored.c.account_id, scored.c.place)


def _escalated(ids: Sequence[str], rules: ChurnRules, now: datetime) -> Select[Any]:
    start = now - timedelta(days=rules.promise_days)
    return select(cases.c.account_id, cases.c.escalated_at).where(cases.c.account_id.in_(ids), cases.c.escalated_at > start)
