"""What the comparison must not find: edges of time, rings at once, and what a record does not tell."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cti_bridge.domain.audit import StoredCall
from cti_bridge.domain.call import Direction, Outcome
from cti_bridge.domain.recorded_call import Finding, FindingKind, RecordedCall, RecordSource
from cti_bridge.record.audit import Comparison, Window
from tests.support.records import DAY, an_abandoned_call, an_answered_call, began, id_of, stored_of, without

TOLD = an_answered_call(1)
END = DAY + timedelta(hours=2)
TELLS_NOTHING = tuple(
    field.name
    for field in fields(RecordedCall)
    if field.name
    not in {
        "call_id",
        "pbx",
        "sources",
        "uniqueids",
        "started_at",
        "ended_at",
        "answered_at",
        "presented_number",
        "customer_name",
        "called",
    }
)


def a_comparison(*recorded: RecordedCall, now: datetime = END, sources: str = "cel queue_log") -> Comparison:
    window = Window(since=DAY, until=now, oldest=DAY - timedelta(hours=1), newest=now, now=now)
    return Comparison(recorded, window, sources=frozenset(RecordSource(source) for source in sources.split()))


def compared(recorded: list[RecordedCall], *stored: StoredCall, **how: Any) -> list[tuple[str, str | None]]:
    comparison = a_comparison(*recorded, **how)
    for one in stored:
        comparison.feed(one)
    return [(finding.kind.value, finding.field) for one in comparison.differences() for finding in one.findings]


def findings_of(recorded: RecordedCall, stored: StoredCall) -> list[Finding]:
    comparison = a_comparison(recorded)
    comparison.feed(stored)
    return [finding for one in comparison.differences() for finding in one.findings]


@pytest.mark.parametrize(("seconds", "found"), [(9, []), (11, [("lost", None)])])
def test_a_call_that_ended_a_moment_ago_may_be_on_its_way(seconds: int, found: list[Any]):
    assert TOLD.recorded.ended_at is not None
    now = TOLD.recorded.ended_at + timedelta(seconds=seconds)

    assert compared([TOLD.recorded], now=now) == found
    assert a_comparison(TOLD.recorded, now=now).going_on == (not found)


@pytest.mark.parametrize(("seconds", "found"), [(9, []), (11, [("ghost", None)])])
def test_the_record_may_be_a_moment_late(seconds: int, found: list[Any]):
    assert TOLD.stored.ended_at is not None

    assert compared([], stored_of(TOLD.stored), now=TOLD.stored.ended_at + timedelta(seconds=seconds)) == found


def test_a_call_that_goes_on_is_neither_lost_nor_stuck():
    live = without(TOLD.recorded, "ended_at", "hung_up_by", "outcome", "talk_s")
    early_wrap_up = stored_of(TOLD.stored, ended_at=None, outcome="in_progress", document=None)

    assert compared([live]) == []
    assert compared([live], early_wrap_up) == []
    assert a_comparison(live).going_on == 1


def test_a_call_in_which_the_pbx_died_is_lost_where_the_store_has_not_heard_of_it():
    broken_off = replace(without(TOLD.recorded, "ended_at", "talk_s"), outcome=Outcome.LOST)

    assert compared([broken_off]) == [("lost", None)]


@pytest.mark.parametrize("name", TELLS_NOTHING)
def test_what_the_record_does_not_tell_is_not_compared(name: str):
    """The store differs in every field; the one the record is silent about is not named."""
    other = an_abandoned_call(1).stored._replace(
        direction=Direction.OUTBOUND,
        customer_number=None,
        did="8009",
        rang_no_answer=(),
        started_at=began(2),
        ended_at=began(3),
    )

    every = {finding.field for finding in findings_of(TOLD.recorded, stored_of(other))}
    silent = {finding.field for finding in findings_of(without(TOLD.recorded, name), stored_of(other))}

    assert every - silent == {name}


def test_phones_that_rang_at_once_may_stand_in_any_order():
    first, second, third = TOLD.stored.offers
    together = (first, second._replace(rang_at=first.rang_at + timedelta(seconds=0.4)), third)
    swapped = ("1002", "1001", "1004")

    assert compared([TOLD.recorded], stored_of(TOLD.stored._replace(offered_to=swapped, offers=together))) == []
    assert compared([TOLD.recorded], stored_of(TOLD.stored._replace(offered_to=swapped))) == [("wrong", "offered_to")]


@pytest.mark.parametrize(("late", "is_wrong"), [(0.0, False), (0.99, False), (2.1, True), (-1.1, True)])
def test_a_record_in_whole_seconds_was_cut_not_rounded(late: float, is_wrong: bool):
    def cut(at: datetime | None) -> datetime | None:
        return at and at.replace(microsecond=0)

    recorded = replace(
        TOLD.recorded,
        started_at=TOLD.recorded.started_at.replace(microsecond=0),
        answered_at=cut(TOLD.recorded.answered_at),
        ended_at=cut(TOLD.recorded.ended_at),
    )
    assert recorded.ended_at is not None
    ended = recorded.ended_at + timedelta(seconds=late)

    found = compared([recorded], stored_of(TOLD.stored._replace(ended_at=ended)))

    assert found == ([("wrong", "ended_at")] if is_wrong else [])


@pytest.mark.parametrize(("off", "found"), [(9.0, []), (11.0, [("wrong", "ended_at")])])
def test_an_estimate_may_be_off_and_is_put_right(off: float, found: list[Any]):
    assert TOLD.stored.ended_at is not None
    comparison = a_comparison(TOLD.recorded)
    comparison.feed(stored_of(TOLD.stored._replace(ended_at=TOLD.stored.ended_at - timedelta(seconds=off), estimated=True)))

    (difference,) = comparison.differences()

    assert [(one.kind.value, one.field) for one in difference.findings] == found
    assert difference.fields == {"ended_at"}


def test_a_call_whose_beginning_was_not_read_is_not_judged():
    """Its first row comes a minute after its channel was made."""
    late = replace(TOLD.recorded, started_at=TOLD.recorded.started_at + timedelta(minutes=1))

    assert compared([late]) == []


@pytest.mark.parametrize(("sources", "found"), [("cel", ["ghost"]), ("queue_log", ["ghost"]), ("cdr", [])])
def test_a_poor_record_does_not_know_every_call(sources: str, found: list[str]):
    """CDR leaves out unanswered calls by default."""
    told = compared([], stored_of(an_abandoned_call(1).stored), sources=sources)

    assert [kind for kind, _ in told] == found


def test_numbers_in_findings_are_masked_and_extensions_are_not():
    (number,) = findings_of(TOLD.recorded, stored_of(TOLD.stored._replace(customer_number="+442079460019")))
    transfer = replace(TOLD.stored.transfers[0], to="+33612345678")
    (to_outside,) = findings_of(TOLD.recorded, stored_of(TOLD.stored._replace(transfers=(transfer,))))

    assert (number.stored, number.recorded) == ("+44********19", "+44********18")
    assert (to_outside.stored, to_outside.recorded) == ("1002 to +33*******78", "1002 to 1004")


def test_the_store_names_a_call_by_any_of_its_channels():
    other_name = stored_of(TOLD.stored._replace(call_id=f"{id_of(1)}2"))

    assert compared([TOLD.recorded], other_name) == []
    assert compared([TOLD.recorded], other_name, stored_of(TOLD.stored)) == [(FindingKind.DOUBLED.value, None)]
