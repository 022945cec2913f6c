"""Customers from vCards (.vcf, versions 3.0 and 4.0), one by one: a bad card is told with its line, and the others read on."""

from collections.abc import Iterator
from typing import Any

import vobject
from vobject.base import VObjectError

from cti_bridge.domain.account import ContactKind
from storage.import_table import Draft, draft_of
from storage.import_text import UnreadableLine

MAX_CARD = 1_000_000
"""Characters of one card, photograph and all."""
_USELESS_TYPES = frozenset({"voice", "pref", "internet", "fax", "text"})
"""Say nothing that an agent would read beside a number."""


def cards_of(lines: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Each card with the number of its first line. Raises UnreadableLine: what is between cards, a card without end."""
    begun, size, card = 0, 0, list[str]()
    for number, line in enumerate(lines, start=1):
        word = line.strip().upper()
        if word == "BEGIN:VCARD":
            if card:
                raise UnreadableLine(begun, "this card has no END:VCARD")
            begun, size = number, 0
        elif not card:
            if word:
                raise UnreadableLine(number, "no vCard: BEGIN:VCARD is missing")
            continue
        card.append(line)
        size += len(line)
        if size > MAX_CARD:
            raise UnreadableLine(begun, f"this card is longer than {MAX_CARD} characters")
        if word == "END:VCARD":
            yield begun, "".join(card)
            card = []
    if card:
        raise UnreadableLine(begun, "this card has no END:VCARD")


def card_draft(text: str) -> Draft:
    """The customer of a card. Raises ValueError for one that cannot be an account."""
    try:
        card = vobject.readOne(text)
    except (VObjectError, ValueError) as error:
        reason = getattr(error, "msg", "an encoding that is not allowed")
        raise ValueError(f"this card cannot be read: {str(reason)[:100]!r}") from error
    version = _text(card, "version")
    if version not in {"3.0", "4.0"}:
        raise ValueError(f"a card of version {version[:10]!r}: 3.0 and 4.0 are read")
    fields = {
        "name": _text(card, "fn") or _text(card, "n"),
        "company": _text(card, "org"),
        "note": _text(card, "note"),
        "birthday": _text(card, "bday").partition("T")[0],
    }
    points = [_phone(line) for line in card.contents.get("tel", ()) if line.value.strip()]
    points += [(ContactKind.EMAIL, line.value, None) for line in card.contents.get("email", ()) if line.value.strip()]
    return draft_of(fields, points)


def _phone(line: Any) -> tuple[ContactKind, str, str | None]:
    types = {part.strip().lower() for value in line.params.get("TYPE", ()) for part in value.split(",")}
    label = ", ".join(sorted(types - _USELESS_TYPES - {""}))
    return ContactKind.FAX if "fax" in types else ContactKind.PHONE, line.value, label or None


def _text(card: Any, name: str) -> str:
    """The first line of this name; of an organisation its own name, without the department."""
    for line in card.contents.get(name, ()):
        value = line.value[0] if isinstance(line.value, list) else line.value
        return " ".join(str(value).split()) if name != "note" else str(value).strip()
    return ""
