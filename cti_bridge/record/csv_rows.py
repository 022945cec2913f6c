"""CSV as Asterisk writes it: quoted fields may hold line ends, so a record may span lines; a damaged one costs only itself.

Callers choose their names and numbers, line ends and quotes among them. Within a field Asterisk doubles each quote, so a line
that was forged inside a field is never a record of its own; a line that is broken (a crash, a full disk) is left out, and
reading goes on with the next.
"""

import csv
from collections.abc import Callable, Iterator

from cti_bridge.record.tail import Line

LINES_LIMIT = 40
"""Lines of one record at most: a caller's number and name have 80 characters each."""
COLUMNS_LEAST = 5
"""No record of Asterisk's has fewer columns; the second line of a forged field may look like one of one column."""

Broken = Callable[[Line, str], None]


def records(lines: Iterator[Line], broken: Broken) -> Iterator[tuple[Line, list[str]]]:
    """Each record with the line that it begins on; what is none goes to `broken`. A last, incomplete record is left out."""
    line = next(lines, None)
    while line is not None:
        parts = [line]
        line = next(lines, None)
        fields = _fields(parts)
        while fields is None and _is_open(parts) and line is not None and line.path == parts[0].path and not _begins(line):
            parts.append(line)
            fields = _fields(parts)
            line = next(lines, None)
        if fields:
            yield parts[0], fields
        elif fields is None and (line is not None or not _is_open(parts)):
            broken(parts[0], "no CSV record: its quotes do not match")
            while line is not None and not line.data.startswith(b'"') and _whole(line) is None:
                line = next(lines, None)  # the rest of it


def _is_open(parts: list[Line]) -> bool:
    return len(parts) < LINES_LIMIT and sum(part.data.count(b'"') for part in parts) % 2 == 1


def _begins(line: Line) -> bool:
    """True for a line that is a whole record by itself: within a field every quote is doubled."""
    return line.data.startswith(b'"') and _whole(line) is not None


def _whole(line: Line) -> list[str] | None:
    fields = _fields([line])
    return fields if fields is not None and len(fields) >= COLUMNS_LEAST else None


def _fields(parts: list[Line]) -> list[str] | None:
    """The fields; [] for an empty line, None for what is no record."""
    data = parts[0].data if len(parts) == 1 else b"\r\n".join(part.data for part in parts)
    text = data.decode("utf-8", errors="replace")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error:
        return None
    return rows[0] if rows else []
