"""Recognising a caller, whatever the store holds and the PBX says."""

import random
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from cti_bridge.domain.account import AccountId, ContactKind, ContactPoint, MatchReason
from cti_bridge.domain.identity import Choice, Holder, rank
from cti_bridge.domain.phone_number import LARGEST_RANGE, WITHHELD, number_range, ranges_of, read_phone, to_e164
from cti_bridge.lookup import Lookup

NUMBER = "+442079460018"
TODAY = date(2026, 11, 22)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
NUMBERISH = st.text("0123456789+-() ./x#;:=telxX转分机 ext", max_size=45)
REGIONS = st.sampled_from(["GB", "CN", "NL", "US", "IT", "AR", "MX", "JP", "BR"])
LABELS = st.sampled_from([None, "mobile", "手机", "home", "switchboard", "总机", "desk"])
POINTS = st.builds(
    ContactPoint, kind=st.just(ContactKind.PHONE), value=st.just(NUMBER), as_given=st.just(NUMBER), label=LABELS,
    extension=st.sampled_from([None, "1", "12"]),
) | st.sampled_from(ranges_of(NUMBER)).map(
    lambda value: ContactPoint(kind=ContactKind.PHONE_RANGE, value=value, as_given=value)
)  # fmt: skip
TIMES = st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
HOLDERS = st.lists(
    st.builds(
        Holder,
        account_id=st.text("abcdef", min_size=1, max_size=3).map(AccountId),
        point=POINTS,
        last_contact_at=TIMES,
        last_order_on=st.none() | st.dates(TODAY - timedelta(days=40), TODAY + timedelta(days=2)),
        entered=st.sampled_from([None, None, "4711"]),
    ),
    unique_by=lambda holder: holder.account_id,
    max_size=8,
)
CHOICES = st.none() | st.builds(
    Choice,
    account_id=st.text("abcdef", min_size=1, max_size=1).map(AccountId),
    chosen_by=st.just("1002"),
    chosen_at=st.just(datetime(2026, 1, 1, tzinfo=UTC)),
)


@given(HOLDERS, CHOICES, st.randoms(use_true_random=False))
def test_everybody_is_ranked_once_and_the_order_of_the_facts_does_not_matter(
    holders: list[Holder], choice: Choice | None, chance: random.Random
):
    ranked = rank(holders, choice, today=TODAY)
    shuffled = list(holders)
    chance.shuffle(shuffled)

    assert sorted(one.account_id for one in ranked) == sorted(holder.account_id for holder in holders)
    assert rank(shuffled, choice, today=TODAY) == ranked


@given(HOLDERS, CHOICES)
def test_reasons_fall_and_a_sure_one_is_given_to_one_at_most(holders: list[Holder], choice: Choice | None):
    reasons = [one.reason for one in rank(holders, choice, today=TODAY)]
    order = list(MatchReason)

    assert [order.index(reason) for reason in reasons] == sorted(order.index(reason) for reason in reasons)
    for sure in (MatchReason.CHOSEN_BEFORE, MatchReason.EXACT_NUMBER, MatchReason.OWN_MOBILE, MatchReason.RECENT_CONTACT):
        assert reasons.count(sure) <= 1
    assert not {MatchReason.EXACT_NUMBER, MatchReason.SHARED_NUMBER} <= set(reasons)


@given(ANY_TEXT | NUMBERISH, REGIONS)
def test_a_number_with_its_extension_is_read_or_not_and_reads_back_the_same(text: str, region: str):
    phone = read_phone(text, region)

    if phone is not None:
        assert read_phone(phone.e164, region) == (phone.e164, None)
        assert phone.extension is None or (phone.extension.isascii() and phone.extension.isdecimal())
        assert read_phone(f"{phone.e164} ext. {phone.extension or 7}", region) == (phone.e164, phone.extension or "7")


@given(ANY_TEXT | NUMBERISH, REGIONS)
def test_a_block_is_small_and_holds_the_numbers_that_say_so(text: str, region: str):
    block = number_range(text, region)

    if block is not None:
        assert number_range(block, region) == block
        known = block.rstrip("x")
        assert 1 <= len(block) - len(known) <= LARGEST_RANGE
        assert block in ranges_of(known + "1" * (len(block) - len(known)))


@given(st.sampled_from(sorted(WITHHELD)), st.sampled_from([str, str.upper, str.title, lambda text: f"  {text} "]), REGIONS)
def test_nothing_has_the_number_of_a_caller_who_shows_none(word: str, write: object, region: str):
    presented = write(word)  # type: ignore[operator]

    assert _lookup(region).number_of(presented, untrusted=False) is None


@given(ANY_TEXT | NUMBERISH, REGIONS)
def test_a_forged_number_is_nobodys_whatever_it_says(presented: str, region: str):
    assert _lookup(region).number_of(presented, untrusted=True) is None


@given(NUMBERISH, REGIONS)
def test_a_caller_is_asked_for_by_a_number_of_the_plan_only(presented: str, region: str):
    number = _lookup(region).number_of(presented, untrusted=False)

    assert number is None or to_e164(number, None) == number


class _Nobody:
    async def of_caller(self, e164: str | None, entered: str | None) -> tuple[()]:
        raise AssertionError(e164, entered)


def _lookup(region: str) -> Lookup:
    return Lookup(_Nobody(), region)
