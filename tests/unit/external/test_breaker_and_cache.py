"""When a system is left alone, and how long its answers are kept: by a clock that only the test moves."""

import pytest

from cti_bridge.external.breaker import Breaker
from cti_bridge.external.cache import Cache
from tests.support.web import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, pause_seconds=30, clock=clock)


def test_it_opens_after_so_many_failures_in_a_row_and_only_then(breaker: Breaker):
    assert [breaker.failed(), breaker.failed(), breaker.succeeded(), breaker.failed(), breaker.failed()] == [False] * 5
    assert breaker.admits()

    assert breaker.failed()

    assert breaker.is_open
    assert not breaker.admits()


def test_one_question_is_let_through_after_the_pause_and_its_success_closes_it(breaker: Breaker, clock: Clock):
    _open(breaker)
    clock.seconds += 29.9
    assert not breaker.admits()

    clock.seconds += 0.1

    assert [breaker.admits(), breaker.admits()] == [True, False]
    assert breaker.is_open, "until it is answered"
    assert breaker.succeeded()
    assert (breaker.is_open, breaker.admits(), breaker.succeeded()) == (False, True, False)


def test_its_failure_begins_another_pause_and_is_not_told_as_an_opening(breaker: Breaker, clock: Clock):
    _open(breaker)
    clock.seconds += 30
    assert breaker.admits()

    assert not breaker.failed()

    assert not breaker.admits()
    clock.seconds += 30
    assert breaker.admits()


def test_a_question_that_never_ends_does_not_keep_it_open_for_ever(breaker: Breaker, clock: Clock):
    _open(breaker)
    clock.seconds += 30
    assert breaker.admits()

    clock.seconds += 30

    assert breaker.admits()


def test_after_it_closed_it_counts_anew(breaker: Breaker, clock: Clock):
    _open(breaker)
    clock.seconds += 30
    breaker.admits()
    breaker.succeeded()

    assert [breaker.failed(), breaker.failed(), breaker.failed()] == [False, False, True]


def _open(breaker: Breaker) -> None:
    assert [breaker.failed(), breaker.failed(), breaker.failed()] == [False, False, True]


def test_a_value_is_kept_for_its_time(clock: Clock):
    cache = Cache[int](seconds=60, size=10, clock=clock)
    cache.put("a", 1)

    clock.seconds += 59.9
    assert cache.get("a") == 1
    clock.seconds += 0.1
    assert cache.get("a") is None


def test_the_oldest_goes_when_there_are_too_many_and_a_new_value_makes_a_key_young(clock: Clock):
    cache = Cache[int](seconds=60, size=2, clock=clock)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        cache.put(key, value)

    assert [cache.get(key) for key in "abc"] == [3, None, 4]
    assert len(cache) == 2


def test_what_is_over_is_let_go_of_and_not_only_hidden(clock: Clock):
    cache = Cache[int](seconds=60, size=1000, clock=clock)
    for number in range(100):
        cache.put(str(number), number)
    clock.seconds += 60

    cache.put("new", 1)

    assert len(cache) == 1


def test_nothing_is_kept_for_no_time(clock: Clock):
    cache = Cache[int](seconds=0, size=10, clock=clock)

    cache.put("a", 1)

    assert (cache.get("a"), len(cache)) == (None, 0)
