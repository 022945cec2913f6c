"""The report as a person reads it: by PBX and subject, the worst first, one line a finding and below it the line to change."""

from collections.abc import Iterator, Sequence
from typing import Final

from cti_bridge.doctor.examination import PbxReport, Report
from cti_bridge.doctor.finding import Finding, Severity, Subject, plain

_WORDS: Final = {Severity.ERROR: "ERROR", Severity.WARNING: "WARN", Severity.OK: "ok"}
_COLOURS: Final = {Severity.ERROR: "\x1b[1;31m", Severity.WARNING: "\x1b[33m", Severity.OK: "\x1b[32m"}
_BOLD, _DIM, _END = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_WORST_FIRST: Final = tuple(_WORDS)
_WIDTH: Final = 7


def lines_of(report: Report, *, colours: bool) -> Iterator[str]:
    """Every line of the report; `colours` on a terminal only."""
    for pbx in report.pbxes:
        yield from _pbx(pbx, colours)
    if report.together:
        yield _styled("All PBXs together", _BOLD, colours)
        yield from _findings(report.together, colours)
        yield ""
    yield _styled("This service", _BOLD, colours)
    yield from _findings(report.service, colours)
    yield ""
    yield _verdict(report)


def _pbx(pbx: PbxReport, colours: bool) -> Iterator[str]:
    version = f", Asterisk {plain(pbx.version)}" if pbx.version else ""
    yield _styled(f"PBX {pbx.name} ({pbx.address}{version})", _BOLD, colours)
    for subject in Subject:
        found = [finding for finding in pbx.findings if finding.subject is subject]
        if found:
            yield f"  {subject.value}"
            yield from _findings(found, colours)
    yield ""


def _findings(findings: Sequence[Finding], colours: bool) -> Iterator[str]:
    for severity in _WORST_FIRST:
        for finding in findings:
            if finding.severity is severity:
                yield from _finding(finding, colours)


def _finding(finding: Finding, colours: bool) -> Iterator[str]:
    word = _styled(f"{_WORDS[finding.severity]:<{_WIDTH}}", _COLOURS[finding.severity], colours)
    judged = f" [{finding.judged_by}]" if finding.judged_by else ""
    lost = f" Lost: {finding.lost}." if finding.lost else ""
    yield f"    {word}{_sentence(finding.what)}{lost}{_styled(judged, _DIM, colours)}"
    if finding.change is not None:
        yield f"    {'':<{_WIDTH}}-> {finding.change}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _verdict(report: Report) -> str:
    errors, warnings = report.count(Severity.ERROR), report.count(Severity.WARNING)
    away = [pbx.name for pbx in report.pbxes if not pbx.asked]
    if away:
        return f"Could not ask {', '.join(away)}: the line above says why."
    if not errors + warnings:
        return "All well."
    return (
        f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}. Lines marked -> say what to change; then run this again."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _styled(text: str, style: str, colours: bool) -> str:
    return f"{style}{text}{_END}" if colours and text else text
