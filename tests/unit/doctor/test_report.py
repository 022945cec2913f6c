"""The report as people and programs read it; what the PBX says never reaches the terminal raw."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti_bridge.doctor.examination import PbxReport, Report
from cti_bridge.doctor.finding import MAX_TEXT, Change, Finding, Subject, error, fine, plain, warning
from cti_bridge.doctor.report import lines_of

HOSTILE = "a\x1b[2J\x1b]0;x\x07\r\n\u202eb\u2028c\x85d\0"
MISSING = error(
    Subject.RIGHTS,
    "rights.read_call",
    "[cti] may not read class call",
    lost="no calls at all",
    change=Change(file="manager.conf", section="cti", line="read = call"),
    judged_by="manager.conf",
)
SMALL = warning(Subject.QUEUES, "queues.autofill", "support: autofill is off")
GOOD = fine(Subject.VERSION, "version.known", "Asterisk 22.10.1")


def a_report(*findings: Finding, asked: bool = True, version: str = "22.10.1") -> Report:
    pbx = PbxReport(name="main", address="10.0.0.1:5038", version=version, asked=asked, findings=findings)
    return Report(pbxes=(pbx,), together=(), service=())


@pytest.mark.parametrize(
    ("report", "code", "verdict"),
    [
        (a_report(GOOD), 0, "All well."),
        (a_report(GOOD, SMALL), 1, "0 errors, 1 warning. "),
        (a_report(MISSING, SMALL), 1, "1 error, 1 warning. "),
        (a_report(MISSING, asked=False), 2, "Could not ask main: "),
    ],
)
def test_verdict(report: Report, code: int, verdict: str) -> None:
    assert report.exit_code == code
    assert [*lines_of(report, colours=False)][-1].startswith(verdict)
    assert report.document()["exit_code"] == code


def test_a_finding_is_one_line_and_the_line_to_change() -> None:
    lines = [*lines_of(a_report(GOOD, SMALL, MISSING), colours=False)]

    assert lines[:8] == [
        "PBX main (10.0.0.1:5038, Asterisk 22.10.1)",
        "  Rights",
        "    ERROR  [cti] may not read class call. Lost: no calls at all. [manager.conf]",
        "           -> manager.conf [cti]: read = call",
        "  Version",
        "    ok     Asterisk 22.10.1.",
        "  Queues",
        "    WARN   support: autofill is off.",
    ]


def test_colours_are_for_terminals_only() -> None:
    assert not any("\x1b" in line for line in lines_of(a_report(MISSING), colours=False))
    assert any("\x1b[1;31m" in line for line in lines_of(a_report(MISSING), colours=True))


def test_hostile_text_of_the_pbx_is_made_plain() -> None:
    finding = error(
        Subject.QUEUES, "x", HOSTILE, lost=HOSTILE, change=Change(file="f", section=HOSTILE, line=HOSTILE), judged_by=HOSTILE
    )
    report = a_report(finding, version=HOSTILE)

    for text in (*lines_of(report, colours=False), json.dumps(report.document(), ensure_ascii=False)):
        assert text.isprintable()


@given(st.text())
def test_plain_text_is_printable_and_short(text: str) -> None:
    made = plain(text)

    assert len(made) <= MAX_TEXT
    assert made.isprintable()
