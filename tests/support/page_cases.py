"""Scripted commitments for page tests."""

from typing import Any

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.case import Case, CaseId, CaseKind, Commitments, commitments_document
from tests.support.page_data import ago


def promise(case_id: str = "c-1", kind: CaseKind = CaseKind.CALL_BACK, *, account_id: str = "a-wang", **what: Any) -> Case:
    """Something promised two hours ago that is due in an hour."""
    values = {"subject": "Ring <b>back</b>", "owner": None, "due_at": ago(-3600), "step": None, "closed_at": None} | what
    return Case(
        case_id=CaseId(case_id),
        account_id=AccountId(account_id),
        kind=kind,
        opened_at=ago(7200),
        opened_by="bo",
        interaction_id=None,
        problem=None,
        solution=None,
        escalated_at=None,
        reopened_at=None,
        closed_by=None,
        **values,
    )


def commitments(*cases: Case, more: int = 0) -> dict[str, Any]:
    return commitments_document(Commitments(cases=cases, more=more))
