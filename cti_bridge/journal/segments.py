"""The journal's files on disk: one pair (`.ami`, `.ts`) a segment, named by the moment it begins, oldest first by name.

They hold numbers and names of callers: readable by their owner only, removed when they are too old or too many.
"""

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

import structlog

from cti_bridge.ami.trace import private_file, write_all
from cti_bridge.journal.lines import Fields, encoded

log = structlog.get_logger(__name__)

_NAME: Final = "%Y%m%dT%H%M%S.%f"
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One pair of files; `begins` is from its name, `size` in bytes of both."""

    ami: Path
    ts: Path
    begins: datetime
    size: int


def segments_of(folder: Path) -> list[Segment]:
    """The segments of one PBX, oldest first; nothing where the folder is not there yet. Raises OSError."""
    if not folder.is_dir():
        return []
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    names = sorted({name.rpartition(".")[0] for name in sizes if name.endswith((".ami", ".ts"))})
    return [
        Segment(
            ami=folder / f"{name}.ami",
            ts=folder / f"{name}.ts",
            begins=begins,
            size=sizes.get(f"{name}.ami", 0) + sizes.get(f"{name}.ts", 0),
        )
        for name in names
        if (begins := _begins(name)) is not None
    ]


def _begins(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, f"{_NAME}Z").replace(tzinfo=UTC)
    except ValueError:
        return None  # somebody else's file


class OpenSegment:
    """The segment that is written now: what `chunk` and `line` were given is with the system when they return, so that the death
    of this process loses none of it. Raises OSError, also from its methods.
    """

    def __init__(self, folder: Path, *, wall: float, mono: float) -> None:
        for needed in (folder.parent, folder):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        begins = datetime.fromtimestamp(wall, UTC)
        if (others := segments_of(folder)) and begins <= others[-1].begins:
            begins = others[-1].begins + _TICK  # two within one tick, or the clock was set back: the names keep the order
        name = f"{begins.strftime(_NAME)}Z"
        self.path = folder / f"{name}.ami"
        self.opened_mono = mono
        self.size = 0
        self.is_dirty = True
        self._ami = private_file(self.path)
        with suppress(OSError):  # a file system without locks: an erasure by command cannot know then that it is written now
            fcntl.flock(self._ami, fcntl.LOCK_SH)
        try:
            self._ts = private_file(self.path.with_suffix(".ts"))
        except OSError:
            self._ami.close()
            raise

    def data(self, data: bytes) -> None:
        """A chunk's bytes; its line follows."""
        self.is_dirty = True
        write_all(self._ami, data)

    def line(self, fields: Fields, data: bytes = b"") -> None:
        """The line of a mark, of a note, or of the chunk `data` that was just written."""
        self.is_dirty = True
        write_all(self._ts, encoded({"off": self.size, **fields}, data))
        self.size += len(data)

    def sync(self) -> None:
        """Waits for the disk, in a thread of its own."""
        self.is_dirty = False
        os.fdatasync(self._ami.fileno())
        os.fdatasync(self._ts.fileno())

    def close(self) -> None:
        self._ami.close()
        self._ts.close()


def sync_folder(folder: Path) -> None:
    """Makes the names of new files last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Segments that were removed; `needed` of them held what a replay would begin with."""

    count: int
    needed: int


def remove_old(segments: Sequence[Segment], *, needs: float | None, now: datetime, max_age: timedelta, max_bytes: int) -> Removed:
    """Removes what is too old or too much, oldest first; never the newest, and nothing that a replay from `needs` reads unless
    the size forces it. Raises OSError.
    """
    total = sum(segment.size for segment in segments)
    count = forced = 0
    for segment, following in pairwise(segments):
        is_needed = needs is not None and following.begins + _TICK >= datetime.fromtimestamp(needs, UTC)
        is_too_much = total > max_bytes
        is_too_old = now - following.begins > max_age
        if not (is_too_much or (is_too_old and not is_needed)):
            continue
        segment.ami.unlink(missing_ok=True)
        segment.ts.unlink(missing_ok=True)
        total -= segment.size
        count += 1
        if is_needed:
            forced += 1
            log.error("journal.needed_removed", file=segment.ami.name, why="max_megabytes is too small for what is not stored")
    return Removed(count=count, needed=forced)
