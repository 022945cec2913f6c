"""An account: one customer, with every contact point, and the ways a caller may be recognised."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.profile import NOTHING_KNOWN, Profile, profile_document

if TYPE_CHECKING:
    from cti_bridge.domain.interaction import Interaction

HISTORY_SHOWN = 10
"""How many of the newest interactions come with a clear match; the timeline has the rest."""

AccountId = NewType("AccountId", str)
"""A UUIDv7 as text."""


class ContactKind(StrEnum):
    PHONE = "phone"
    EMAIL = "email"
    FAX = "fax"
    WEB = "web"
    MESSENGER = "messenger"
    POSTAL = "postal"
    CUSTOMER_NUMBER = "customer_number"


class Tier(StrEnum):
    """The customer pyramid, highest first."""

    PLATINUM = "platinum"
    GOLD = "gold"
    IRON = "iron"
    LEAD = "lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    """A number or address of an account: `value` normalised (phones in E.164), `as_given` as somebody wrote it."""

    kind: ContactKind
    value: str
    as_given: str
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    account_id: AccountId
    name: str
    company: str | None
    tier: Tier | None
    language: str | None
    note: str | None
    contact_points: tuple[ContactPoint, ...]
    created_at: datetime
    updated_at: datetime
    profile: Profile = NOTHING_KNOWN
    tier_reason: str | None = None
    """The figures that gave the tier, or who set it."""
    merged_into: AccountId | None = None
    """The customer's one account where this was a double of it; then this one has no contact points and no interactions."""


class MatchReason(StrEnum):
    """Why an account was proposed for a caller; the screen pop says it in words."""

    EXACT_NUMBER = "exact_number"
    SHARED_NUMBER = "shared_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`history`: the newest interactions, newest first, where this is the one clear match."""

    account: Account
    reason: MatchReason
    history: "tuple[Interaction, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """At least one account; exactly one candidate is a clear match, several are for the agent to choose from."""

    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """Nobody has this number: an unknown caller."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The caller showed no usable number: it matches nobody, ever."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The store did not answer within the deadline; the pop goes out without it and is updated later."""


LookupResult = Found | NotFound | Withheld | TimedOut


def account_document(account: Account) -> dict[str, Any]:
    """The account as the REST API and the websocket show it."""
    return {
        "account_id": account.account_id,
        "name": account.name,
        "company": account.company,
        "tier": account.tier.value if account.tier else None,
        "language": account.language,
        "note": account.note,
        "contact_points": [
            {"kind": point.kind.value, "value": point.value, "as_given": point.as_given, "label": point.label}
            for point in account.contact_points
        ],
        "created_at": iso_utc(account.created_at),
        "updated_at": iso_utc(account.updated_at),
        "profile": profile_document(account.profile),
        "tier_reason": account.tier_reason,
        "merged_into": account.merged_into,
    }
