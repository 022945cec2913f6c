"""Reads a journal back: from the moment that its last note names, in order, as the items that `Journal.take` was given.

Whatever a crash or a bad disk did to the files, reading goes on: a chunk that is not what was written is left out and told as
`Torn`, and so is a file's torn end. Nothing is ever written over but by an erasure (erase.py): each start begins a new segment.
"""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

from cti_bridge.ami.codec import MAX_EVENT_BYTES
from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Disconnected, Opened, Received, StreamItem
from cti_bridge.journal.lines import Line, lines_in
from cti_bridge.journal.segments import Segment, segments_of

_BLANK_LINE: Final = b"\r\n\r\n"
_HEAD_BYTES: Final = 4096
"""Enough for a segment's first lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """`length` bytes at `offset` of `file` are not what was written, or not there: what they said is lost. 0: only a line that
    told no bytes, or what stands between two lines.
    """

    file: Path
    offset: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """The last note was written here: of what came until here, these calls matter (by Uniqueid of their first channel), and what
    belongs to them was seen from its beginning. Whatever else came up is over and stored, or was seen by half.
    `started`: when the PBX's process began, in its own words; empty where it was not known.
    """

    calls: frozenset[str]
    started: str = ""


JournalItem = StreamItem | Torn | Noted


@dataclass(slots=True, kw_only=True)
class Tail:
    """The end of a journal, from where a replay must begin. Read `items` once.

    `lost`: when the PBX had last been lost sight of before that, None where never. `is_whole`: it begins where the journal began,
    before the PBX was ever heard, so nothing in it was half over.
    """

    lost: float | None
    items: Iterator[JournalItem]
    is_whole: bool = False


def tail_of(folder: Path, *, needs: float | None = None) -> Tail | None:
    """What a replay reads: from the last note's moment, or from `needs` on; None where there is no journal yet.

    Without a single good note it is everything. Raises OSError.
    """
    segments = segments_of(folder)
    if not segments:
        return None
    noted: _Place | None = None
    if needs is None and (found := _last_note(segments)) is not None:
        noted, needs = found
    if needs is None:
        return Tail(lost=None, items=_Walk(None).through(segments), is_whole=_is_the_first(segments[0]))
    walk = _Walk(noted)
    first = _first_segment(segments, needs, until=noted[0] if noted else len(segments) - 1)
    begun = _skipped(walk, walk.through(segments, first), needs)
    return Tail(lost=walk.lost, items=begun)


_Place = tuple[int, int]
"""A line: the number of its segment, and where it is in the file."""


def _last_note(segments: Sequence[Segment]) -> tuple[_Place, float] | None:
    """Where the last note is, and the moment it names."""
    for index in range(len(segments) - 1, -1, -1):
        place: tuple[_Place, float] | None = None
        for line in lines_in(_contents(segments[index].ts)):
            if isinstance(line, Line) and line.needs is not None and line.is_sound(b""):
                place = (index, line.at), line.needs
        if place is not None:
            return place
    return None


def _first_segment(segments: Sequence[Segment], needs: float, *, until: int) -> int:
    """The segment in which the moment lies: the last one that begins before it."""
    for index in range(until, 0, -1):
        first = next((line for line in lines_in(_contents(segments[index].ts, _HEAD_BYTES)) if isinstance(line, Line)), None)
        if first is not None and first.wall < needs:
            return index
    return 0


def _is_the_first(segment: Segment) -> bool:
    """Whether nothing was heard before: no connection stands, none was lost, nothing is needed."""
    first = next(iter(lines_in(_contents(segment.ts, _HEAD_BYTES))), None)
    return (
        isinstance(first, Line)
        and first.is_sound(b"")
        and first.is_note
        and (first.conn, first.needs, first.lost) == (0, None, None)
    )


def _contents(path: Path, most: int = -1) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError:
        return b""  # told as torn: a bad disk, or half of a segment from a start or a removal that was cut short


@dataclass(slots=True)
class _Walk:
    """The way through the segments, and what is known by then: which connection is up, when the PBX was last lost sight of."""

    noted: _Place | None
    lost: float | None = None
    conn: int = 0
    ids: str = ""
    at: At = field(default_factory=lambda: At(wall=0.0, mono=0.0))

    def through(self, segments: Sequence[Segment], first: int = 0) -> Iterator[JournalItem]:
        for index in range(first, len(segments)):
            yield from self._segment(segments[index], index)

    def _segment(self, segment: Segment, index: int) -> Iterator[JournalItem]:
        end = 0  # of what was read of the bytes
        broken: int | None = None  # where the first line is that was left out since the last good one
        with _opened(segment.ami) as ami:
            size = ami.seek(0, os.SEEK_END)
            for line in lines_in(_contents(segment.ts)):
                if isinstance(line, int) or not line.is_sound(data := _read(ami, line, size)):
                    at = line if isinstance(line, int) else line.at
                    broken = at if broken is None else broken
                    continue
                if line.off > end:
                    yield Torn(file=segment.ami, offset=end, length=line.off - end)
                elif broken is not None:
                    yield Torn(file=segment.ts, offset=broken, length=0)
                end, broken = line.off + line.length, None
                if line.length and line.conn == self.conn:
                    self.at = At(wall=line.wall, mono=line.mono)
                    yield Received(at=self.at, conn=line.conn, data=data, news=())
                    continue
                yield from self._items(line, data)
                if line.missed:
                    yield Torn(file=segment.ami, offset=line.off, length=line.missed)
                if (index, line.at) == self.noted:
                    yield Noted(calls=line.calls, started=line.started)
        if size > end:
            yield Torn(file=segment.ami, offset=end, length=size - end)
        elif broken is not None:
            yield Torn(file=segment.ts, offset=broken, length=0)

    def _items(self, line: Line, data: bytes) -> Iterator[StreamItem]:
        at = At(wall=line.wall, mono=line.mono)
        if line.is_note and self.lost is None:
            self.lost = line.lost
        if line.mark == "closed":
            yield from self._closed(at)
        elif line.mark == "open":
            yield from self._closed(self.at)  # the service was killed, and could not say so
            yield self._opened(line, at)
        elif line.mark is None and line.conn != self.conn:
            yield from self._closed(self.at)
            if line.conn:
                yield self._opened(line, at)  # reading begins in mid-connection, or its mark is torn
        self.at = at
        if data:
            yield Received(at=at, conn=line.conn, data=data, news=())

    def _opened(self, line: Line, at: At) -> Opened:
        self.conn, self.ids = line.conn, line.ids
        return Opened(at=at, asked_at=at, conn=line.conn, ids=line.ids)

    def _closed(self, at: At) -> Iterator[Disconnected]:
        if self.conn:
            conn, self.conn, self.lost = self.conn, 0, at.wall
            yield Disconnected(at=at, conn=conn, reason="as the journal says")


def _read(ami: BinaryIO, line: Line, size: int) -> bytes:
    if not line.length or line.off + line.length > size:
        return b""
    try:
        ami.seek(line.off)
        return ami.read(line.length)
    except OSError:
        return b""  # a bad disk: told as torn


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError:
        return io.BytesIO()  # as in _contents


def _skipped(walk: _Walk, items: Iterator[JournalItem], needs: float) -> Iterator[JournalItem]:
    """Goes on to the chunk of that moment, at once; gives it with the head of the event that it completes, and what follows."""
    rest = b""
    torn: Torn | None = None
    noted: tuple[Noted, ...] = ()
    for item in items:
        match item:
            case Received(at=at, data=data) if at.wall >= needs:
                opened = Opened(at=at, asked_at=at, conn=walk.conn, ids=walk.ids)
                chunk = Received(at=at, conn=walk.conn, data=rest + data, news=())
                return chain(noted, (opened,), (torn,) if torn else (), (chunk,), items)
            case Received(data=data):
                _, border, last = (rest + data).rpartition(_BLANK_LINE)
                torn = None if border else torn
                rest = b"" if torn else last[-MAX_EVENT_BYTES:]
            case Torn(length=length) if length:
                torn, rest = item, b""
            case Opened() | Disconnected():
                torn, rest = None, b""
            case Noted():
                noted = (item,)
            case Torn():
                pass
    return iter(noted)
