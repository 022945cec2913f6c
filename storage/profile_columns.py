"""A customer's file in the columns of `accounts`, and back; what people write is checked on the way in. Pure."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

from sqlalchemy import Row

from cti_bridge.domain.call import Extension
from cti_bridge.domain.profile import (
    NOTHING_KNOWN,
    Alert,
    AlertKind,
    ChainPlace,
    CustomerKind,
    KeyDate,
    Profile,
    Stage,
)
from storage.contact_points import clean

FieldType = Literal["text", "number", "yes_no"]

MAX_TEXT = 4000
MAX_LISTED = 50
"""Dates or alerts of one customer."""

_ENUMS = {"kind": CustomerKind, "chain_place": ChainPlace, "stage": Stage}
_FIGURES = frozenset({"revenue", "profit", "days_to_pay"})
_TEXTS = frozenset({"preferences", "taboos"})
_LARGEST = 1e15


def profile_of(row: Any) -> Profile:
    """The customer's file; what a newer version wrote and this one does not know is passed over."""
    details = row.details or {}
    profile = Profile(
        kind=_known(CustomerKind, row.customer_kind),
        chain_place=_known(ChainPlace, row.chain_place),
        stage=_known(Stage, row.stage),
        revenue=row.revenue,
        profit=row.profit,
        days_to_pay=row.days_to_pay,
        last_order_on=date.fromisoformat(row.last_order_on) if row.last_order_on else None,
        preferred_agent=Extension(row.preferred_agent) if row.preferred_agent else None,
        preferences=row.preferences,
        taboos=row.taboos,
        dates=tuple(KeyDate(name=one["name"], on=date.fromisoformat(one["on"])) for one in details.get("dates", ())),
        alerts=tuple(
            Alert(
                kind=_known(AlertKind, one["kind"]) or AlertKind.OTHER,
                text=one["text"],
                until=date.fromisoformat(one["until"]) if one["until"] else None,
            )
            for one in details.get("alerts", ())
        ),
        custom=tuple(sorted(details.get("custom", {}).items())),
    )
    return NOTHING_KNOWN if profile == NOTHING_KNOWN else profile


def profile_columns(changes: Mapping[str, Any], present: Row[Any] | None, fields: Mapping[str, FieldType]) -> dict[str, Any]:
    """The columns for these changes of a file (only the keys given; None clears). `present` is the account's row, None for a new
    one; `fields` are the site's own, by name.

    Raises ValueError, which names the field and says what cannot be read.
    """
    columns: dict[str, Any] = {}
    details = dict((present and present.details) or {})
    for key, value in changes.items():
        match key:
            case "kind" | "chain_place" | "stage":
                column = "customer_kind" if key == "kind" else key
                columns[column] = None if value is None else _ENUMS[key](value).value
            case "revenue" | "profit" | "days_to_pay":
                columns[key] = None if value is None else _figure(key, value)
            case "last_order_on":
                columns[key] = None if value is None else value.isoformat()
            case "preferences" | "taboos":
                columns[key] = None if value is None else _text(key, value)
            case "preferred_agent":
                columns[key] = None if value is None else clean(key, value, limit=40)
            case "dates":
                details["dates"] = [{"name": clean("name", one.name, limit=100), "on": one.on.isoformat()} for one in value or ()]
            case "alerts":
                details["alerts"] = [_alert(one) for one in value or ()]
            case "custom":
                details["custom"] = _custom(value or {}, details.get("custom", {}), fields)
            case _:
                raise ValueError(f"{key} is no field of a customer's file")
    _check_lists(details)
    if changes.keys() & {"dates", "alerts", "custom"}:
        columns["details"] = details
    return columns


def _check_lists(details: Mapping[str, Any]) -> None:
    for name in ("dates", "alerts"):
        if len(details.get(name, ())) > MAX_LISTED:
            raise ValueError(f"{name} holds more than {MAX_LISTED}")


def _known(kind: Any, text: str | None) -> Any:
    return kind(text) if text in set(kind) else None


def _figure(name: str, value: float) -> float:
    if not math.isfinite(value) or abs(value) > _LARGEST:
        raise ValueError(f"{name} is no usable figure")
    if name == "days_to_pay" and value < 0:
        raise ValueError("days_to_pay cannot be negative")
    return float(value)


def _text(name: str, value: str) -> str | None:
    if len(value) > MAX_TEXT:
        raise ValueError(f"{name} is longer than {MAX_TEXT} characters")
    return value.strip() or None


def _alert(alert: Alert) -> dict[str, Any]:
    text = None if alert.text is None else clean("text", alert.text, limit=200)
    return {"kind": alert.kind.value, "text": text, "until": alert.until.isoformat() if alert.until else None}


def _custom(
    given: Mapping[str, Any], present: Mapping[str, Any], fields: Mapping[str, FieldType]
) -> dict[str, str | float | bool]:
    """The site's own fields, merged with those that were there; None takes one away."""
    after = dict(present)
    for name, value in given.items():
        if name not in fields:
            known = ", ".join(sorted(fields)) or "none (section [fields] of the settings)"
            raise ValueError(f"custom.{name} is no field of this site; there are: {known}")
        if value is None:
            after.pop(name, None)
        else:
            after[name] = _of_type(name, value, fields[name])
    return after


def _of_type(name: str, value: Any, kind: FieldType) -> str | float | bool:
    match kind, value:
        case "text", str():
            return clean(f"custom.{name}", value, limit=500)
        case "number", (int() | float()) if not isinstance(value, bool):
            return _figure(f"custom.{name}", value)
        case "yes_no", bool():
            return value
        case _:
            raise ValueError(f"custom.{name} must be {'yes or no' if kind == 'yes_no' else f'a {kind}'}")
