"""An audit as a table and in words, for whoever ran the command. Pure; numbers come masked, control characters are escaped."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Final

from cti_bridge.domain.audit import AuditResult
from cti_bridge.domain.recorded_call import Finding, FindingKind

SHOWN_FINDINGS: Final = 50
SHOWN_PROBLEMS: Final = 10
_YEARS: Final = range(1971, 9999)
"""Beyond them a day more or less is no date any more."""
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_KINDS: Final = (FindingKind.LOST, FindingKind.DOUBLED, FindingKind.GHOST, FindingKind.STUCK, FindingKind.WRONG)
_HEAD: Final = ("PBX", "record", "calls", "in store", *(kind.value for kind in _KINDS), "mended", "left")


def report_lines(results: Sequence[AuditResult], *, zone: tzinfo | None) -> Iterator[str]:
    """The whole report; times of the window are shown in `zone` (None: the machine's own)."""
    for result in results[:1]:
        yield f"Calls between {_moment(result.since, zone)} and {_moment(result.until, zone)}."
        yield ""
    yield from _table([_HEAD, *(_row(result) for result in results)])
    for result in results:
        yield from _details(result)


def moment_of(text: str, *, at_end: bool) -> datetime:
    """A time with its zone, or a date of the machine's own calendar: its beginning, or (`at_end`) its end. Raises ValueError."""
    try:
        at = datetime.fromisoformat(text)
        if at.year in _YEARS and _DATE.fullmatch(text):
            return (at + timedelta(days=at_end)).astimezone()
        if at.year in _YEARS and at.tzinfo is not None:
            return at
    except ValueError:
        pass
    raise ValueError(f"{text}: write a date (2026-11-21), or a time with its zone (2026-11-21T08:00+01:00, 2026-11-21T07:00Z)")


def _row(result: AuditResult) -> Sequence[str]:
    if result.error is not None:
        return (result.pbx, "could not look", *("-" for _ in _HEAD[2:]))
    mended = result.added + result.corrected + result.merged + result.removed
    sources = ", ".join(sorted(source.value for source in result.sources))
    counts = (result.calls, result.stored, *(result.counts[kind] for kind in _KINDS), mended, result.left)
    return (result.pbx, sources, *(f"{count:,}" for count in counts))


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Words to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words, figures = zip(row[:2], widths[:2], strict=True), zip(row[2:], widths[2:], strict=True)
        cells = [*(cell.ljust(width) for cell, width in words), *(cell.rjust(width) for cell, width in figures)]
        yield "  ".join(cells).rstrip()


def _details(result: AuditResult) -> Iterator[str]:
    notes = [f"could not look: {result.error}"] if result.error is not None else []
    if result.going_on:
        notes.append(f"{result.going_on:,} calls are still going on, or ended a moment ago: compared the next time")
    if not (notes or result.findings or result.problems):
        return
    yield ""
    yield f"{result.pbx}:"
    yield from (f"  {_plain(note)}" for note in notes)
    findings = _bounded(map(_finding, result.findings), max(result.left, len(result.findings)), SHOWN_FINDINGS, "findings")
    told = (f"record: {_plain(str(problem))}" for problem in result.problems)
    problems = _bounded(told, result.problem_count, SHOWN_PROBLEMS, "problems of the record")
    yield from (f"  {line}" for line in (*findings, *problems))


def _bounded(lines: Iterable[str], count: int, most: int, what: str) -> Iterator[str]:
    for place, line in enumerate(lines):
        if place == most:
            yield f"... and {count - most:,} more {what}: --json shows more of them"
            return
        yield line


def _finding(finding: Finding) -> str:
    mended = "  [mended]" if finding.repaired else ""
    match finding.kind:
        case FindingKind.LOST:
            what = f"began {finding.recorded}, is not in the store"
        case FindingKind.GHOST:
            what = "is in the store, the PBX had no such call"
        case FindingKind.DOUBLED:
            what = f"is the same call as {finding.recorded}"
        case FindingKind.STUCK:
            what = f"is open in the store, ended {finding.recorded or 'without a trace'}"
        case FindingKind.WRONG:
            what = f"{finding.field}: the store says {finding.stored}, the record {finding.recorded}"
    return f"{finding.kind.value:<7}  {_plain(finding.call_id)}  {_plain(what)}{mended}"


def _plain(text: str) -> str:
    """Queue names and extensions may come from callers: nothing of them may steer the terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _moment(at: datetime, zone: tzinfo | None) -> str:
    return at.astimezone(zone).isoformat(sep=" ", timespec="minutes")
