"""`/cases`: what was promised to customers, by whom and until when."""

from datetime import timedelta
from typing import Annotated

import structlog
from pydantic import Field, model_validator

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId
from cti_bridge.domain.case import Case, CaseFilter, CaseId, CaseKind, CaseRefused, ComplaintStep, case_document
from cti_bridge.domain.errors import StorageError
from screen_pop.api.accounts import account_id_of, wrong_cursor
from screen_pop.api.answers import CaseAnswer
from screen_pop.api.calls import part_in
from screen_pop.api.fields import (
    AccountIdField,
    CallIdField,
    Fields,
    Line,
    Moment,
    NoFields,
    Note,
    PageQuery,
    Word,
    record_id,
)
from screen_pop.api.interactions import check_account
from screen_pop.api.problems import ApiProblem, Mistake, not_found, wrong_fields
from screen_pop.api.route import PREFIX, SIGNED_IN, Answer, Asked, Route, list_answer

log = structlog.get_logger(__name__)

MOST_MINUTES = 60 * 24 * 366
MOST_LISTED = 200
"""Open cases of one customer; more are no list that anybody reads during a call."""


class CaseQuery(PageQuery):
    """`open` true or false; `overdue` true: open and past their time."""

    account: AccountIdField | None = None
    owner: Word | None = None
    kind: CaseKind | None = None
    is_open: Annotated[bool | None, Field(alias="open")] = None
    overdue: bool = False


class NewCaseFields(Fields):
    """`due_in_minutes` counts the opening hours named in the settings (section [cases]), `due_at` is a moment; at most one."""

    account_id: AccountIdField
    kind: CaseKind
    subject: Line
    owner: Word | None = None
    due_at: Moment | None = None
    due_in_minutes: Annotated[int, Field(ge=1, le=MOST_MINUTES)] | None = None
    interaction_id: AccountIdField | None = None
    problem: Word | None = None

    @model_validator(mode="after")
    def _one_time(self) -> "NewCaseFields":
        if self.due_at is not None and self.due_in_minutes is not None:
            raise ValueError("give due_at or due_in_minutes, not both")
        return self


class CaseFields(Fields):
    """Only what is named is set, a null clears; `open` false closes the case, true opens it again. `call_id`, with `open` false:
    it is kept by this call, which the agent must have had.
    """

    subject: Line | None = None
    owner: Word | None = None
    due_at: Moment | None = None
    problem: Word | None = None
    solution: Note | None = None
    step: ComplaintStep | None = None
    is_open: Annotated[bool | None, Field(alias="open")] = None
    call_id: CallIdField | None = None

    @model_validator(mode="after")
    def _something(self) -> "CaseFields":
        if self.call_id is not None and self.is_open is not False:
            raise ValueError("call_id tells by which call the case is closed: give it with open false")
        if not self.model_fields_set:
            raise ValueError("give at least one field")
        for name in ("step", "is_open", "subject", "call_id"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name.removeprefix('is_')} cannot be cleared")
        return self


async def listed(asked: Asked, query: CaseQuery) -> Answer:
    wanted = CaseFilter(
        account=AccountId(query.account) if query.account else None,
        owner=query.owner,
        kind=query.kind,
        is_open=query.is_open,
        overdue=query.overdue,
    )
    try:
        page = await asked.services.cases.list(wanted, now=asked.services.now(), cursor=query.cursor, limit=query.limit)
    except ValueError as error:
        raise wrong_cursor() from error
    return list_answer(page, case_document)


async def open_case(asked: Asked, fields: NewCaseFields) -> Answer:
    await check_account(asked, fields.account_id)
    now = asked.services.now()
    due_at = fields.due_at
    if fields.due_in_minutes is not None:
        due_at = asked.services.due_after(now, timedelta(minutes=fields.due_in_minutes))
    try:
        case = await asked.services.cases.open(
            AccountId(fields.account_id),
            kind=fields.kind,
            subject=fields.subject,
            by=asked.user.username,
            now=now,
            owner=fields.owner,
            due_at=due_at,
            interaction_id=fields.interaction_id,
            problem=fields.problem,
        )
    except CaseRefused as refused:
        raise _problem(refused) from refused
    except ValueError as error:
        raise wrong_fields(Mistake(at="", message=str(error))) from error
    await asked.services.relations.refresh([case.account_id], now=now)
    await _show_on_live_calls(asked, case)
    return Answer(document=case_document(case), status=201, headers={"Location": f"{PREFIX}/cases/{case.case_id}"})


async def show(asked: Asked, _: Fields) -> Answer:
    case = await asked.services.cases.by_id(_case_id(asked))
    if case is None:
        raise not_found("case")
    return Answer(document=case_document(case))


async def change(asked: Asked, fields: CaseFields) -> Answer:
    changes = {name: getattr(fields, name) for name in fields.model_fields_set - {"call_id"}}
    call_id = CallId(fields.call_id) if fields.call_id is not None else None
    if call_id is not None:
        await part_in(asked, call_id)
    cases, now = asked.services.cases, asked.services.now()
    try:
        case = await cases.change(_case_id(asked), changes, by=asked.user.username, now=now, call_id=call_id)
    except CaseRefused as refused:
        raise _problem(refused) from refused
    except ValueError as error:
        raise wrong_fields(Mistake(at="", message=str(error))) from error
    await asked.services.relations.refresh([case.account_id], now=now)
    await _show_on_live_calls(asked, case)
    return Answer(document=case_document(case))


async def open_of_account(asked: Asked, _: NoFields) -> Answer:
    account_id = account_id_of(asked)
    if await asked.services.accounts.by_id(account_id) is None:
        raise not_found("account")
    commitments = await asked.services.cases.open_of(account_id, at_most=MOST_LISTED)
    return Answer(document={"items": [case_document(case) for case in commitments.cases], "next": None})


async def _show_on_live_calls(asked: Asked, case: Case) -> None:
    """Agents who have this customer on the phone see at once what is promised now."""
    services = asked.services
    try:
        commitments = await services.cases.open_of(case.account_id)
    except StorageError as error:
        # The change itself is done, and must not be told as refused.
        log.warning("cases.not_shown", error=str(error))
    else:
        await services.hub.commitments_changed(case.account_id, commitments, at=services.now())


def _case_id(asked: Asked) -> CaseId:
    return CaseId(record_id(asked.path["case_id"], "case"))


def _problem(refused: CaseRefused) -> ApiProblem:
    return ApiProblem(404 if refused.kind == "no-such-case" else 409, refused.kind, refused.detail)


_ONE = f"{PREFIX}/cases/{{case_id}}"
ROUTES = (
    Route(
        method="GET",
        path=f"{PREFIX}/cases",
        summary="Commitments, newest first",
        roles=SIGNED_IN,
        handle=listed,
        fields=CaseQuery,
        answer=CaseAnswer,
        is_list=True,
    ),
    Route(
        method="POST",
        path=f"{PREFIX}/cases",
        summary="Promise a call-back or follow-up, or open a service case",
        roles=SIGNED_IN,
        handle=open_case,
        fields=NewCaseFields,
        answer=CaseAnswer,
        status=201,
    ),
    Route(
        method="GET",
        path=f"{PREFIX}/accounts/{{account_id}}/commitments",
        summary="What is promised to a customer and not kept yet, the most urgent first",
        roles=SIGNED_IN,
        handle=open_of_account,
        answer=CaseAnswer,
        is_list=True,
    ),
    Route(method="GET", path=_ONE, summary="One commitment", roles=SIGNED_IN, handle=show, answer=CaseAnswer),
    Route(
        method="PATCH",
        path=_ONE,
        summary="Hand on, bring forward, close",
        roles=SIGNED_IN,
        handle=change,
        fields=CaseFields,
        answer=CaseAnswer,
    ),
)
