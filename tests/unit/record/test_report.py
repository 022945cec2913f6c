from datetime import UTC, datetime

from cti_bridge.domain.audit import AuditReason, AuditResult
from cti_bridge.domain.call import CallId
from cti_bridge.domain.errors import Problem
from cti_bridge.domain.recorded_call import Finding, FindingKind, RecordSource
from cti_bridge.record.report import report_lines

SINCE, UNTIL = datetime(2026, 11, 21, 8, tzinfo=UTC), datetime(2026, 11, 22, 8, tzinfo=UTC)


def a_result(*findings: Finding, **changes: object) -> AuditResult:
    kinds = [finding.kind for finding in findings]
    fields: dict[str, object] = {
        "pbx": "main",
        "reason": AuditReason.COMMAND,
        "at": UNTIL,
        "since": SINCE,
        "until": UNTIL,
        "sources": frozenset({RecordSource.CEL, RecordSource.QUEUE_LOG}),
        "calls": 1204,
        "stored": 1203,
        "counts": {kind: kinds.count(kind) for kind in FindingKind},
        "left": len(findings),
        "findings": findings,
    }
    return AuditResult(**(fields | changes))


def lines(*results: AuditResult) -> list[str]:
    return list(report_lines(results, zone=UTC))


def test_a_clean_audit_is_a_table_of_zeros():
    assert lines(a_result()) == [
        "Calls between 2026-11-21 08:00+00:00 and 2026-11-22 08:00+00:00.",
        "",
        "PBX   record          calls  in store  lost  doubled  ghost  stuck  wrong  mended  left",
        "main  cel, queue_log  1,204     1,203     0        0      0      0      0       0     0",
    ]


def test_each_finding_is_told_in_words():
    call = CallId("main:1.1")
    told = lines(
        a_result(
            Finding(kind=FindingKind.LOST, call_id=call, recorded="2026-11-22T02:33:49.120Z"),
            Finding(kind=FindingKind.DOUBLED, call_id=call, stored="main:1.1", recorded="main:1.0"),
            Finding(kind=FindingKind.GHOST, call_id=call, repaired=True),
            Finding(kind=FindingKind.STUCK, call_id=call),
            Finding(kind=FindingKind.WRONG, call_id=call, field="answered_by", stored="1002", recorded="1001"),
            going_on=2,
            problems=(Problem(where="Master.csv:12", what="18 columns instead of 20"),),
            problem_count=1,
        )
    )

    assert told[4:] == [
        "",
        "main:",
        "  2 calls are still going on, or ended a moment ago: compared the next time",
        "  lost     main:1.1  began 2026-11-22T02:33:49.120Z, is not in the store",
        "  doubled  main:1.1  is the same call as main:1.0",
        "  ghost    main:1.1  is in the store, the PBX had no such call  [mended]",
        "  stuck    main:1.1  is open in the store, ended without a trace",
        "  wrong    main:1.1  answered_by: the store says 1002, the record 1001",
        "  record: Master.csv:12: 18 columns instead of 20",
    ]


def test_a_pbx_that_could_not_be_looked_at_says_why():
    told = lines(a_result(), a_result(pbx="branch", error="no record: set [pbx.record]", counts=dict.fromkeys(FindingKind, 0)))

    assert told[4] == "branch  could not look      -         -     -        -      -      -      -       -     -"
    assert told[5:] == ["", "branch:", "  could not look: no record: set [pbx.record]"]


def test_a_thousand_findings_do_not_fill_the_screen():
    told = lines(a_result(*(Finding(kind=FindingKind.GHOST, call_id=CallId(f"main:{n}.1")) for n in range(1000))))

    assert len(told) == 57
    assert told[-1] == "  ... and 950 more findings: --json shows more of them"


def test_a_hostile_queue_name_cannot_steer_the_terminal():
    hostile = Finding(
        kind=FindingKind.WRONG, call_id=CallId("main:1.1"), field="queues", stored="a\x1b[2J\nlost", recorded="b\u202e"
    )

    told = lines(a_result(hostile))[-1]

    assert told == "  wrong    main:1.1  queues: the store says a\\x1b[2J\\nlost, the record b\\u202e"
