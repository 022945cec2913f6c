"""Open or closed, by the clock on the wall, also in the nights when it is put back or forward."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from routing.hours import after_open_time, is_open, next_change
from tests.support.routing_samples import some_rules

HOURS = {
    hours.name: hours
    for hours in some_rules(
        """
        hours:
          office:
            timezone: Europe/London
            week: {mon-fri: "09:00-17:30", sat: ["10:00-12:00", "13:00-14:00"]}
            exceptions: {2026-12-25: closed, 2026-12-26..2026-12-27: "11:00-12:00"}
          night: {timezone: Europe/London, week: {mon-sun: "22:00-06:00"}, exceptions: {2026-12-25: closed}}
          always: {timezone: Asia/Shanghai, week: {mon-sun: "00:00-24:00"}}
          small: {timezone: Europe/London, week: {sun: "01:30-03:00"}}
        """
    ).hours
}


def london(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/London"), fold=fold)


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("office", london("2026-11-23 08:59:59"), False),
        ("office", london("2026-11-23 09:00"), True),
        ("office", london("2026-11-23 17:29:59"), True),
        ("office", london("2026-11-23 17:30"), False),
        ("office", london("2026-11-28 12:30"), False),
        ("office", london("2026-11-28 13:00"), True),
        ("office", london("2026-11-29 11:00"), False),
        ("office", london("2026-12-25 11:00"), False),
        ("office", london("2026-12-27 11:30"), True),
        ("office", datetime(2026, 7, 6, 8, 0, tzinfo=UTC), True),
        ("office", datetime(2026, 11, 23, 8, 0, tzinfo=UTC), False),
        ("night", london("2026-11-23 23:00"), True),
        ("night", london("2026-11-24 05:59"), True),
        ("night", london("2026-11-24 06:00"), False),
        ("night", london("2026-12-25 03:00"), True),
        ("night", london("2026-12-25 23:00"), False),
        ("night", london("2026-12-26 03:00"), False),
        ("always", london("2026-12-26 16:00"), True),
        ("small", london("2026-10-25 01:45", fold=0), True),
        ("small", london("2026-10-25 01:15", fold=1), False),
        ("small", london("2026-10-25 01:45", fold=1), True),
        ("small", datetime(2026, 3, 29, 0, 59, tzinfo=UTC), False),
        ("small", datetime(2026, 3, 29, 1, 0, tzinfo=UTC), True),
    ],
)
def test_open_by_the_clock_on_the_wall(name, at, expected):
    assert is_open(HOURS[name], at) is expected


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("office", london("2026-11-23 08:00"), london("2026-11-23 09:00")),
        ("office", london("2026-11-23 09:00"), london("2026-11-23 17:30")),
        ("office", london("2026-11-27 17:30"), london("2026-11-28 10:00")),
        ("office", london("2026-12-24 18:00"), london("2026-12-26 11:00")),
        ("night", london("2026-11-23 23:00"), london("2026-11-24 06:00")),
        ("always", london("2026-11-23 23:00"), None),
        pytest.param("small", london("2026-10-25 01:45"), london("2026-10-25 01:00", fold=1), id="the clock goes back"),
        pytest.param("small", london("2026-10-25 01:00", fold=1), london("2026-10-25 01:30", fold=1), id="and opens again"),
        pytest.param("small", london("2026-03-29 00:30"), datetime(2026, 3, 29, 1, tzinfo=UTC), id="the clock jumps over it"),
    ],
)
def test_next_change(name, at, expected):
    change = next_change(HOURS[name], at)

    assert change == (expected.astimezone(UTC) if expected is not None else None)


@pytest.mark.parametrize(
    ("name", "at", "minutes", "expected"),
    [
        ("office", london("2026-11-23 09:00"), 60, london("2026-11-23 10:00")),
        ("office", london("2026-11-23 17:00"), 60, london("2026-11-24 09:30")),  # half an hour today, half tomorrow
        ("office", london("2026-11-23 17:00"), 30, london("2026-11-23 17:30")),  # up to the door's closing
        ("office", london("2026-11-23 03:00"), 60, london("2026-11-23 10:00")),
        ("office", london("2026-11-27 17:00"), 6 * 60, london("2026-11-30 11:30")),  # Friday, Saturday's three hours, Monday
        ("office", london("2026-12-24 17:00"), 60, london("2026-12-26 11:30")),  # over Christmas
        ("night", london("2026-11-23 12:00"), 9 * 60, london("2026-11-24 23:00")),
        ("always", london("2026-11-23 12:00"), 90, london("2026-11-23 13:30")),
        ("night", london("2026-03-28 22:00"), 8 * 60, london("2026-03-29 22:00") + timedelta(hours=1)),  # the short night
    ],
)
def test_working_time_runs_while_the_door_is_open(name, at, minutes, expected):
    assert after_open_time(HOURS[name], at, timedelta(minutes=minutes)) == expected.astimezone(UTC)
