"""Numbers and addresses made unreadable in the documents that people are shown. Pure; who is shown them, `visible.py` decides.

A masked value keeps what tells it from others at a glance (a number's first three and last two characters, an address's domain)
and holds two stars in a row, which no genuine one does. Names, notes and ids stay: they are what the work is about.
"""

import re
from collections.abc import Mapping
from typing import Any

from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.call import Direction
from cti_bridge.domain.phone_number import masked

EXTERNAL = "external:"
"""How a party of a call that is no agent is named."""
STARS = "**"
_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{5,}")
"""A number and no agent's extension, which has five digits at most."""


def is_masked(value: str) -> bool:
    """True for what a person can have read only here, and so must not be written back."""
    return STARS in value


def masked_account(document: Mapping[str, Any]) -> dict[str, Any]:
    """The account's document without what it can be reached by."""
    points = [_masked_point(point) for point in document["contact_points"]]
    return {**document, "name": _masked_name(document["name"]), "contact_points": points}


def masked_call(document: Mapping[str, Any]) -> dict[str, Any]:
    """The call's document without the numbers of people outside; agents' and the company's own stay."""
    if document.get("direction") == Direction.INTERNAL.value:
        return dict(document)
    own = document.get("customer_number"), document.get("presented_number")
    did = document.get("did")
    changed: dict[str, Any] = {
        "customer_number": _masked(own[0]),
        "presented_number": _masked(own[1]),
        "customer_name": _masked_name(document.get("customer_name")),
        "did": _masked(did) if did in own else did,
        "transfers": [{**one, "to": _masked_party(one["to"])} for one in document.get("transfers", ())],
    }
    if "talking" in document:
        changed["talking"] = [_masked_party(party) for party in document["talking"]]
    return {**document, **changed}


def masked_interaction(document: Mapping[str, Any]) -> dict[str, Any]:
    """The interaction's document with its call masked."""
    return {**document, "call": masked_call(document["call"]) if document["call"] else None}


def _masked_point(point: Mapping[str, Any]) -> dict[str, Any]:
    match point["kind"]:
        case ContactKind.EMAIL.value:
            hidden = _masked_address(point["value"])
        case ContactKind.PHONE.value | ContactKind.FAX.value | ContactKind.PHONE_RANGE.value | ContactKind.CUSTOMER_NUMBER.value:
            hidden = _masked(point["value"]) or STARS
        case _:
            hidden = STARS
    return {**point, "value": hidden, "as_given": hidden, "extension": STARS if point["extension"] else None}


def _masked(number: str | None) -> str | None:
    """Two stars at least, however short it is."""
    return number and (masked(number) if len(number) > 1 else STARS)


def _masked_name(name: str | None) -> str | None:
    """Callers without a name are often called by their number."""
    return _masked(name) if name and _NUMBER.fullmatch(name.strip()) else name


def _masked_address(address: str) -> str:
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}{STARS}{at}{domain}" if name else STARS


def _masked_party(party: str) -> str:
    """A party of a call: an agent's extension and a queue stay."""
    prefix = EXTERNAL if party.startswith(EXTERNAL) else ""
    number = party.removeprefix(prefix)
    return f"{prefix}{_masked(number)}" if prefix or _NUMBER.fullmatch(number) else party
