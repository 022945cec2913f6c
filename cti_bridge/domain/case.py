"""A commitment to a customer: a call-back, a follow-up, or a service case, with an owner and a time by which it is kept."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId, iso_utc

CaseId = NewType("CaseId", str)
"""A UUIDv7 as text."""


class CaseKind(StrEnum):
    CALL_BACK = "call_back"
    FOLLOW_UP = "follow_up"
    COMPLAINT = "complaint"
    REQUEST = "request"
    QUESTION = "question"


class ComplaintStep(StrEnum):
    """The six steps of a complaint, in order; the last one is taken when the customer said that it is solved."""

    RECORDED = "recorded"
    APOLOGISED = "apologised"
    VERIFIED = "verified"
    DECIDED = "decided"
    CARRIED_OUT = "carried_out"
    CONFIRMED = "confirmed"


STEPS = tuple(ComplaintStep)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`owner` is a user's name, None: whoever comes first. `problem` is the site's own word for what the case is about, so that
    the same one coming back is seen; `step` is there for complaints only. Open until `closed_at`; `reopened_at`: the last time
    that a closed one was opened again.
    """

    case_id: CaseId
    account_id: AccountId
    kind: CaseKind
    subject: str
    owner: str | None
    due_at: datetime | None
    opened_at: datetime
    opened_by: str
    interaction_id: str | None
    problem: str | None
    solution: str | None
    step: ComplaintStep | None
    escalated_at: datetime | None
    reopened_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    closed_by_call: CallId | None = None
    """The call by which it was kept: the interaction with this `call_id`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitments:
    """The open cases of one customer, the most urgent first: call-backs (this call may be it), then by the time they are due.
    `more`: how many are open beside these.
    """

    cases: tuple[Case, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases to list; None means any. `overdue`: open and past their time."""

    account: AccountId | None = None
    owner: str | None = None
    kind: CaseKind | None = None
    is_open: bool | None = None
    overdue: bool = False


class CaseRefused(Exception):
    """The change is not possible; `kind` is the stable problem type, the text says why and what to do."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def next_step(present: ComplaintStep | None, wanted: ComplaintStep) -> ComplaintStep:
    """The step `wanted`, where it is the next one or one taken back. Raises CaseRefused: step-left-out."""
    place = -1 if present is None else STEPS.index(present)
    if STEPS.index(wanted) > place + 1:
        missing = STEPS[place + 1].value
        raise CaseRefused("step-left-out", f"The step {missing} comes first: a complaint is not solved by leaving one out.")
    return wanted


def case_document(case: Case) -> dict[str, Any]:
    """The case as the REST API and the websocket show it."""
    return {
        "case_id": case.case_id,
        "account_id": case.account_id,
        "kind": case.kind.value,
        "subject": case.subject,
        "owner": case.owner,
        "due_at": iso_utc(case.due_at),
        "opened_at": iso_utc(case.opened_at),
        "opened_by": case.opened_by,
        "interaction_id": case.interaction_id,
        "problem": case.problem,
        "solution": case.solution,
        "step": case.step.value if case.step else None,
        "escalated_at": iso_utc(case.escalated_at),
        "reopened_at": iso_utc(case.reopened_at),
        "closed_at": iso_utc(case.closed_at),
        "closed_by": case.closed_by,
        "closed_by_call": case.closed_by_call,
    }


def commitments_document(commitments: Commitments) -> dict[str, Any]:
    """A customer's open cases as a screen pop shows them."""
    return {"items": [case_document(case) for case in commitments.cases], "more": commitments.more}
