"""An account: one customer, with every contact point, and the ways a caller may be recognised."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.profile import NOTHING_KNOWN, Profile, profile_document
from cti_bridge.domain.relation import NOTHING_MEASURED, Relation, relation_document

if TYPE_CHECKING:
    from cti_bridge.domain.case import Commitments
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
    PHONE_RANGE = "phone_range"
    """A company's block of numbers, as `+442079460xxx`."""


class Tier(StrEnum):
    """The customer pyramid, highest first."""

    PLATINUM = "platinum"
    GOLD = "gold"
    IRON = "iron"
    LEAD = "lead"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPoint:
    """A number or address of an account: `value` normalised (phones in E.164), `as_given` as somebody wrote it.

    `extension`: the digits behind a switchboard's number.
    """

    kind: ContactKind
    value: str
    as_given: str
    label: str | None = None
    extension: str | None = None


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
    provisional: bool = False
    """Made from a call by one click; nobody has named it yet."""
    profile: Profile = NOTHING_KNOWN
    tier_reason: str | None = None
    """The figures that gave the tier, or who set it."""
    relation: Relation = NOTHING_MEASURED
    merged_into: AccountId | None = None
    """The customer's one account where this was a double of it; then this one has no contact points and no interactions."""


class MatchReason(StrEnum):
    """Why an account was proposed for a caller, the strongest first; the screen pop says it in words."""

    CUSTOMER_NUMBER_ENTERED = "customer_number_entered"
    """The caller typed its customer number on the telephone; anybody can who knows it."""
    CHOSEN_BEFORE = "chosen_before"
    """An agent chose it when this number called last; `detail` says who and when."""
    EXACT_NUMBER = "exact_number"
    """The only account with this number."""
    OWN_MOBILE = "own_mobile"
    """Several have this number; of these, it is the mobile of this one only."""
    RECENT_ORDER = "recent_order"
    """Several have this number; this one ordered within the last days: `detail` says when."""
    RECENT_CONTACT = "recent_contact"
    """Several have this number; this one was in touch last."""
    SHARED_NUMBER = "shared_number"
    """Several have this number: a household."""
    SWITCHBOARD = "switchboard"
    """A company's main number: anybody there may be calling."""
    SWITCHBOARD_PREFIX = "switchboard_prefix"
    """The number lies in the company's block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchDetail:
    """What stands behind the reason: the contact point that matched, who shares the number, who chose the account when."""

    label: str | None = None
    extension: str | None = None
    range: str | None = None
    shared_by: int = 1
    """Accounts with exactly this number, this one included; 0 where only the block matched, or this one does not have it."""
    last_contact_at: datetime | None = None
    """Told where several are proposed."""
    last_order_on: date | None = None
    """Told where it is the reason."""
    entered: str | None = None
    """The customer number that was typed."""
    chosen_by: str | None = None
    chosen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`history`: the newest interactions, newest first, where this is the one clear match; `commitments` then: what was promised
    and is not kept yet, None where the store did not say.
    """

    account: Account
    reason: MatchReason
    history: "tuple[Interaction, ...]" = ()
    detail: MatchDetail = MatchDetail()
    commitments: "Commitments | None" = None

    @property
    def has_number(self) -> bool:
        """Whether the account has the caller's number or its block; else something else proposes it."""
        return self.detail.shared_by > 0 or self.detail.range is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """At least one account, the likeliest first."""

    candidates: tuple[Candidate, ...]

    @property
    def clear(self) -> Candidate | None:
        """The one that pops at once: the only candidate, or the only account with exactly this number. One whose customer number
        was typed is clear where the telephone's number says nothing else, or says the same.

        A choice that was learnt comes first but is never clear: in a household it may be the other one this time. Nor is a
        recent order: it says less than a choice.
        """
        match self.candidates:
            case (Candidate(reason=MatchReason.CUSTOMER_NUMBER_ENTERED) as candidate, *others):
                is_alone = not any(other.reason is candidate.reason for other in others)
                return candidate if is_alone and (not others or candidate.has_number) else None
            case (candidate,) if not candidate.has_number:
                return None
            case (candidate,):
                return candidate
            case (Candidate(reason=MatchReason.EXACT_NUMBER) as candidate, *others) if all(
                other.reason is MatchReason.SWITCHBOARD_PREFIX for other in others
            ):
                return candidate
            case _:
                return None


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
            {
                "kind": point.kind.value,
                "value": point.value,
                "as_given": point.as_given,
                "label": point.label,
                "extension": point.extension,
            }
            for point in account.contact_points
        ],
        "created_at": iso_utc(account.created_at),
        "updated_at": iso_utc(account.updated_at),
        "profile": profile_document(account.profile),
        "tier_reason": account.tier_reason,
        "relation": relation_document(account.relation),
        "merged_into": account.merged_into,
        "provisional": account.provisional,
    }


def candidate_document(candidate: Candidate) -> dict[str, Any]:
    """A candidate as the REST API and the websocket show it."""
    detail = candidate.detail
    return {
        "account": account_document(candidate.account),
        "reason": candidate.reason.value,
        "detail": {
            "label": detail.label,
            "extension": detail.extension,
            "range": detail.range,
            "shared_by": detail.shared_by,
            "last_contact_at": iso_utc(detail.last_contact_at),
            "last_order_on": detail.last_order_on.isoformat() if detail.last_order_on else None,
            "entered": detail.entered,
            "chosen_by": detail.chosen_by,
            "chosen_at": iso_utc(detail.chosen_at),
        },
    }
