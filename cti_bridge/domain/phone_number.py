"""Reading phone numbers: national, international, spaced and full-width forms become one E.164 number."""

import unicodedata
from functools import lru_cache

import phonenumbers

WITHHELD = frozenset({"", "anonymous", "unavailable", "unknown", "<unknown>", "restricted", "private", "withheld", "asserted"})
"""What PBXs and carriers write where a caller showed no number; compared in lower case."""


@lru_cache(maxsize=4096)
def is_withheld(presented: str | None) -> bool:
    """True where no number was shown; such a caller matches nobody."""
    return presented is None or presented.strip().lower() in WITHHELD


@lru_cache(maxsize=4096)
def to_e164(presented: str, region: str | None) -> str | None:
    """The number in E.164, or None where it is no valid number of the plan; `region` (ISO 3166, as `GB`) reads national numbers.

    Only digits and the usual separators are read: letters (vanity numbers, SIP user names) and control characters give None.
    """
    text = unicodedata.normalize("NFKC", presented).strip()
    if not text or len(text) > 40 or any(not (c.isdigit() or c in "+ ()-./\u00a0") for c in text):
        return None
    if region is None and text[0] != "+":
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def masked(number: str) -> str:
    """The number for logs: first three and last two characters, as `+44*******18`."""
    return "*" * len(number) if len(number) < 7 else number[:3] + "*" * (len(number) - 5) + number[-2:]
