"""Log files that are written to and rotated while they are read: the lines of a stretch of time, without those before it.

A position by time outlives rotation where one by bytes does not: whether a file was renamed or copied and cut, the times in
its lines stay. The files of one log (`NAME`, `NAME.1`, `NAME-20261122` …) are opened together, put in order by their first
line, and in each the beginning is found by bisection. A last line that is only half written is left for the next time.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

PACKED = frozenset({".gz", ".bz2", ".xz", ".zst"})
STEP = 64 * 1024
"""Bisection ends where it would save less than this many bytes."""
PROBES = 9
"""Lines whose times are asked at each step: the middle one counts, so that a forged line among them does not mislead."""
LINE_LIMIT = 1024 * 1024
ASKED_EVERY = 100
"""Of so many lines one is asked whether it is past the end: a row's time costs as much as the row."""
TRIES = 5


class Line(NamedTuple):
    """A line without its end. `offset`: where it begins in `file`, which is None for a line that is only looked at."""

    path: Path
    file: BinaryIO | None
    offset: int
    data: bytes


TimeOf = Callable[[bytes], float | None]
"""The time that a line tells, None where it tells none."""


class RotatedMeanwhile(Exception):
    """The log was rotated while it was read; what was read may lack lines, read it again."""


def lines_between(path: Path, since: float, until: float, time_of: TimeOf) -> Iterator[Line]:
    """The lines from shortly before `since` to shortly after `until`.

    Raises:
        OSError: `path` cannot be opened.
        RotatedMeanwhile: see there.
    """
    with ExitStack() as stack:
        files = sorted(_open_all(path, stack), key=lambda one: _first_time(one[1], time_of))
        newest = next((file for name, file in files if name == path), files[-1][1])
        for name, file in files:
            size = os.fstat(file.fileno()).st_size
            for number, line in enumerate(_lines(name, file, _begin(file, size, since, time_of), whole=file is not newest)):
                yield line
                if number % ASKED_EVERY == 0 and (at := time_of(line.data)) is not None and at > until:
                    break
            if os.fstat(file.fileno()).st_size < size:
                raise RotatedMeanwhile(str(name))


def line_number(line: Line) -> int:
    """Counts the lines before it, from 1: reads the file up to there, so it is asked only of lines that are to be named."""
    assert line.file is not None
    if line.file.closed:  # a reader that looks one line ahead is told of the last line when all lines have been read
        with line.path.open("rb") as again:
            return line_number(line._replace(file=again))
    file, number, left = line.file, 1, line.offset
    position = file.tell()
    file.seek(0)
    while left > 0 and (block := file.read(min(left, LINE_LIMIT))):
        number += block.count(b"\n")
        left -= len(block)
    file.seek(position)
    return number


def files_of(path: Path) -> list[Path]:
    """The rotated files of a log that lie beside it, and itself last; packed ones are not read. Asterisk may have to be told of a
    rename (`logger reload`) before there is a new file.
    """
    rotated = [other for mark in (".", "-") for other in path.parent.glob(f"{_literal(path.name)}{mark}*")]
    found = sorted(other for other in rotated if other.suffix not in PACKED and other.is_file())
    return [*found, path] if path.exists() or not found else found


def _literal(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _open_all(path: Path, stack: ExitStack) -> list[tuple[Path, BinaryIO]]:
    """All files of the log, each once: a rename between listing and opening would hide one or give it twice."""
    for _ in range(TRIES):
        attempt = ExitStack()
        try:
            files: list[tuple[Path, BinaryIO]] = [(name, attempt.enter_context(name.open("rb"))) for name in files_of(path)]
            inodes = [os.fstat(file.fileno()).st_ino for _, file in files]
            if inodes == [name.stat().st_ino for name in files_of(path)]:
                stack.push(attempt)
                return files
        except FileNotFoundError:
            if not files_of(path)[0].exists():
                attempt.close()
                raise
        attempt.close()
    raise RotatedMeanwhile(str(path))


def _first_time(file: BinaryIO, time_of: TimeOf) -> float:
    """When the file begins; one without any time comes last."""
    at = _time_at(file, 0, time_of)
    return float("inf") if at is None else at


def _begin(file: BinaryIO, size: int, since: float, time_of: TimeOf) -> int:
    """An offset at or before the first line of `since`."""
    low, high = 0, size
    while high - low > STEP:
        middle = (low + high) // 2
        at = _time_at(file, middle, time_of)
        if at is not None and at < since:
            low = middle
        else:
            high = middle
    return low


def _time_at(file: BinaryIO, offset: int, time_of: TimeOf) -> float | None:
    """The time at an offset: the middle one of the next lines that tell one."""
    file.seek(offset)
    if offset:
        file.readline(LINE_LIMIT)
    times: list[float] = []
    for _ in range(4 * PROBES):
        data = file.readline(LINE_LIMIT)
        if not data:
            break
        at = time_of(data.rstrip(b"\r\n"))
        if at is not None:
            times.append(at)
            if len(times) == PROBES:
                break
    return sorted(times)[len(times) // 2] if times else None


def _lines(path: Path, file: BinaryIO, offset: int, *, whole: bool) -> Iterator[Line]:
    """`whole`: nothing is added to this file any more, so a last line without an end is a line."""
    file.seek(offset)
    if offset:
        offset += len(file.readline(LINE_LIMIT))
    while data := file.readline(LINE_LIMIT):
        if not data.endswith(b"\n") and not whole and len(data) < LINE_LIMIT:
            return
        yield Line(path, file, offset, data.rstrip(b"\r\n"))
        offset += len(data)
        file.seek(offset)


def first_and_last_lines(path: Path) -> tuple[list[Line], list[Line]]:
    """The beginning (for column names) and the end of the newest file that holds anything, STEP bytes of each at most.

    Raises:
        OSError: it cannot be opened.
    """
    filled = [(name.stat().st_mtime, name) for name in files_of(path) if name.stat().st_size]
    with max(filled, default=(0.0, path))[1].open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        return _some(path, file, 0), _some(path, file, max(0, size - STEP))


def _some(path: Path, file: BinaryIO, offset: int) -> list[Line]:
    out: list[Line] = []
    for line in _lines(path, file, offset, whole=False):
        out.append(line)
        if line.offset >= offset + STEP:
            break
    return out
