"""Two records of one customer: how they are noticed, put together, and parted again where that was wrong."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from cti_bridge.domain.account import Account, AccountId, ContactKind, account_document
from cti_bridge.domain.call import iso_utc

MergeId = NewType("MergeId", str)
"""A UUIDv7 as text."""


class DuplicateReason(StrEnum):
    """Why two accounts may be one customer."""

    SAME_NUMBER = "same_number"
    SAME_ADDRESS = "same_address"
    SAME_CUSTOMER_NUMBER = "same_customer_number"
    SAME_NAME = "same_name"
    SIMILAR_NAME = "similar_name"
    SAME_SOUND = "same_sound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """An account that may be the same customer as another one; `score` from 0 to 100 orders proposals and decides nothing."""

    account: Account
    reasons: tuple[DuplicateReason, ...]
    score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """`merged` was put into `kept` by the user `by`; undone where `undone_at` is set."""

    merge_id: MergeId
    kept: AccountId
    merged: AccountId
    by: str
    at: datetime
    undone_by: str | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRule:
    """Accounts that share a contact point of one of the kinds `same`, and whose names sound alike (`likeness`, 0 to 100), are one
    customer; without `same` only people merge.
    """

    same: frozenset[ContactKind]
    likeness: int


class MergeRefused(Exception):
    """The merge or its undoing is not possible; `kind` is the stable problem type, the text says why and what to do."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def merge_document(merge: Merge) -> dict[str, Any]:
    """The merge as the REST API shows it."""
    return {
        "merge_id": merge.merge_id,
        "account_id": merge.kept,
        "from": merge.merged,
        "by": merge.by,
        "at": iso_utc(merge.at),
        "undone_by": merge.undone_by,
        "undone_at": iso_utc(merge.undone_at),
    }


def duplicate_document(duplicate: Duplicate) -> dict[str, Any]:
    """The proposal as the REST API shows it."""
    return {
        "account": account_document(duplicate.account),
        "reasons": [reason.value for reason in duplicate.reasons],
        "score": duplicate.score,
    }
