"""What an audit reads of the store, what it may change there, and what it says in the end.

Shared by the comparison (cti_bridge/record) and the store (storage/audits.py), which know nothing of each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import Call, CallId, Offer, Talk, iso_utc
from cti_bridge.domain.errors import Problem
from cti_bridge.domain.recorded_call import Finding, FindingKind, RecordSource

MAX_FINDINGS, MAX_PROBLEMS = 1000, 100
"""How many a result keeps; its counts are whole."""


class AuditReason(StrEnum):
    """What made an audit run."""

    GAP = "gap"
    NIGHTLY = "nightly"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCall:
    """A call as it stands in the store. The columns are kept apart from the document: one may be wrong without the other.

    `document` is None where an agent's wrap-up came before the call's own record. `is_written_on`: an agent set its label, its
    note or its account. `is_ghost`: an earlier audit found no call of the PBX behind it. `is_erased`: its customer was erased,
    and the number with it.
    """

    call_id: CallId
    source: RecordSource
    direction: str
    started_at: datetime
    ended_at: datetime | None
    agent: str | None
    queue: str | None
    outcome: str | None
    document: dict[str, Any] | None
    offers: tuple[Offer, ...] = ()
    talks: tuple[Talk, ...] = ()
    is_written_on: bool = False
    is_ghost: bool = False
    is_erased: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSpan:
    """When a stored call was; what is cheap to read of many."""

    call_id: CallId
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCall:
    """The call as the PBX's record tells it, added or in place of what was seen; what agents wrote stays.

    `account_id` is the customer's, where one clear match was found; `is_new_customer`: the number was wrong, so an account that
    the service itself had set goes with it.
    """

    call: Call
    source: RecordSource
    account_id: AccountId | None = None
    is_new_customer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeCall:
    """`drop` is the same call as `keep`: what agents wrote on it moves over, then it goes."""

    keep: CallId
    drop: CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class DropGhost:
    """No call of the PBX stands behind it: it goes, unless an agent wrote on it; then it stays and is marked."""

    call_id: CallId


Mend = PutCall | MergeCall | DropGhost


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditResult:
    """One comparison of the store with one PBX's record.

    `newest`: the time of the record's last row, by the service's clock. `calls`: how many calls the record tells of the window;
    `going_on`: those of them that have no end yet, or ended a moment ago: they are compared the next time. `stored`: how many of
    the window the store holds. `counts` is by call: one with three wrong fields counts once; `findings` has all three, up to
    MAX_FINDINGS. `left`: findings that were not mended. `clock_ahead_seconds`: how far this service's clock is ahead of the
    PBX's. `problems`: what of the record could not be read or judged, up to MAX_PROBLEMS of `problem_count`. `error`: why it
    could not look; then all else is empty.
    """

    pbx: str
    reason: AuditReason
    at: datetime
    since: datetime
    until: datetime
    sources: frozenset[RecordSource] = frozenset()
    newest: datetime | None = None
    calls: int = 0
    stored: int = 0
    going_on: int = 0
    counts: Mapping[FindingKind, int] = field(default_factory=lambda: dict.fromkeys(FindingKind, 0))
    added: int = 0
    corrected: int = 0
    merged: int = 0
    removed: int = 0
    left: int = 0
    clock_ahead_seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    error: str | None = None

    @property
    def is_clean(self) -> bool:
        """It could look, and nothing is wrong (any more)."""
        return self.error is None and self.left == 0


def audit_document(result: AuditResult) -> dict[str, Any]:
    """The result as the command, the REST API and the store show it; numbers in it are masked."""
    return {
        "pbx": result.pbx,
        "reason": result.reason.value,
        "at": iso_utc(result.at),
        "since": iso_utc(result.since),
        "until": iso_utc(result.until),
        "sources": sorted(source.value for source in result.sources),
        "newest": iso_utc(result.newest),
        "calls": result.calls,
        "stored": result.stored,
        "going_on": result.going_on,
        "counts": {kind.value: result.counts[kind] for kind in FindingKind},
        "added": result.added,
        "corrected": result.corrected,
        "merged": result.merged,
        "removed": result.removed,
        "left": result.left,
        "clock_ahead_seconds": round(result.clock_ahead_seconds, 3),
        "findings": [_finding_document(finding) for finding in result.findings],
        "problems": [{"where": problem.where, "what": problem.what, "hint": problem.hint} for problem in result.problems],
        "problem_count": result.problem_count,
        "error": result.error,
    }


def _finding_document(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind.value,
        "call_id": finding.call_id,
        "field": finding.field,
        "stored": finding.stored,
        "recorded": finding.recorded,
        "repaired": finding.repaired,
    }


def audit_result_of(document: Mapping[str, Any]) -> AuditResult:
    """The way back from `audit_document`."""
    return AuditResult(
        pbx=document["pbx"],
        reason=AuditReason(document["reason"]),
        at=datetime.fromisoformat(document["at"]),
        since=datetime.fromisoformat(document["since"]),
        until=datetime.fromisoformat(document["until"]),
        sources=frozenset(RecordSource(source) for source in document["sources"]),
        newest=datetime.fromisoformat(document["newest"]) if document["newest"] else None,
        calls=document["calls"],
        stored=document["stored"],
        going_on=document["going_on"],
        counts={kind: document["counts"][kind.value] for kind in FindingKind},
        added=document["added"],
        corrected=document["corrected"],
        merged=document["merged"],
        removed=document["removed"],
        left=document["left"],
        clock_ahead_seconds=document["clock_ahead_seconds"],
        findings=tuple(
            Finding(
                kind=FindingKind(finding["kind"]),
                call_id=CallId(finding["call_id"]),
                field=finding["field"],
                stored=finding["stored"],
                recorded=finding["recorded"],
                repaired=finding["repaired"],
            )
            for finding in document["findings"]
        ),
        problems=tuple(Problem(**problem) for problem in document["problems"]),
        problem_count=document["problem_count"],
        error=document["error"],
    )
