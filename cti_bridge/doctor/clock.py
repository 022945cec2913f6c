"""Judges the PBX's clock against this machine's, and its time zone against what the settings say about its record."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, fine, warning

MOST_SECONDS: Final = 2.0
"""Above it, calls and the PBX's record no longer fit together second by second (the record has whole seconds)."""
_HERE: Final = Subject.CLOCK


def judge_clock(facts: PbxFacts, *, now: datetime) -> list[Finding]:
    """`now` is aware, of this machine."""
    return [_difference(facts), *_zone(facts, now), _one_clock()]


def _difference(facts: PbxFacts) -> Finding:
    reading = facts.clock
    if reading is None:
        return fine(_HERE, "clock.not_judged", "the PBX's clock: not judged (its Ping tells no time)")
    seconds, trip = reading.ahead_seconds, reading.round_trip_seconds
    measured = f"by {_said(abs(seconds))}, read over a round trip of {trip * 1000:.1f} ms"
    if abs(seconds) - trip / 2 <= MOST_SECONDS:
        return fine(_HERE, "clock.agrees", f"the clocks of the PBX and of this machine differ {measured}")
    side = "ahead of" if seconds > 0 else "behind"
    return warning(
        _HERE,
        "clock.differs",
        f"the PBX's clock is {side} this machine's {measured}",
        lost="times in the log and in the PBX's record do not match; audit and backfill may take a call for another one "
        "(durations stay right: each comes from one clock)",
        change=Change(file="the machine whose clock is wrong", line="timedatectl set-ntp true (then: chronyc tracking)"),
        judged_by="Ping's Timestamp, half the round trip taken off",
    )


def _said(seconds: float) -> str:
    """As `2.513 s`, and for what is long also as people say it: `23899.4 s (6 h 38 min)`."""
    if seconds < 120:
        return f"{seconds:.3f} s"
    minutes = round(seconds / 60)
    return f"{seconds:.1f} s ({minutes // 60} h {minutes % 60} min)"


def _zone(facts: PbxFacts, now: datetime) -> list[Finding]:
    told, name = facts.utc_offset, facts.settings.record.timezone
    if len(told) != 5 or not _has_local_times(facts):
        return []
    try:
        here = now.astimezone(ZoneInfo(name) if name else None).strftime("%z")
    except (ZoneInfoNotFoundError, ValueError):
        return [
            warning(
                _HERE,
                "clock.zone_unknown",
                f"{name} is no time zone",
                lost="times without a zone in the PBX's record cannot be read",
                change=Change(file="cti.toml", section="pbx.record", line='timezone = "Europe/Amsterdam"'),
            )
        ]
    whose = f"pbx.record.timezone ({name})" if name else "this machine"
    if here == told:
        return [fine(_HERE, "clock.zone", f"the PBX keeps UTC{told}, as {whose}")]
    return [
        warning(
            _HERE,
            "clock.zone_differs",
            f"the PBX keeps UTC{told}, {whose} UTC{here}",
            lost="times without a zone in the PBX's record (CDR, queue_log tables) are read wrongly by the difference",
            change=Change(file="cti.toml", section="pbx.record", line='timezone = "ZONE OF THE PBX, as Europe/Amsterdam"'),
            judged_by="STRFTIME on the PBX",
        )
    ]


def _has_local_times(facts: PbxFacts) -> bool:
    """CEL files and queue_log files have Unix times; CDR files have UTC where cdr.conf says so; tables have what they have."""
    record = facts.settings.record
    is_utc = facts.is_on("cdr.conf", "csv", "usegmtime", default=False)
    return any([record.cel_url, record.cdr_url, record.queue_log_url, record.cdr_csv is not None and not is_utc])


def _one_clock() -> Finding:
    return fine(_HERE, "clock.durations", "durations of a call come from one clock only: nothing to set")
