"""Contact points made comparable: one customer's number or address reads the same however somebody wrote it.

`fold` is the same for names. Pure.
"""

import unicodedata
from urllib.parse import urlsplit

from cti_bridge.domain.account import ContactKind, ContactPoint
from cti_bridge.domain.phone_number import number_range, read_phone

MAX_VALUE = 500
MAX_LABEL = 100


def fold(text: str) -> str:
    """The text as searches compare it: width, case and spacing do not count."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def clean(what: str, text: str, *, limit: int) -> str:
    """The text without outer blanks. Raises ValueError: empty, longer than `limit` characters, control characters."""
    text = text.strip()
    if not text:
        raise ValueError(f"{what} is empty")
    if len(text) > limit:
        raise ValueError(f"{what} is longer than {limit} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise ValueError(f"{what} holds control characters")
    return text


def contact_point(kind: ContactKind, as_given: str, label: str | None, *, region: str) -> ContactPoint:
    """The contact point, normalised; phones and faxes are read with the site's `region`. Raises ValueError with the reason."""
    text = clean(kind.value, as_given, limit=MAX_VALUE)
    value, extension = _normalised(kind, text, region)
    return ContactPoint(
        kind=kind,
        value=value,
        as_given=text,
        label=clean("label", label, limit=MAX_LABEL) if label else None,
        extension=extension,
    )


def _normalised(kind: ContactKind, text: str, region: str) -> tuple[str, str | None]:
    """The value, and the extension where it is a phone with one."""
    if kind not in {ContactKind.PHONE, ContactKind.FAX}:
        return _other_than_phone(kind, text, region), None
    number = read_phone(_without_direction_marks(text), region)
    if number is None:
        raise ValueError(f"{text!r} is no phone number of {region} or, with a leading +, of any country")
    return number


def _other_than_phone(kind: ContactKind, text: str, region: str) -> str:
    match kind:
        case ContactKind.PHONE_RANGE:
            block = number_range(text, region)
            if block is None:
                raise ValueError(
                    f"{text!r} is no block of numbers of {region} or, with a leading +, of any country: "
                    "write it as 020 7946 0xxx, with one to four x at the end"
                )
            return block
        case ContactKind.EMAIL:
            address = fold(text)
            name, at, domain = address.rpartition("@")
            if not (name and at and domain) or " " in address or "@" in name or len(address) > 254:
                raise ValueError(f"{text!r} is no e-mail address")
            return address
        case ContactKind.WEB:
            parts = urlsplit(text)
            if parts.scheme.lower() not in {"http", "https"} or not parts.netloc or any(c.isspace() for c in text):
                raise ValueError(f"{text!r} is no web address: it begins with https:// or http://")
            return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl().rstrip("/")
        case _:
            return fold(text)


def _without_direction_marks(text: str) -> str:
    """A number that is copied from a telephone's address book brings marks of its writing direction along."""
    return text.strip("\u200e\u200f\u202a\u202c\u202d\u2066\u2068\u2069")
