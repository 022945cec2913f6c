"""What the doctor found: one fact each, with what it costs and the line that mends it.

Comes in: texts, some of which the PBX said. Goes out: frozen findings whose texts can be printed: what AMI says is hostile (a
queue member's name can hold an escape sequence that repaints the terminal), so every text is made plain when a finding is made.
"""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final

MAX_TEXT: Final = 600
"""Characters of one text; the longest of our own sentences has about 300."""


class Severity(StrEnum):
    """ERROR: something does not work. WARNING: it works, not well or not safely. OK: as it should be; a `change` is advice."""

    ERROR = "error"
    WARNING = "warning"
    OK = "ok"


class Subject(StrEnum):
    """The groups of the report, in its order."""

    CONNECTION = "Connection"
    RIGHTS = "Rights"
    EVENTS = "Events"
    VERSION = "Version"
    QUEUES = "Queues"
    DIALPLAN = "Dialplan"
    RECORD = "The PBX's own record"
    CLOCK = "Clock"
    SERVICE = "This service"


def plain(text: str) -> str:
    """The text without what moves a cursor, breaks a line or turns the direction of writing; at most MAX_TEXT long."""
    kept = "".join(character if character.isprintable() else "?" for character in text[: MAX_TEXT + 1])
    return kept if len(kept) <= MAX_TEXT else kept[: MAX_TEXT - 1] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The very line to write: in which file (Asterisk's, or ours), under which section (empty: none)."""

    file: str
    line: str
    section: str = ""

    def __post_init__(self) -> None:
        _make_plain(self)

    def __str__(self) -> str:
        return f"{self.file}{f' [{self.section}]' if self.section else ''}: {self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fact. `code` is stable, for programs; `lost`: what does not work because of it; `judged_by`: how it is known, where
    that is not plain."""

    severity: Severity
    subject: Subject
    code: str
    what: str
    lost: str = ""
    change: Change | None = None
    judged_by: str = ""

    def __post_init__(self) -> None:
        _make_plain(self)

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        change = self.change
        return {
            "severity": self.severity.value,
            "subject": self.subject.value,
            "code": self.code,
            "what": self.what,
            "lost": self.lost,
            "change": {"file": change.file, "section": change.section, "line": change.line} if change else None,
            "judged_by": self.judged_by,
        }


def _make_plain(value: Change | Finding) -> None:
    for field in fields(value):
        text = getattr(value, field.name)
        if type(text) is str:
            object.__setattr__(value, field.name, plain(text))


def error(
    subject: Subject, code: str, what: str, *, lost: str = "", change: Change | None = None, judged_by: str = ""
) -> Finding:
    return Finding(severity=Severity.ERROR, subject=subject, code=code, what=what, lost=lost, change=change, judged_by=judged_by)


def warning(
    subject: Subject, code: str, what: str, *, lost: str = "", change: Change | None = None, judged_by: str = ""
) -> Finding:
    return Finding(
        severity=Severity.WARNING, subject=subject, code=code, what=what, lost=lost, change=change, judged_by=judged_by
    )


def fine(subject: Subject, code: str, what: str, *, lost: str = "", change: Change | None = None, judged_by: str = "") -> Finding:
    """All well; with `lost` or `change` it is worth knowing."""
    return Finding(severity=Severity.OK, subject=subject, code=code, what=what, lost=lost, change=change, judged_by=judged_by)
