"""Reads the end of the PBX's own record, as audit and backfill will, and judges it: readable from here, understood, up to date?

Comes in: where the settings say that the record is. Goes out: one `Sample` for each source, then findings. Reads a few thousand
rows at most, in a thread.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from config.settings import RecordSettings
from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning
from cti_bridge.domain.recorded_call import RecordSource
from cti_bridge.record.columns import WrongColumns
from cti_bridge.record.rows import CdrRow, Problems
from cti_bridge.record.sources import Row, Source, sources_of
from cti_bridge.record.tail import RotatedMeanwhile

_HERE: Final = Subject.RECORD
LAST_SECONDS: Final = 30.0
AHEAD_SECONDS: Final = 2 * 86400.0
"""How far into the future rows are looked for: a wrong time zone puts them there."""
TABLE_SECONDS: Final = 30 * 86400.0
"""A quiet table is asked for the rows of this time, oldest first, to see its columns."""
MOST_ROWS: Final = 20_000
CONNECT_SECONDS: Final = 5
_LOST: Final = "audit, and the calls of a time when this service was away, as far as this source tells them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The end of one source. `newest`: Unix seconds of its last row, None where not known; `failure`: why it cannot be read."""

    source: RecordSource
    setting: str
    place: str
    rows: int = 0
    newest: float | None = None
    linked: bool = True
    problem: str = ""
    problem_count: int = 0
    failure: str = ""
    is_absent: bool = False


async def read_samples(record: RecordSettings, *, now: datetime) -> tuple[Sample, ...]:
    """One sample for each source that is set."""
    sources = sources_of(record, url=_hasty)
    return tuple(await asyncio.gather(*(asyncio.to_thread(_sample, source, now.timestamp()) for source in sources)))


def _hasty(url: str) -> str:
    """The same database, given up on soon."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql" or "connect_timeout" in parsed.query:
        return url
    return parsed.update_query_dict({"connect_timeout": str(CONNECT_SECONDS)}).render_as_string(hide_password=False)


def _sample(source: Source, now: float) -> Sample:
    problems = Problems()
    rows: list[Row] = []
    failure, is_absent = "", False
    is_last = True
    try:
        rows = list(islice(source.read(now - LAST_SECONDS, now + AHEAD_SECONDS, problems), MOST_ROWS))
        if source.is_table and not rows:
            is_last = False
            rows = list(islice(source.read(now - TABLE_SECONDS, now, problems), 1))
    except FileNotFoundError as cause:
        failure, is_absent = f"{cause.strerror}", True
    except RotatedMeanwhile:
        failure = ""  # the next look finds it whole; what was read says enough
    except (OSError, SQLAlchemyError, WrongColumns, KeyError) as cause:  # KeyError: no such time zone
        failure = str(getattr(cause, "strerror", None) or cause).partition("\n")[0]
    times = [row.end if isinstance(row, CdrRow) else row.at for row in rows] if is_last else []
    cdrs = [row for row in rows if isinstance(row, CdrRow)]
    return Sample(
        source=source.source,
        setting=source.setting,
        place=source.place,
        rows=len(rows),
        newest=max(times, default=None),
        linked=not cdrs or any(row.linkedid for row in cdrs),
        problem=str(problems.named[0]) if problems.named else "",
        problem_count=problems.count,
        failure=failure,
        is_absent=is_absent,
    )


def judge_samples(samples: tuple[Sample, ...], facts: PbxFacts, *, now: datetime) -> list[Finding]:
    return [finding for sample in samples for finding in _judge(sample, facts, now.timestamp())]


def _judge(sample: Sample, facts: PbxFacts, now: float) -> list[Finding]:
    name, calls = sample.source.value, calls_over(facts)
    if sample.is_absent and not calls:
        return [fine(_HERE, f"record.{name}_not_begun", f"{sample.place} is not there yet: the PBX has had no call")]
    if sample.failure:
        ours = Change(file="cti.toml", section="pbx.record", line=f'{sample.setting} = "…" (or let this user read it)')
        theirs = Change(file="cdr.conf", section="csv", line="loguniqueid = yes")
        is_unnamed = sample.setting == "cdr_csv" and "no column uniqueid" in sample.failure
        return [
            error(
                _HERE,
                f"record.{name}_unreadable",
                f"{sample.place} cannot be read: {sample.failure}",
                lost=_LOST,
                change=theirs if is_unnamed else ours,
            )
        ]
    findings = []
    if sample.problem_count:
        findings.append(
            warning(
                _HERE,
                f"record.{name}_broken",
                f"{sample.problem_count} of the last records cannot be understood; the first: {sample.problem}",
                lost="what these records tell",
                change=Change(file="cti.toml", section="pbx.record", line=f"{name}_columns = […]")
                if name != "queue_log"
                else None,
            )
        )
    findings += _age(sample, facts, now, calls=calls)
    if not sample.linked and facts.config is None:
        findings.append(
            warning(
                _HERE,
                "record.cdr_linkedid",
                f"{sample.place} has no column linkedid",
                lost="audit cannot tell which record belongs to which call",
                change=Change(file="cdr.conf", section="csv", line="newcdrcolumns = yes"),
            )
        )
    if findings:
        return findings
    newest = "" if sample.newest is None else f", the newest row is {_ago(now - sample.newest)} old"
    return [fine(_HERE, f"record.{name}_read", f"{sample.place} can be read from here{newest}")]


def _age(sample: Sample, facts: PbxFacts, now: float, *, calls: int) -> list[Finding]:
    name = sample.source.value
    started = started_at(facts)
    ahead = facts.clock.ahead_seconds if facts.clock is not None else 0.0
    if sample.newest is not None and sample.newest - now > max(ahead, 0.0) + 5.0:
        return [
            warning(
                _HERE,
                f"record.{name}_future",
                f"the newest row of {sample.place} is {_ago(sample.newest - now)} in the future",
                lost="audit takes its calls for others: times without a zone are read in the wrong one",
                change=Change(file="cti.toml", section="pbx.record", line='timezone = "ZONE OF THE PBX, as Europe/Amsterdam"'),
            )
        ]
    is_silent = sample.rows == 0 or (sample.newest is not None and started is not None and sample.newest < started - 5.0)
    if calls and is_silent and sample.source is not RecordSource.QUEUE_LOG:
        what = "is empty" if not sample.rows else "has nothing newer than this start of the PBX"
        return [
            warning(
                _HERE,
                f"record.{name}_silent",
                f"{sample.place} {what}, and the PBX has had {calls} calls since",
                lost=_LOST,
                change=Change(
                    file="cti.toml", section="pbx.record", line=f'{sample.setting} = "…" (the place the PBX writes to now)'
                ),
                judged_by="CoreStatus",
            )
        ]
    return []


def calls_over(facts: PbxFacts) -> int:
    """How many calls the PBX has had since its start that are over; 0 where it does not tell (before Asterisk 22.2)."""
    status = facts.status or {}
    counts = [status.get(name, "") for name in ("CoreProcessedCalls", "CoreCurrentCalls")]
    return max(0, int(counts[0]) - int(counts[1])) if all(count.isdecimal() for count in counts) else 0


def started_at(facts: PbxFacts) -> float | None:
    """When this Asterisk process began, in Unix seconds; None where it cannot be told."""
    status = facts.status or {}
    text = f"{status.get('CoreStartupDate', '')} {status.get('CoreStartupTime', '')} {facts.utc_offset}"
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").timestamp()
    except ValueError:
        return None


def _ago(seconds: float) -> str:
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
