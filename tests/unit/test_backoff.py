import pytest

from cti_bridge.backoff import Backoff


def test_waits_double_up_to_the_most() -> None:
    backoff = Backoff(first_seconds=0.2, most_seconds=1.0, draw=lambda: 1.0)

    assert [backoff.next() for _ in range(5)] == pytest.approx([0.2, 0.4, 0.8, 1.0, 1.0])


def test_full_jitter_draws_from_the_whole_wait() -> None:
    assert Backoff(first_seconds=4, draw=lambda: 0.0).next() == 0
    assert Backoff(first_seconds=4, draw=lambda: 0.5).next() == 2


def test_a_success_starts_anew() -> None:
    backoff = Backoff(first_seconds=1, most_seconds=30, draw=lambda: 1.0)
    backoff.next()
    backoff.next()

    backoff.reset()

    assert backoff.next() == 1


def test_a_refused_login_is_tried_at_most_15_times_in_5_minutes_whatever_the_jitter() -> None:
    """Asterisk allows 50 unauthenticated sessions in all: a client that hammers locks the others out."""
    backoff = Backoff(first_seconds=10, most_seconds=30, floor=0.8, draw=lambda: 0.0)

    tries, elapsed = 1, 0.0
    while (elapsed := elapsed + backoff.next()) < 300:
        tries += 1

    assert tries <= 15
