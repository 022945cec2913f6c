"""What a comparison says in the end: counts by call, what was mended and what is left, and what could not be judged. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cti_bridge.domain.audit import MAX_FINDINGS
from cti_bridge.domain.errors import Problem
from cti_bridge.domain.recorded_call import Finding, FindingKind
from cti_bridge.record.audit import Comparison, Difference, Window
from cti_bridge.record.rows import RecordProblem

CLOCK_PROBLEM_SECONDS: Final = 2.0


def seconds_until(time_of_day: str, now: datetime) -> float:
    """From `now` (the machine's own time) to the next HH:MM of it."""
    hour, minute = (int(part) for part in time_of_day.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
    next_one = today.astimezone() if today.astimezone() > now else (today + timedelta(days=1)).astimezone()
    return (next_one - now).total_seconds()


def counts_of(differences: Sequence[Difference]) -> Mapping[FindingKind, int]:
    """By call: wrong in three fields is one wrong call."""
    counts = Counter((finding.kind, finding.call_id) for difference in differences for finding in difference.findings)
    kinds = Counter(kind for kind, _ in counts)
    return {kind: kinds[kind] for kind in FindingKind}


def with_what_is_left(findings: Sequence[Finding], left: Sequence[Finding]) -> tuple[Finding, ...]:
    """The first look's findings, each with whether the second one still had it; and what only the second one had."""
    still = {(finding.kind, finding.call_id, finding.field) for finding in left}
    told = [replace(finding, repaired=(finding.kind, finding.call_id, finding.field) not in still) for finding in findings]
    before = {(finding.kind, finding.call_id, finding.field) for finding in findings}
    new = [finding for finding in left if (finding.kind, finding.call_id, finding.field) not in before]
    return (*told, *new)[:MAX_FINDINGS]


def as_problem(problem: RecordProblem) -> Problem:
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    return Problem(where=place, what=problem.what)


def problems_of(pbx: str, comparison: Comparison, window: Window, ahead: float) -> Sequence[Problem]:
    problems = []
    if comparison.unjudged:
        since = window.oldest.isoformat(timespec="seconds") if window.oldest else "nowhere"
        problems.append(
            Problem(
                where=pbx,
                what=f"{comparison.unjudged} stored calls are older than the record, which begins at {since}",
                hint="they were not judged",
            )
        )
    if abs(ahead) > CLOCK_PROBLEM_SECONDS:
        problems.append(
            Problem(
                where=pbx,
                what=f"its clock is {abs(ahead):.1f} s {'behind' if ahead > 0 else 'ahead of'} this machine's",
                hint="set both by NTP; the audit has allowed for it",
            )
        )
    return problems
