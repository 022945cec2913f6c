"""queue_log into rows: the file, or a table of queue_log_realtime with its data in one column or in five (Asterisk 22).

The file has no quoting, and ENTERQUEUE holds the caller's number as it came: one with `|` in it makes further fields, one
with a line end makes further lines, which may look like any line (AMI.md, finding 1). Such lines are not believed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any, Final

from cti_bridge.record.columns import WrongColumns, column_text
from cti_bridge.record.rows import QueueRow, unix_seconds
from cti_bridge.record.tail import Line

NEEDED: Final = ("time", "callid", "queuename", "agent", "event")
NAMES: Final = {"queue": "queuename", "verb": "event"}
NUMBER_LIMIT: Final = 80
"""Bytes of a caller's number from SIP (res_pjsip), so of all lines that one can forge together."""
_COLUMNS: Final = {name: position for position, name in enumerate(NEEDED)}

Broken = Callable[[Line, str], None]


def queue_rows(lines: Iterator[Line], broken: Broken) -> Iterator[tuple[Line, QueueRow]]:
    """The rows of the file; what is none, and what a caller forged, goes to `broken`."""
    line = next(lines, None)
    while line is not None:
        if not line.data:
            line = next(lines, None)
            continue
        try:
            row = _row_of(line.data.decode("utf-8", errors="replace"))
        except WrongColumns as wrong:
            broken(line, str(wrong))
            line = next(lines, None)
            continue
        if row.event == "ENTERQUEUE" and len(row.data) < 3:
            broken(line, "a caller's number with a line end in it")
            line = _after_forged(line, lines, broken)
            continue
        yield line, row
        line = next(lines, None)


def _after_forged(line: Line, lines: Iterator[Line], broken: Broken) -> Line | None:
    """The first line that the number of `line` cannot have made: it holds no more than NUMBER_LIMIT bytes."""
    size = len(line.data.rpartition(b"|")[2])
    while (following := next(lines, None)) is not None:
        size += 1 + len(following.data.rpartition(b"|")[0])
        if size > NUMBER_LIMIT:
            return following
        broken(following, "may be forged by a caller's number: not believed")
    return None


def _row_of(text: str) -> QueueRow:
    fields = text.split("|")
    if len(fields) < len(NEEDED) or not fields[0].isdecimal():
        raise WrongColumns("no line of queue_log: time|call|queue|agent|event expected")
    row = queue_row(fields, _COLUMNS, UTC)
    return row._replace(data=tuple(fields[len(NEEDED) :]))


def queue_row(fields: Sequence[Any], columns: Mapping[str, int], zone: tzinfo | None) -> QueueRow:
    """
    Raises:
        WrongColumns: no time, or too few columns.
    """
    text = column_text(fields, columns, NEEDED)
    at = unix_seconds(fields[columns["time"]], zone)
    if at is None:
        raise WrongColumns("no time where it should be")
    parts = [text(f"data{number}") for number in range(1, 6)] if "data1" in columns else text("data").split("|")
    return QueueRow(
        at=at,
        callid=text("callid"),
        queue=text("queuename"),
        agent=text("agent"),
        event=text("event").upper(),
        data=tuple(parts[: max((number for number, part in enumerate(parts, 1) if part), default=0)]),
    )


def line_time(data: bytes) -> float | None:
    """The time that a line of the file begins with."""
    seconds = data.partition(b"|")[0]
    return float(seconds) if seconds.isdigit() and len(seconds) < 12 else None
