import random

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from cti_bridge.domain.phone_number import is_withheld, masked, to_e164


@pytest.mark.parametrize(
    ("presented", "region", "expected"),
    [
        ("02079460018", "GB", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("(020) 7946-0018", "GB", "+442079460018"),
        ("020.7946.0018", "GB", "+442079460018"),
        ("020\u00a07946\u00a00018", "GB", "+442079460018"),
        ("+44 (0)20 7946 0018", "GB", "+442079460018"),
        ("+442079460018", None, "+442079460018"),
        ("0044 20 7946 0018", "GB", "+442079460018"),
        ("442079460018", "GB", "+442079460018"),
        ("０２０７９４６００１８", "GB", "+442079460018"),
        ("＋４４ ２０ ７９４６ ００１８", "NL", "+442079460018"),
        ("13800138000", "CN", "+8613800138000"),
        ("010-8888 8888", "CN", "+861088888888"),
        ("+86 138 0013 8000", "GB", "+8613800138000"),
        ("020 123 4567", "NL", "+31201234567"),
        ("2025550123", "US", "+12025550123"),
    ],
)
def test_every_usual_writing_becomes_one_number(presented: str, region: str | None, expected: str):
    assert to_e164(presented, region) == expected


@pytest.mark.parametrize(
    "presented",
    [
        "", " ", "+", "0", "1001", "999", "+999 123 456", "2" * 41, "0207946001８９９９９９９９９９９９９",
        "02079460018x12", "0800 FLOWERS", "anonymous", "sip:100@host", "020;79460018", "²³", "1e10",
        "020\n79460018", "020\t79460018", "0207946\x000018", "\u202e02079460018",
    ],
)  # fmt: skip
def test_what_is_no_number_of_the_plan_is_none(presented: str):
    assert to_e164(presented, "GB") is None


def test_a_national_number_needs_a_region():
    assert to_e164("02079460018", None) is None


@pytest.mark.parametrize(
    "presented", [None, "", "  ", "Anonymous", "UNAVAILABLE", "<unknown>", " restricted ", "private", "Withheld"]
)
def test_no_number_shown_is_withheld(presented: str | None):
    assert is_withheld(presented)


@pytest.mark.parametrize("presented", ["02079460018", "1001", "Zoë"])
def test_anything_else_is_not_withheld(presented: str):
    assert not is_withheld(presented)


@pytest.mark.parametrize(
    ("number", "expected"), [("+442079460018", "+44********18"), ("1001", "****"), ("", ""), ("1234567", "123**67")]
)
def test_logs_show_only_the_ends_of_a_number(number: str, expected: str):
    assert masked(number) == expected


def spoilt(number: str, chance: random.Random) -> str:
    digits = list(number)
    for _ in range(chance.randint(1, 3)):
        digits[chance.randrange(1, len(digits))] = chance.choice("0123456789")
    return "".join(digits) + chance.choice(("", "", "", "7"))


def test_numbers_that_are_e164_already_are_judged_as_the_number_plans_say():
    """Valid ones and near misses of every country and kind: the short way never differs from the long one."""
    chance = random.Random(1)
    examples = [
        phonenumbers.format_number(example, PhoneNumberFormat.E164)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in PhoneNumberType.values()
        if (example := phonenumbers.example_number_for_type(region, kind)) is not None
    ]
    presented = [*examples, *(spoilt(example, chance) for example in examples for _ in range(4))]

    def planned(number: str) -> str | None:
        parsed = phonenumbers.parse(number)
        valid = phonenumbers.is_valid_number(parsed)
        return phonenumbers.format_number(parsed, PhoneNumberFormat.E164) if valid else None

    readable = [number for number in presented if phonenumbers.is_possible_number_string(number, None)]
    assert len(readable) > 4000
    assert {number: to_e164(number, None) for number in readable} == {number: planned(number) for number in readable}
