import time
from datetime import datetime, timedelta

import pytest

from cti_bridge.record.results import seconds_until


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        ("2026-11-22T03:29:59.500", 0.5),
        ("2026-11-22T03:30:00", 86400),
        ("2026-11-22T03:30:01", 86399),
        ("2026-11-22T00:00:00", 12600),
    ],
)
def test_the_next_night(now: str, seconds: float):
    assert seconds_until("03:30", datetime.fromisoformat(now).astimezone()) == seconds


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 23), ("2026-10-24", 25)], ids=["spring", "autumn"])
@pytest.mark.usefixtures("in_paris")
def test_a_night_with_a_change_of_the_clocks(day: str, hours: int):
    now = datetime.fromisoformat(f"{day}T03:30:00").astimezone()

    assert seconds_until("03:30", now) == timedelta(hours=hours).total_seconds()


@pytest.fixture
def in_paris(monkeypatch: pytest.MonkeyPatch):
    """The machine stands in Paris."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
