"""What the PBX wrote, as typed rows, and what of it could not be read. Values are as written: numbers and names are hostile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

KEPT_PROBLEMS = 100
"""Problems named one by one; the others are counted only: a file in the wrong format has one on each line."""


class CelRow(NamedTuple):
    """One channel event. `at` is in Unix seconds; `linkedid` and the application are those of that moment."""

    type: str
    at: float
    channel: str
    uniqueid: str
    linkedid: str
    number: str
    exten: str
    context: str
    application: str
    data: str
    extra: Mapping[str, Any]
    name: str = ""
    """The caller's."""


class CdrRow(NamedTuple):
    """One detail record: a pair of parties. Times are Unix seconds; `linkedid` is "" where the site does not write it."""

    start: float
    answer: float | None
    end: float
    source: str
    destination: str
    channel: str
    other_channel: str
    application: str
    data: str
    disposition: str
    uniqueid: str
    linkedid: str


class QueueRow(NamedTuple):
    """One line of queue_log; `callid` is the Uniqueid of the caller's channel. Times are whole seconds in most setups."""

    at: float
    callid: str
    queue: str
    agent: str
    event: str
    data: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordProblem:
    """What could not be read and where: a file and its line (counted from 1), or a table."""

    file: str
    line: int | None
    what: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.what}"


@dataclass(slots=True)
class Problems:
    """Collects problems: the first KEPT_PROBLEMS by name, all by number."""

    named: list[RecordProblem] = field(default_factory=list)
    count: int = 0

    @property
    def has_room(self) -> bool:
        return len(self.named) < KEPT_PROBLEMS

    def add(self, problem: RecordProblem) -> None:
        self.count += 1
        if self.has_room:
            self.named.append(problem)


def unix_seconds(value: object, zone: tzinfo | None) -> float | None:
    """A time as Asterisk writes it: `1795314667.291645`, `2026-11-22 02:31:07[.291645]`, or a database's own type; None: no time.

    `zone` is that of times without one, None the machine's own; in the hour that autumn repeats, the first one is meant.
    """
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=zone)).timestamp()
    text = str(value).strip()
    if text.replace(".", "", 1).isdecimal():
        seconds = float(text)
        return seconds if 0 < seconds < 1e11 else None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def birth_of(uniqueid: str) -> tuple[int, int] | None:
    """The Unix second and the number of a Uniqueid (`[system-]seconds.number`); None for an id that was assigned."""
    seconds, _, number = uniqueid.rpartition("-")[2].partition(".")
    if not (seconds.isdecimal() and number.isdecimal() and len(seconds) < 12 and len(number) < 12):
        return None
    return int(seconds), int(number)


def started(uniqueid: str) -> float | None:
    """When the channel of a Uniqueid began, to the second; None where the id does not tell."""
    birth = birth_of(uniqueid)
    return None if birth is None else float(birth[0])
