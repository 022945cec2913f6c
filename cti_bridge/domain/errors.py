"""Every error that a caller is expected to handle.

CtiError
├── ConfigError          settings or a rules file are wrong; carries every problem at once
├── AmiError
│   ├── AmiProtocolError  the PBX's bytes break the protocol
│   ├── AmiRefused        the PBX answered `Response: Error`
│   ├── AmiTimeout        no answer in time; the action may or may not have been done
│   └── AmiDisconnected   the link is down
├── StorageError         the store is away, locked or full
├── ExternalFailed       another system gave no answer that could be read
├── RecordUnreadable     no source of the PBX's own record could be read
└── WireError            a browser's message is wrong; carries the problem type, and a close code where it ends the link
"""

from dataclasses import dataclass


class CtiError(Exception):
    """The root of this project's errors; the text says what, where and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in a file: where it is (`file:line` or a settings path), what is wrong, and how to mend it."""

    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(CtiError):
    """Settings or rules are wrong; `problems` holds all of them, so that one run mends the whole file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class AmiError(CtiError):
    """Something between us and the PBX's manager interface."""


class AmiProtocolError(AmiError):
    """The PBX sent what the protocol does not allow; the link must be made anew."""


class AmiRefused(AmiError):
    """The PBX answered `Response: Error`; the text is its `Message`."""


class AmiTimeout(AmiError):
    """No answer within the deadline; whether the action was done is unknown, so it is never repeated."""


class AmiDisconnected(AmiError):
    """The link to the PBX is down; nothing was sent."""


class StorageError(CtiError):
    """The store did not take or give the record; the text says why and whether it is tried again."""


class ExternalFailed(CtiError):
    """Another system was asked for a caller and did not answer as it should; the text says why and names no number."""


class RecordUnreadable(CtiError):
    """Nothing of the PBX's own record (CEL, queue_log, CDR) could be read; the text says for each source why."""


class WireError(CtiError):
    """A browser sent something wrong; `kind` is the stable problem type, `close_code` ends the link where set."""

    def __init__(self, kind: str, detail: str, *, close_code: int | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.close_code = close_code
