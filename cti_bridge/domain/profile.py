"""What is known of a customer beside names and numbers: kind, place, stage, value, wishes and alerts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from cti_bridge.domain.call import Extension


class CustomerKind(StrEnum):
    """INTERNAL: the company's own staff."""

    INTERNAL = "internal"
    EXTERNAL = "external"


class ChainPlace(StrEnum):
    """Suppliers stand upstream, partners midstream, buyers downstream."""

    UPSTREAM = "upstream"
    MIDSTREAM = "midstream"
    DOWNSTREAM = "downstream"


class Stage(StrEnum):
    """How far the relation has come."""

    POTENTIAL = "potential"
    INTENDING = "intending"
    USER = "user"
    LOYAL = "loyal"
    HIGH_VALUE = "high_value"


class AlertKind(StrEnum):
    """What an agent must know before the first sentence."""

    COMPLAINT_OPEN = "complaint_open"
    DO_NOT_CALL = "do_not_call"
    PAYMENT_OVERDUE = "payment_overdue"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`until` None: until somebody takes it away."""

    kind: AlertKind
    text: str | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDate:
    """A date that matters to the customer, as a birthday or the end of a contract."""

    name: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The customer's file. Money is in the site's own currency, per year; `days_to_pay` is the mean of the paid invoices,
    `last_order_on` the day of the newest order.

    `custom` holds the site's own fields, whose names and types the settings' section [fields] gives.
    """

    kind: CustomerKind | None = None
    chain_place: ChainPlace | None = None
    stage: Stage | None = None
    revenue: float | None = None
    profit: float | None = None
    days_to_pay: float | None = None
    last_order_on: date | None = None
    preferred_agent: Extension | None = None
    preferences: str | None = None
    taboos: str | None = None
    dates: tuple[KeyDate, ...] = ()
    alerts: tuple[Alert, ...] = ()
    custom: tuple[tuple[str, str | float | bool], ...] = ()


NOTHING_KNOWN = Profile()


def standing_alerts(alerts: Sequence[Alert], today: date) -> tuple[Alert, ...]:
    """The alerts that still hold."""
    return tuple(alert for alert in alerts if alert.until is None or alert.until >= today)


def profile_document(profile: Profile) -> dict[str, Any]:
    """The customer's file as the REST API and the websocket show it."""
    return {
        "kind": profile.kind.value if profile.kind else None,
        "chain_place": profile.chain_place.value if profile.chain_place else None,
        "stage": profile.stage.value if profile.stage else None,
        "revenue": profile.revenue,
        "profit": profile.profit,
        "days_to_pay": profile.days_to_pay,
        "last_order_on": profile.last_order_on.isoformat() if profile.last_order_on else None,
        "preferred_agent": profile.preferred_agent,
        "preferences": profile.preferences,
        "taboos": profile.taboos,
        "dates": [{"name": one.name, "on": one.on.isoformat()} for one in profile.dates],
        "alerts": [
            {"kind": alert.kind.value, "text": alert.text, "until": alert.until.isoformat() if alert.until else None}
            for alert in profile.alerts
        ],
        "custom": dict(profile.custom),
    }
