"""Opening hours: is it open at an instant, and when does that change next.

The clock on the wall in the definition's time zone decides, so a switch to or from summer time moves no opening hour: where
the clock jumps over an opening time the door opens at the jump, and where it goes back an hour that hour counts twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = 24 * 60
_HORIZON_DAYS = 400
"""How far `next_change` looks: past a year's exceptions; hours that do not change by then are as good as constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Minutes of the local day from `start` (inclusive) to `end` (exclusive); an `end` over 1,440 runs into the next day."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHours:
    """`week` begins on Monday; `exceptions` replace the spans that begin on their date, an empty tuple closes the day."""

    name: str
    zone: ZoneInfo
    week: tuple[tuple[Span, ...], ...]
    exceptions: Mapping[date, tuple[Span, ...]]


def is_open(hours: OpeningHours, at: datetime) -> bool:
    """Whether the door is open at `at` (aware)."""
    local = at.astimezone(hours.zone)
    minute = local.hour * 60 + local.minute
    today = local.date()
    return any(span.start <= minute < span.end for span in _spans_on(hours, today)) or any(
        minute < span.end - DAY for span in _spans_on(hours, today - timedelta(days=1))
    )


def next_change(hours: OpeningHours, at: datetime) -> datetime | None:
    """The first instant after `at` (UTC) at which open becomes closed or closed open; None if not within 400 days."""
    now = is_open(hours, at)
    first = at.astimezone(hours.zone).date()
    for offset in range(_HORIZON_DAYS):
        for instant in sorted(_turning_points(hours, first + timedelta(days=offset))):
            if instant > at and is_open(hours, instant) is not now:
                return instant
    return None


def after_open_time(hours: OpeningHours, at: datetime, amount: timedelta) -> datetime:
    """The instant (UTC) at which `amount` of opening time will have passed since `at`; closed hours do not count. Where the door
    does not open again within 400 days, the clock's time counts.
    """
    left, now = amount, at.astimezone(UTC)
    while True:
        change = next_change(hours, now)
        if change is None:
            return now + left
        if is_open(hours, now):
            if now + left <= change:
                return now + left
            left -= change - now
        now = change


def _spans_on(hours: OpeningHours, day: date) -> tuple[Span, ...]:
    exception = hours.exceptions.get(day)
    return hours.week[day.weekday()] if exception is None else exception


def _turning_points(hours: OpeningHours, day: date) -> Iterator[datetime]:
    """Every UTC instant of the local `day` at which something may change: span ends, midnight, a switch of the clock."""
    minutes = {0}
    for span in _spans_on(hours, day):
        minutes |= {span.start, min(span.end, DAY)}
    minutes |= {span.end - DAY for span in _spans_on(hours, day - timedelta(days=1)) if span.end > DAY}
    for minute in minutes - {DAY}:
        wall = datetime.combine(day, time(minute // 60, minute % 60), tzinfo=hours.zone)
        yield wall.astimezone(UTC)
        yield wall.replace(fold=1).astimezone(UTC)
    if (switch := _clock_switch(hours.zone, day)) is not None:
        yield switch


def _clock_switch(zone: ZoneInfo, day: date) -> datetime | None:
    """The instant within the local `day` at which the zone's offset changes, to the second."""
    low = datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone).astimezone(UTC)
    before = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == before:
        return None
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
