"""The rights of a person: what was erased of one, and why it may not be done now."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """By what a customer is known in what the PBX said.

    `numbers` (E.164) are the customer's alone, wherever they stand. `shown` are the other numbers of the customer's calls, as
    they were presented or dialled, and `names` what the callers called themselves: others may have the same, so they are the
    customer's in these `calls` only.
    """

    numbers: frozenset[str]
    shown: frozenset[str]
    names: frozenset[str]
    calls: frozenset[CallId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """How much went. `accounts` counts the account and its merged doubles; `interactions` those that stay without the person;
    `journal` the numbers and names that were written over in the journal.
    """

    account_id: AccountId
    accounts: int
    interactions: int
    cases: int
    journal: int = 0


class RevealReason(StrEnum):
    """Why somebody looks at a number or address that is masked for the role. Not free text: the audit log names nobody."""

    CALL_BACK = "call_back"
    IDENTITY = "identity"
    """To make sure who it is."""
    CORRECTION = "correction"
    """To set right what is stored."""
    COMPLAINT = "complaint"
    OTHER = "other"


class PersonRefused(Exception):
    """The person cannot be exported or erased as asked; `kind` is the stable problem type, the text says why and what to do."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def erased_document(erased: Erased) -> dict[str, Any]:
    """The result as the REST API and the audit log show it."""
    return {
        "account_id": erased.account_id,
        "accounts": erased.accounts,
        "interactions": erased.interactions,
        "cases": erased.cases,
        "journal": erased.journal,
    }
