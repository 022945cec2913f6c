"""Reading phone numbers: national, international, spaced and full-width forms become one E.164 number.

`to_e164` reads a bare number; `read_phone` also a `tel:` URI and an extension; `number_range` a company's block of numbers.
"""

import re
import unicodedata
from functools import cache, lru_cache
from typing import Final, NamedTuple

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
    text = presented.strip()
    if len(text) > 40 or any(c.isdigit() and not c.isdecimal() for c in text):  # superscripts, which NFKC would make digits
        return None
    text = unicodedata.normalize("NFKC", text).strip()
    if not text or not (text[0].isdecimal() or text[0] in "+(") or any(not (c.isdigit() or c in _SEPARATORS) for c in text):
        return None
    if region is None and text[0] != "+":
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if number.country_code == 52 and _FORMER_MEXICAN_MOBILE <= (number.national_number or 0) < 2 * _FORMER_MEXICAN_MOBILE:
        number.national_number = (number.national_number or 0) - _FORMER_MEXICAN_MOBILE
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164 if phonenumbers.is_valid_number(number) or _FOR_TRIALS.fullmatch(e164) else None


def national_of(e164: str) -> str:
    """The digits as they are dialled inside the number's own country: 02079460018 of +442079460018."""
    text = phonenumbers.format_number(phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(character for character in text if character.isdigit())


class Phone(NamedTuple):
    """A number as people write it down: `extension` is what is dialled after the answer, digits only."""

    e164: str
    extension: str | None


def read_phone(text: str, region: str | None) -> Phone | None:
    """As `to_e164`, and reads `tel:` URIs (RFC 3966) and extensions ("ext. 12", ";ext=12", "x12", "#12", "转12") too."""
    e164 = to_e164(text, region)
    if e164 is not None:
        return Phone(e164, None)
    text = unicodedata.normalize("NFKC", text).strip()
    if len(text) > _LONGEST:
        return None
    if text[:4].lower() == "tel:":
        return _read_uri(text[4:], region)
    found = _EXTENSION.search(text)
    e164 = to_e164(text[: found.start()], region) if found else None
    return Phone(e164, found[1]) if found and e164 else None


def _read_uri(uri: str, region: str | None) -> Phone | None:
    """RFC 3966: a local number is read in its `phone-context`, where that is a number's beginning."""
    number, *parameters = uri.split(";")
    named = {name.lower(): value for name, _, value in (parameter.partition("=") for parameter in parameters)}
    context, extension = named.get("phone-context", ""), named.get("ext", "")
    e164 = to_e164(context + number if context.startswith("+") and not number.startswith("+") else number, region)
    if e164 is None or not re.fullmatch(r"[0-9]{0,8}", extension, re.ASCII):
        return None
    return Phone(e164, extension or None)


def number_range(text: str, region: str | None) -> str | None:
    """A block of numbers as `+442079460xxx`, from "020 7946 0xxx": each x is any digit; None where it is none of the plan.

    At most the last `LARGEST_RANGE` digits are open: a block of more numbers than a company has would match strangers.
    """
    found = _RANGE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not found:
        return None
    unknown = sum(character in "xX" for character in found[2])
    for digit in "0123456789":  # not every number of a block need be valid
        e164 = to_e164(found[1] + digit * unknown, region)
        if e164 is not None and e164.endswith(digit * unknown):
            return e164[:-unknown] + "x" * unknown
    return None


def ranges_of(e164: str) -> tuple[str, ...]:
    """Every block that `number_range` can give and that this number is in, the smallest first."""
    return tuple(e164[:-unknown] + "x" * unknown for unknown in range(1, LARGEST_RANGE + 1))


LARGEST_RANGE: Final = 4
_LONGEST: Final = 80
_SEPARATORS: Final = frozenset("+ ()-./\u00a0\u2010\u2012\u2013\u2014")
"""What people put between digits; NFKC has made the non-breaking hyphen U+2010."""
_FORMER_MEXICAN_MOBILE: Final = 10**10
"""Until 2020 a 1 stood before Mexican mobile numbers called from abroad; carriers and address books still write it."""
_FOR_TRIALS: Final = re.compile(r"\+447700900[0-9]{3}")
"""Ofcom keeps these mobile numbers free for films and demonstrations; libphonenumber counts them as not assigned."""
_EXTENSION: Final = re.compile(
    r"[,;]?[ ]?(?:ext(?:ension|n)?|int(?:erno)?|poste|доб|x|#|[转轉]?[ ]?(?:分机|分機)|[转轉]|内线|內線)[ .:=]{0,2}([0-9]{1,8})$",
    re.IGNORECASE | re.ASCII,
)
_RANGE: Final = re.compile(rf"([+(0-9][-+ ()./0-9]{{3,36}}?)([xX](?:[ -]?[xX]){{0,{LARGEST_RANGE - 1}}})")


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
