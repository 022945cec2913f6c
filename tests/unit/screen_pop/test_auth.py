"""The attempt limit and the origins, without a server."""

from screen_pop.auth import ADDRESS_LIMIT, NAME_LIMIT, PAIR_LIMIT, Attempts, TooManyAttempts
from tests.support.web import Clock


def tried(attempts: Attempts, username: str, address: str) -> int | None:
    """None where the attempt is looked at, else the seconds to wait."""
    try:
        attempts.spend(username, address)
    except TooManyAttempts as limited:
        return limited.retry_after
    return None


def test_one_name_from_one_address_waits_after_a_burst() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    for _ in range(PAIR_LIMIT.burst):
        assert tried(attempts, "ada", "192.0.2.1") is None

    wait = tried(attempts, "ADA", "192.0.2.1")
    others = tried(attempts, "ada", "192.0.2.2"), tried(attempts, "bo", "192.0.2.1")
    clock.seconds += wait or 0

    assert (wait, others) == (PAIR_LIMIT.seconds + 1, (None, None))
    assert tried(attempts, "ada", "192.0.2.1") is None


def test_one_address_cannot_try_every_name() -> None:
    attempts = Attempts(clock=Clock())

    looked_at = sum(tried(attempts, f"user{n}", "192.0.2.1") is None for n in range(1000))

    assert looked_at == ADDRESS_LIMIT.burst


def test_a_thousand_machines_make_fewer_than_a_hundred_guesses_an_hour_on_one_name() -> None:
    clock = Clock()
    attempts = Attempts(clock=clock)
    looked_at = 0
    for n in range(3600):
        looked_at += tried(attempts, "ada", f"198.51.100.{n % 1000}") is None
        clock.seconds += 1

    assert NAME_LIMIT.burst < looked_at <= 100


def test_right_passwords_do_not_count() -> None:
    attempts = Attempts(clock=Clock())

    for _ in range(1000):
        assert tried(attempts, "ada", "192.0.2.1") is None
        attempts.forgive("ada", "192.0.2.1")


def test_memory_is_bounded() -> None:
    attempts = Attempts(clock=Clock(), max_watched=10)

    for n in range(100):
        tried(attempts, f"user{n}", f"198.51.100.{n}")

    assert len(attempts._free_at) == 10
