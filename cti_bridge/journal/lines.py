"""The lines of a journal's `.ts` files: those of a trace (ami/trace.py), each with a checksum, and the notes.

A line's `crc` is the CRC-32 of the line without it, and of the bytes that the line tells of: a flipped bit in either shows, and
costs that chunk alone, because every line names its own offset. Further keys than a trace has: `wall` (Unix seconds; never goes
back, see writer.py) on each line, `ids` (what the ActionIDs of this connection begin with, so that a reader believes the same
answers as the service did), and on a note `needs`, `calls`, `lost` and `started`. Programs that read traces pass over what they
do not know.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

import orjson

_LINE: Final = re.compile(rb"\{[^{}\n]*\}")
"""Found anywhere, not only behind a line's end: a damaged line end then costs nothing."""


class Line(NamedTuple):
    """One line. `length` bytes of `.ami` at `off` came on connection `conn` (0: none is up) at `wall` and `mono` seconds; or a
    `mark` of a connection; or a note: `needs` is the moment from which a replay must begin.

    A named tuple because a replay makes hundreds of thousands: a quarter of a frozen dataclass's cost.
    """

    at: int
    """Where the line is in its file."""
    crc: int
    body_crc: int
    off: int
    mono: float
    conn: int
    wall: float
    length: int = 0
    mark: str | None = None
    ids: str = ""
    is_note: bool = False
    needs: float | None = None
    calls: frozenset[str] = frozenset()
    """The Uniqueids of the calls that a replay must bring: those that go on, and those that are not stored."""
    lost: float | None = None
    """When the PBX was last lost sight of."""
    started: str = ""
    """When the PBX's process began, in its own words; empty where it was not known."""
    missed: int = 0
    """Bytes that came before this note and could not be written."""

    def is_sound(self, data: bytes) -> bool:
        """Whether the line and the bytes it tells of are what was written."""
        return len(data) == self.length and crc32(data, self.body_crc) == self.crc


Fields = dict[str, str | int | float | list[str] | None]


def encoded(fields: Fields, data: bytes = b"") -> bytes:
    """The line for these fields, and for the bytes of a chunk."""
    body = b"{" + orjson.dumps(fields)[1:-1].replace(b"{", rb"\u007b").replace(b"}", rb"\u007d")
    return b'%b,"crc":%d}\n' % (body, crc32(data, crc32(body)))


def with_crc_of(line: bytes, data: bytes) -> bytes:
    """The same line for other bytes of the same length; `line` goes from its first brace to its last."""
    body, _, _ = line.rpartition(b',"crc":')
    return b'%b,"crc":%d}' % (body, crc32(data, crc32(body)))


def lines_in(text: bytes) -> Iterator[Line | int]:
    """The lines of a whole file, in order; for what is no line, where it begins. What they say is not checked yet."""
    end = 0
    for found in _LINE.finditer(text):
        if text[end : found.start()].strip(b"\n"):
            yield end
        end = found.end()
        line = _line(found.group(), found.start())
        yield found.start() if line is None else line
    if text[end:].strip(b"\n"):
        yield end


def _line(raw: bytes, at: int) -> Line | None:
    body, _, crc = raw[:-1].rpartition(b',"crc":')
    try:
        checked = int(crc)
        fields = orjson.loads(raw)
        off, mono, conn, wall = int(fields["off"]), float(fields["t"]), int(fields["conn"]), float(fields["wall"])
        if (length := fields.get("len")) is not None:
            return Line(at, checked, crc32(body), off, mono, conn, wall, int(length))
        return Line(
            at,
            checked,
            crc32(body),
            off,
            mono,
            conn,
            wall,
            mark=fields.get("mark"),
            ids=fields.get("ids", ""),
            is_note="needs" in fields,
            needs=fields.get("needs"),
            calls=frozenset(fields.get("calls", ())),
            lost=fields.get("lost"),
            started=fields.get("started", ""),
            missed=fields.get("missed", 0),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
