"""Reading phone numbers: national, international, spaced and full-width forms become one E.164 number."""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final

import phonenumbers
from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata

WITHHELD = frozenset({"", "anonymous", "unavailable", "unknown", "<unknown>", "restricted", "private", "withheld", "asserted"})
"""What PBXs and carriers write where a caller showed no number; compared in lower case."""


@lru_cache(maxsize=4096)
def is_withheld(presented: str | None) -> bool:
    """True where no number was shown; such a caller matches nobody."""
    return presented is None or presented.strip().lower() in WITHHELD


_INTERNATIONAL: Final = re.compile(r"\+([1-9][0-9]{6,14})")
"""How most trunks present numbers: E.164 already, to be checked only."""


@lru_cache(maxsize=4096)
def to_e164(presented: str, region: str | None) -> str | None:
    """The number in E.164, or None where it is no valid number of the plan; `region` (ISO 3166, as `GB`) reads national numbers.

    Only digits and the usual separators are read: letters (vanity numbers, SIP user names) and control characters give None.
    """
    if (international := _INTERNATIONAL.fullmatch(presented)) and _is_plainly_valid(international[1]):
        return presented
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


def _is_plainly_valid(digits: str) -> bool:
    """True for most valid numbers, at a twentieth of the cost of `phonenumbers.parse`; False says nothing."""
    for length in (1, 2, 3):
        if digits[:length] in _COUNTRY_CODES:
            return _plan(digits[:length]).fullmatch(digits, length) is not None
    return False


_COUNTRY_CODES: Final = frozenset(str(code) for code in COUNTRY_CODE_TO_REGION_CODE)


@cache
def _plan(country_code: str) -> re.Pattern[str]:
    """The valid national numbers of a country code's main region, less those that begin like its national prefix."""
    metadata = PhoneMetadata.metadata_for_region(COUNTRY_CODE_TO_REGION_CODE[int(country_code)][0])
    if metadata is None or metadata.general_desc is None:
        return re.compile(r"(?!)")  # not a country: satellites, shared freephone
    prefix = f"(?!{metadata.national_prefix_for_parsing})" if metadata.national_prefix_for_parsing else ""
    kinds = (metadata.fixed_line, metadata.mobile, metadata.toll_free, metadata.premium_rate, metadata.shared_cost, metadata.uan)
    lengths = "|".join(f"[0-9]{{{length}}}" for length in metadata.general_desc.possible_length)
    patterns = "|".join(kind.national_number_pattern for kind in kinds if kind is not None and kind.national_number_pattern)
    return re.compile(f"{prefix}(?=(?:{lengths})$)(?=(?:{metadata.general_desc.national_number_pattern})$)(?:{patterns})")


def masked(number: str) -> str:
    """The number for logs: first three and last two characters, as `+44*******18`."""
    return "*" * len(number) if len(number) < 7 else number[:3] + "*" * (len(number) - 5) + number[-2:]
