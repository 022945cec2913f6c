"""Writes a customer over in the closed segments of a journal, in place, so that every offset stays.

Each segment is done whole or not at all, whatever is killed when: what is to be written goes into a third file beside the pair
(`.erase`, which holds offsets and fillers, nothing of the customer), and is on the disk before a byte of the pair changes. Who
finds a whole one does it again, which changes nothing; who finds half of one drops it: nothing was begun.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path
from typing import Final
from zlib import crc32

import orjson

from cti_bridge.ami.trace import private_file, write_all
from cti_bridge.journal.lines import Line, lines_in, with_crc_of
from cti_bridge.journal.segments import Segment, segments_of, sync_folder
from cti_bridge.journal.traces import Finder, Place, cut_off
from cti_bridge.kill_points import kill_points

_BLANK_LINE: Final = b"\r\n\r\n"
_TURN_BYTES: Final = 256 * 1024
"""Searched at once: some milliseconds, after which the thread of the calls gets its turn."""
_LONGEST_LINE: Final = 4096
"""Far longer than a number or a name can be."""


def erase(folder: Path, finder: Finder, *, but: Path | None = None) -> int:
    """Writes the customer over in every segment but `but` (the one that is written now); gives how many places.

    What a kill cut short is finished first. Raises OSError.
    """
    finish(folder)
    return sum(_erase(segment, finder) for segment in segments_of(folder) if segment.ami != but)


def finish(folder: Path) -> None:
    """Completes an erasure that was cut short, or drops what was not begun. Raises OSError."""
    if not folder.is_dir():
        return
    for plan in folder.glob("*.erase"):
        changes = _read(plan)
        if changes is not None:
            _carry_out(plan, changes)
        plan.unlink(missing_ok=True)


def is_written_now(folder: Path) -> bool:
    """Whether a service has the newest segment open. Raises OSError."""
    segments = segments_of(folder)
    if not segments or not segments[-1].ami.exists():
        return False
    with segments[-1].ami.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changes:
    places: Sequence[Place]
    times: bytes
    """The whole `.ts` as it will be."""


def _erase(segment: Segment, finder: Finder) -> int:
    try:
        changes = _changes(segment, finder)
    except FileNotFoundError:
        return 0  # too old, and removed meanwhile
    if changes is None:
        return 0
    plan = segment.ami.with_suffix(".erase")
    with private_file(plan) as file:
        write_all(file, _written(changes))
        os.fsync(file.fileno())
    sync_folder(plan.parent)
    kill_points.reached("journal.erase")
    _carry_out(plan, changes)
    plan.unlink(missing_ok=True)
    return len(changes.places)


def _changes(segment: Segment, finder: Finder) -> _Changes | None:
    """What is to be changed in the pair; None: nothing."""
    with segment.ami.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return None
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            text = segment.ts.read_bytes()
            found = [place for offset, piece in _pieces(data) for place in finder.places(piece, offset)]
            taken = {place.offset for place in found}
            ends = [place for end in _ends(text) for place in _cut_off(data, end)]
            places = sorted((*found, *(place for place in ends if place.offset not in taken)))
            return _Changes(places=places, times=_times(text, data, places)) if places else None


def _pieces(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """The bytes in pieces of whole events, each with its offset."""
    start = 0
    while start < len(data):
        border = data.find(_BLANK_LINE, start + _TURN_BYTES)
        end = len(data) if border < 0 else border + len(_BLANK_LINE)
        yield start, data[start:end]
        start = end


def _cut_off(data: mmap.mmap, end: int) -> Iterator[Place]:
    start = max(0, end - _LONGEST_LINE)
    return cut_off(data[start:end], start)


def _ends(text: bytes) -> Iterator[int]:
    """Where in the `.ami` a connection ended."""
    conn = 0
    for line in lines_in(text):
        if isinstance(line, Line) and not line.is_note:
            if (conn and line.conn != conn) or line.mark == "closed":
                yield line.off
            conn = line.conn


def _times(text: bytes, data: mmap.mmap, places: Sequence[Place]) -> bytes:
    """The lines with new checksums for the chunks that change; those that were damaged before stay so."""
    out, done, first = bytearray(), 0, 0
    for line in lines_in(text):
        if not isinstance(line, Line) or not line.length:
            continue
        end = line.off + line.length
        while first < len(places) and places[first].offset + len(places[first].filler) <= line.off:
            first += 1
        mine = list(takewhile(lambda place: place.offset < end, islice(places, first, None)))  # noqa: B023 (used at once)
        chunk = data[line.off : end]
        if not mine or not line.is_sound(chunk):
            continue
        stop = text.index(b"}", line.at) + 1
        out += text[done : line.at] + with_crc_of(text[line.at : stop], _filled(chunk, line.off, mine))
        done = stop
    return bytes(out + text[done:])


def _filled(chunk: bytes, offset: int, places: Sequence[Place]) -> bytes:
    """The chunk with the fillers in it; a place may begin before the chunk, or end behind it."""
    filled = bytearray(chunk)
    for place in places:
        start = place.offset - offset
        part = place.filler[max(0, -start) : len(chunk) - start]
        filled[max(0, start) : max(0, start) + len(part)] = part
    return bytes(filled)


def _carry_out(plan: Path, changes: _Changes) -> None:
    """Both files as the plan says, on the disk when it returns; any number of times."""
    try:
        ami = os.open(plan.with_suffix(".ami"), os.O_WRONLY)
    except FileNotFoundError:
        return  # removed meanwhile, with all that it held
    try:
        for place in changes.places:
            os.pwrite(ami, place.filler, place.offset)
        os.fsync(ami)
    finally:
        os.close(ami)
    kill_points.reached("journal.erased")
    new = plan.with_suffix(".new")
    new.unlink(missing_ok=True)
    with private_file(new) as file:
        write_all(file, changes.times)
        os.fsync(file.fileno())
    new.rename(plan.with_suffix(".ts"))
    sync_folder(plan.parent)


def _written(changes: _Changes) -> bytes:
    places = [(place.offset, place.filler.decode("ascii")) for place in changes.places]
    body = orjson.dumps({"places": places, "times": changes.times.decode("latin-1")})
    return b"%010d %b" % (crc32(body), body)


def _read(plan: Path) -> _Changes | None:
    """None: a kill cut it short while it was written."""
    checksum, _, body = plan.read_bytes().partition(b" ")
    if not checksum.isdigit() or int(checksum) != crc32(body):
        return None
    fields = orjson.loads(body)
    places = [Place(offset, filler.encode("ascii")) for offset, filler in fields["places"]]
    return _Changes(places=places, times=fields["times"].encode("latin-1"))
