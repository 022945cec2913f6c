"""Commitments in the store: opened, handed on, brought forward step by step, closed, and escalated when their time runs out."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, tuple_, update

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId
from cti_bridge.domain.case import (
    Case,
    CaseFilter,
    CaseId,
    CaseKind,
    CaseRefused,
    Commitments,
    ComplaintStep,
    next_step,
)
from cti_bridge.domain.listing import Page
from cti_bridge.domain.webhook import case_escalated
from storage.contact_points import clean
from storage.database import Database
from storage.interactions import living
from storage.paging import page_of, time_key_of
from storage.prepared import Prepared
from storage.schema import accounts, cases, new_id
from storage.webhooks import Outbox

SHOWN = 5
"""Open commitments that a screen pop shows; more hide the rest of the card."""
LISTED = 200
OPEN_OF = Prepared(
    select(*cases.c, func.count().over().label("open_cases"))
    .where(cases.c.account_id == bindparam("account_id"), cases.c.closed_at.is_(None))
    .order_by(cases.c.kind != CaseKind.CALL_BACK.value, cases.c.due_at.is_(None), cases.c.due_at, cases.c.case_id)
    .limit(bindparam("at_most"))
)
_LIMITS = {"subject": 200, "owner": 100, "problem": 100, "solution": 4000}


class Cases:
    """The commitments in the store. Every method may raise StorageError."""

    def __init__(self, database: Database, outbox: Outbox | None = None) -> None:
        self._database = database
        self._outbox = outbox or Outbox(database=database)

    async def open(
        self,
        account_id: AccountId,
        *,
        kind: CaseKind,
        subject: str,
        by: str,
        now: datetime,
        owner: str | None = None,
        due_at: datetime | None = None,
        interaction_id: str | None = None,
        problem: str | None = None,
    ) -> Case:
        """A new commitment; a complaint begins at its first step. Raises CaseRefused: no-such-account; ValueError."""
        values = {
            "case_id": new_id(),
            "account_id": living(account_id),
            "kind": kind.value,
            "due_at": due_at,
            "opened_at": now,
            "opened_by": by,
            "interaction_id": interaction_id,
            "step": ComplaintStep.RECORDED.value if kind is CaseKind.COMPLAINT else None,
            **_texts({"subject": subject, "owner": owner, "problem": problem}),
        }

        def work(connection: Connection) -> Row[Any]:
            known = connection.execute(select(accounts.c.account_id).where(accounts.c.account_id == account_id)).one_or_none()
            if known is None:
                raise CaseRefused("no-such-account", f"There is no account {account_id}.")
            return connection.execute(insert(cases).values(values).returning(*cases.c)).one()

        return case_of_row(await self._database.commit(work))

    async def change(
        self, case_id: CaseId, changes: Mapping[str, Any], *, by: str, now: datetime, call_id: CallId | None = None
    ) -> Case:
        """Sets what is given of owner, due_at, subject, problem, solution, step and is_open (False closes, True opens again).

        `call_id` is the call by which it is kept, where it is closed now.

        Raises CaseRefused: no-such-case, step-left-out, not-a-complaint. ValueError: not readable.
        """

        def work(connection: Connection) -> Row[Any]:
            row = connection.execute(select(cases).where(cases.c.case_id == case_id).with_for_update()).one_or_none()
            if row is None:
                raise CaseRefused("no-such-case", "There is no such case.")
            values = _changed(row, changes, by, now, call_id)
            if not values:
                return row
            return connection.execute(update(cases).where(cases.c.case_id == case_id).values(values).returning(*cases.c)).one()

        return case_of_row(await self._database.commit(work))

    async def by_id(self, case_id: CaseId) -> Case | None:
        rows = await self._database.fetch(select(cases).where(cases.c.case_id == case_id))
        return case_of_row(rows[0]) if rows else None

    async def list(self, wanted: CaseFilter, *, now: datetime, cursor: str | None, limit: int) -> Page[Case]:
        """Newest first. ValueError for a cursor not ours."""
        statement = select(cases)
        if wanted.account is not None:
            statement = statement.where(cases.c.account_id == wanted.account)
        if wanted.owner is not None:
            statement = statement.where(cases.c.owner == wanted.owner)
        if wanted.kind is not None:
            statement = statement.where(cases.c.kind == wanted.kind.value)
        if wanted.is_open is not None:
            statement = statement.where(cases.c.closed_at.is_(None) if wanted.is_open else cases.c.closed_at.is_not(None))
        if wanted.overdue:
            statement = statement.where(cases.c.closed_at.is_(None), cases.c.due_at < now)
        if cursor is not None:
            statement = statement.where(tuple_(cases.c.opened_at, cases.c.case_id) < tuple_(*time_key_of(cursor)))
        rows = await self._database.fetch(statement.order_by(cases.c.opened_at.desc(), cases.c.case_id.desc()).limit(limit + 1))
        return page_of([case_of_row(row) for row in rows], limit, lambda case: (case.opened_at, case.case_id))

    async def open_of(self, account_id: AccountId, *, at_most: int = SHOWN) -> Commitments:
        """What was promised to this customer and is not kept yet, the most urgent first."""
        return await self._database.fetch_urgent(lambda connection: open_of(connection, account_id, at_most=at_most))

    async def escalate(self, *, now: datetime) -> tuple[Case, ...]:
        """Marks the open cases whose time has run out since the last time; each once."""
        late = (
            update(cases)
            .where(cases.c.closed_at.is_(None), cases.c.escalated_at.is_(None), cases.c.due_at <= now)
            .values(escalated_at=now)
            .returning(*cases.c)
        )

        def work(connection: Connection) -> tuple[Case, ...]:
            found = tuple(case_of_row(row) for row in connection.execute(late))
            self._outbox.put(connection, map(case_escalated, found))
            return found

        return await self._database.commit(work)


def open_of(connection: Connection, account_id: str, *, at_most: int = SHOWN) -> Commitments:
    """What was promised to this customer and is not kept yet; for connections of `Database.fetch_urgent`."""
    rows = OPEN_OF.rows(connection, {"account_id": account_id, "at_most": at_most})
    return Commitments(cases=tuple(case_of_row(row) for row in rows), more=rows[0].open_cases - len(rows) if rows else 0)


def _changed(row: Row[Any], changes: Mapping[str, Any], by: str, now: datetime, call_id: CallId | None) -> dict[str, Any]:
    values: dict[str, Any] = _texts({name: value for name, value in changes.items() if name in _LIMITS})
    if "due_at" in changes:
        values |= {"due_at": changes["due_at"], "escalated_at": None}
    if "step" in changes:
        if row.kind != CaseKind.COMPLAINT.value:
            raise CaseRefused("not-a-complaint", "Only a complaint goes through the six steps.")
        values["step"] = next_step(ComplaintStep(row.step) if row.step else None, changes["step"]).value
    if changes.get("is_open") is True:
        values |= {"closed_at": None, "closed_by": None, "closed_by_call": None}
        if row.closed_at is not None:
            values["reopened_at"] = now
    elif changes.get("is_open") is False and row.closed_at is None:
        if row.kind == CaseKind.COMPLAINT.value and values.get("step", row.step) != ComplaintStep.CONFIRMED.value:
            raise CaseRefused("step-left-out", "A complaint is closed once the customer has confirmed that it is solved.")
        values |= {"closed_at": now, "closed_by": by, "closed_by_call": call_id}
    return values


def _texts(given: Mapping[str, str | None]) -> dict[str, Any]:
    checked: dict[str, str | None] = {}
    for name, value in given.items():
        if value is None and name == "subject":
            raise ValueError("subject is empty")
        if name == "solution" and value is not None:
            if len(value) > _LIMITS[name]:
                raise ValueError(f"{name} is longer than {_LIMITS[name]} characters")
            checked[name] = value.strip() or None
        else:
            checked[name] = None if value is None else clean(name, value, limit=_LIMITS[name])
    return checked


def case_of_row(row: Row[Any]) -> Case:
    return Case(
        case_id=CaseId(row.case_id),
        account_id=AccountId(row.account_id),
        kind=CaseKind(row.kind),
        subject=row.subject,
        owner=row.owner,
        due_at=row.due_at,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        interaction_id=row.interaction_id,
        problem=row.problem,
        solution=row.solution,
        step=ComplaintStep(row.step) if row.step else None,
        escalated_at=row.escalated_at,
        reopened_at=row.reopened_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        closed_by_call=CallId(row.closed_by_call) if row.closed_by_call else None,
    )
