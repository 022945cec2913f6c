"""Opening hours as an admin writes them: a time zone, a week grid, exceptions by date."""

import re
from datetime import date
from functools import cache
from types import MappingProxyType
from zoneinfo import ZoneInfo, available_timezones

import yaml

from routing.hours import DAY, OpeningHours, Span
from routing.yaml_nodes import Mistakes, line_of, mapping, quoted, scalar, scalars, suggestion

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?: ?\.\. ?([0-9]{4}-[0-9]{2}-[0-9]{2}))?")
_MAX_RANGE_DAYS = 92


def read_hours(name: str, node: yaml.Node, mistakes: Mistakes) -> OpeningHours | None:
    """The definition `name`; None where it has a mistake that leaves it without a meaning."""
    what = f"hours {quoted(name)}"
    errors_before = mistakes.errors
    fields = mapping(node, what, ("timezone", "week", "exceptions"), mistakes)
    zone = _read_zone(what, fields["timezone"][1], mistakes) if "timezone" in fields else None
    if "timezone" not in fields and isinstance(node, yaml.MappingNode):
        mistakes.add(node, f"{what}: timezone is missing", "as timezone: Europe/London")
    week = _read_week(what, fields["week"][1], mistakes) if "week" in fields else ((),) * 7
    exceptions = _read_exceptions(what, fields["exceptions"][1], mistakes) if "exceptions" in fields else {}
    if mistakes.errors == errors_before and not any(week) and not any(exceptions.values()):
        mistakes.add(node, f"{what} is never open", 'give opening times, as week: {mon-fri: "09:00-17:30"}')
    if zone is None:
        return None
    return OpeningHours(name=name, zone=zone, week=week, exceptions=MappingProxyType(exceptions))


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def _read_zone(what: str, node: yaml.Node, mistakes: Mistakes) -> ZoneInfo | None:
    text = scalar(node, f"timezone of {what}", mistakes)
    if text is None:
        return None
    if text not in _zones():
        hint = suggestion(text, _zones()) or "a name of the IANA list, as Europe/London or Asia/Shanghai"
        mistakes.add(node, f"{what}: unknown time zone {quoted(text)}", hint)
        return None
    return ZoneInfo(text)


def _read_week(what: str, node: yaml.Node, mistakes: Mistakes) -> tuple[tuple[Span, ...], ...]:
    week: list[tuple[Span, ...]] = [()] * 7
    given: dict[int, yaml.Node] = {}
    for text, (key, value) in mapping(node, f"week of {what}", None, mistakes).items():
        spans = _read_spans(f"{text} of {what}", value, mistakes)
        for day in _read_days(what, key, text, mistakes):
            if day in given:
                mistakes.add(key, f"{what}: {DAYS[day]} is given twice", f"first on line {line_of(given[day])}")
            given[day] = key
            week[day] = spans
    return tuple(week)


def _read_days(what: str, key: yaml.Node, text: str, mistakes: Mistakes) -> range:
    first, _, last = text.strip().lower().partition("-")
    last = last or first
    wrong = next((day for day in (first.strip(), last.strip()) if day not in DAYS), None)
    if wrong is not None:
        mistakes.add(key, f"{what}: unknown day {quoted(wrong)}", suggestion(wrong, DAYS))
        return range(0)
    start, end = DAYS.index(first.strip()), DAYS.index(last.strip())
    if end < start:
        mistakes.add(key, f"{what}: {quoted(text)} runs backwards", "write two lines, as fri-sun and mon")
    return range(start, end + 1)


def _read_exceptions(what: str, node: yaml.Node, mistakes: Mistakes) -> dict[date, tuple[Span, ...]]:
    exceptions: dict[date, tuple[Span, ...]] = {}
    for text, (key, value) in mapping(node, f"exceptions of {what}", None, mistakes).items():
        spans = _read_spans(f"{quoted(text)} of {what}", value, mistakes)
        for day in _read_dates(what, key, text, mistakes):
            if day in exceptions:
                mistakes.add(key, f"{what}: {day} is given twice")
            exceptions[day] = spans
    return exceptions


def _read_dates(what: str, key: yaml.Node, text: str, mistakes: Mistakes) -> list[date]:
    found = _DATES.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)
        first = date.fromisoformat(found[1])
        last = date.fromisoformat(found[2]) if found[2] else first
    except ValueError:
        mistakes.add(key, f"{what}: {quoted(text)} is no date", "as 2026-12-25, or 2026-12-24..2026-12-26")
        return []
    length = (last - first).days + 1
    if not 1 <= length <= _MAX_RANGE_DAYS:
        mistakes.add(key, f"{what}: {quoted(text)} covers {length} days", f"1 to {_MAX_RANGE_DAYS}, earlier date first")
        return []
    return [date.fromordinal(first.toordinal() + offset) for offset in range(length)]


def _read_spans(what: str, node: yaml.Node, mistakes: Mistakes) -> tuple[Span, ...]:
    texts = scalars(node, what, mistakes)
    if [text.lower() for _, text in texts] == ["closed"]:
        return ()
    spans: list[Span] = []
    for item, text in texts:
        span = _read_span(what, item, text, mistakes)
        if span is not None and any(span.start < other.end and other.start < span.end for other in spans):
            mistakes.warn(item, f"{what}: {quoted(text)} overlaps an earlier time")
        if span is not None:
            spans.append(span)
    return tuple(spans)


def _read_span(what: str, node: yaml.Node, text: str, mistakes: Mistakes) -> Span | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        mistakes.add(node, f"{what}: {quoted(text)} is no time span", 'as "09:00-17:30", or closed')
        return None
    start_hour, start_minute, end_hour, end_minute = (int(part) for part in found.groups())
    start, end = start_hour * 60 + start_minute, end_hour * 60 + end_minute
    if start_minute > 59 or end_minute > 59 or start >= DAY or end > DAY:
        mistakes.add(node, f"{what}: {quoted(text)} has a time that no clock shows", "00:00 to 23:59; 24:00 ends a day")
        return None
    if start == end:
        mistakes.add(node, f"{what}: {quoted(text)} is empty", 'the whole day is "00:00-24:00"')
        return None
    return Span(start=start, end=end if end > start else end + DAY)
