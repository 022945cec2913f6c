"""A trace: what was read from a PBX, byte for byte, with the times. `record` and the journal write it, `replay` reads it.

Two files: `NAME.ami` holds the raw bytes of all connections, one after the other; `NAME.ts` holds JSON lines:
`{"off", "t", "conn", "len"}` for a chunk and `{"off", "t", "conn", "mark", "wall"}` for what happened to a connection. `t` is
monotonic seconds, `wall` Unix seconds. Both hold callers' numbers and names: they are readable by their owner only.
A segment of the journal is a trace too; its lines tell more (journal/lines.py), and every chunk has its own `wall`.
"""

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, cast, get_args

import orjson

from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Disconnected, Opened, Received, StreamItem

MarkKind = Literal["connecting", "open", "closed", "end"]
_KINDS: Final = frozenset(get_args(MarkKind))
_READ_BYTES: Final = 64 * 1024
_GREETING: Final = re.compile(rb"Asterisk Call Manager/[0-9.]+\r\n(?=Response: )")
"""A connection's beginning. Callers can write lines into a stream, so it only splits traces that have no times of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Bytes read at once. `t` and `wall` are None where the trace has no times."""

    data: bytes
    conn: int
    t: float | None
    wall: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What happened to connection `conn`; after `open` a new decoder is due."""

    kind: MarkKind
    conn: int
    t: float | None
    wall: float | None


class TraceWriter:
    """Writes a trace as it happens: every chunk is with the system when `write` returns, so killing this process loses none.

    Raises FileExistsError rather than writing over a trace, OSError when the disk is full.
    """

    def __init__(self, ami_path: Path, ts_path: Path) -> None:
        self._ami = private_file(ami_path)
        try:
            self._ts = private_file(ts_path)
        except OSError:
            self._ami.close()
            raise
        self._offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def bytes_written(self) -> int:
        return self._offset

    def write(self, item: StreamItem) -> None:
        """Takes the items of `AmiClient.events` as they come."""
        match item:
            case Opened(at=at, conn=conn, asked_at=asked_at):
                self._note(asked_at, conn, mark="connecting")
                self._note(at, conn, mark="open", wall=round(at.wall, 6))
            case Received(at=at, conn=conn, data=data):
                self.chunk(data, at=at, conn=conn)
            case Disconnected(at=at, conn=conn):
                self._note(at, conn, mark="closed")

    def chunk(self, data: bytes, *, at: At, conn: int) -> None:
        """The bytes go first: a crash in between leaves bytes without a time, which the reader can still place."""
        write_all(self._ami, data)
        self._note(at, conn, len=len(data))
        self._offset += len(data)

    def end(self, at: At, *, conn: int) -> None:
        """The recording was ended on purpose."""
        self._note(at, conn, mark="end", wall=round(at.wall, 6))

    def close(self) -> None:
        self._ami.close()
        self._ts.close()

    def _note(self, at: At, conn: int, **fields: str | float) -> None:
        line = {"off": self._offset, "t": round(at.mono, 6), "conn": conn, **fields}
        write_all(self._ts, orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))


def private_file(path: Path) -> io.FileIO:
    """A new file for its owner only; what is written is not buffered here. Raises FileExistsError, OSError."""
    return io.FileIO(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w")


def write_all(file: io.FileIO, data: bytes) -> None:
    """Raises OSError, with a part written perhaps."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def read_trace(ami_path: Path, ts_path: Path | None = None) -> Iterator[Chunk | Mark]:
    """The trace in its order. Torn ends (a crash, a full disk) give what is there; lines of the `.ts` that are not its format
    are passed over. Without `ts_path` the connections are told apart by their greetings and no times are known.

    Raises OSError where a file cannot be read.
    """
    with ami_path.open("rb") as ami:
        if ts_path is None:
            yield from _without_times(ami)
        else:
            with ts_path.open("rb") as ts:
                yield from _with_times(ami, ts)


def _with_times(ami: io.BufferedReader, ts: io.BufferedReader) -> Iterator[Chunk | Mark]:
    clock = _WallClock()
    conn, t = 0, None
    for line in ts:
        entry = _entry(line)
        if entry is None:
            continue
        conn, t = entry.conn, entry.t
        clock.see(entry)
        if entry.kind is not None:
            yield Mark(kind=entry.kind, conn=conn, t=t, wall=clock.at(t))
        elif data := ami.read(entry.length):
            yield Chunk(data=data, conn=conn, t=t, wall=clock.at(t))
    while data := ami.read(_READ_BYTES):
        yield Chunk(data=data, conn=conn, t=t, wall=clock.at(t))


def _without_times(ami: io.BufferedReader) -> Iterator[Chunk | Mark]:
    """Splits at greetings; one that is cut by the reads is found because the undecided end stays in `rest`."""
    conn, rest = 0, b""
    while True:
        data = ami.read(_READ_BYTES)
        rest += data
        start = 0
        for greeting in _GREETING.finditer(rest):
            if greeting.start() > start:
                yield Chunk(data=rest[start : greeting.start()], conn=conn, t=None, wall=None)
            conn += 1
            start = greeting.start()
            yield Mark(kind="open", conn=conn, t=None, wall=None)
            yield Chunk(data=greeting.group(), conn=conn, t=None, wall=None)
            start = greeting.end()
        keep = max(start, len(rest) - 64) if data else len(rest)
        if keep > start:
            yield Chunk(data=rest[start:keep], conn=conn, t=None, wall=None)
        rest = rest[keep:]
        if not data:
            return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    t: float
    conn: int
    length: int
    kind: MarkKind | None
    wall: float | None


def _entry(line: bytes) -> _Entry | None:
    try:
        fields = orjson.loads(line)
        kind = fields.get("mark")
        length = fields.get("len", 0)
        if (kind is not None and kind not in _KINDS) or not 0 <= length <= 1 << 30:
            return None
        return _Entry(
            t=float(fields["t"]),
            conn=int(fields["conn"]),
            length=int(length),
            kind=cast("MarkKind | None", kind),
            wall=fields.get("wall"),
        )
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return None


class _WallClock:
    """Turns monotonic times into Unix times by the last mark that told both."""

    def __init__(self) -> None:
        self._shift: float | None = None

    def see(self, entry: _Entry) -> None:
        if entry.wall is not None:
            self._shift = float(entry.wall) - entry.t

    def at(self, t: float | None) -> float | None:
        return None if t is None or self._shift is None else self._shift + t
