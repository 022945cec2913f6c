"""Writes the journal of one PBX: `take` is given each item of the stream before anybody acts on it (stop 1b of the walk).

What `take` has written is with the operating system: no kill of this process loses it. It is on the disk half a second later:
that is what a power cut can lose, and what the resync and the audit then make up for. A disk that is full or broken stops no
pop: it is logged once, counted, told in /readyz, and tried again with a new segment.

Times never go back in a journal, however the clock is set: the tracker's times do not either (pipeline.py), and a call that is
replayed must get the times it had.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from config.settings import JournalSettings
from cti_bridge.ami.connection import At, Clock, system_clock
from cti_bridge.ami.stream import Disconnected, Opened, Overflowed, Received, StreamItem
from cti_bridge.journal.erase import erase
from cti_bridge.journal.lines import Fields
from cti_bridge.journal.segments import OpenSegment, remove_old, segments_of, sync_folder
from cti_bridge.journal.traces import Finder
from cti_bridge.kill_points import kill_points

log = structlog.get_logger(__name__)

SYNC_SECONDS: Final = 0.5
NOTE_SECONDS: Final = 2.0
"""A replay begins this much too early at most."""
TIDY_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0
SEGMENT_SECONDS: Final = 3600.0
"""A quiet PBX begins a new file each hour too, so that old ones can go in time."""
ROLL_SECONDS: Final = 2.0
"""How long an erasure waits for the end of an event that is half written; they come whole, but for a break of the link."""
_OVERLONG_BYTES: Final = 1024 * 1024
"""How much longer a segment may get until an event ends with the chunk, so that segments begin where events do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalLimits:
    segment_bytes: int
    max_bytes: int
    max_age: timedelta


def limits_of(settings: JournalSettings, *, pbxes: int) -> JournalLimits:
    """The PBXs share the space evenly."""
    return JournalLimits(
        segment_bytes=settings.segment_megabytes * 1_000_000,
        max_bytes=settings.max_megabytes * 1_000_000 // pbxes,
        max_age=timedelta(days=settings.max_age_days),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """From which moment a replay must begin (None: nothing was seen yet), and the Uniqueids of the calls that it must bring; so
    after `taken` items of the stream. `started`: when the PBX's process began, empty while it is not known.
    """

    since: float | None
    calls: tuple[str, ...]
    taken: int
    started: str = ""


class Journal:
    """One PBX's journal in `folder`. `begin`, then `run` it; `take` is the tap of the events link; `close` at the end.

    `counters`: bytes, chunks, segments (begun), errors (times that writing failed), not_written (bytes then), torn (places found
    damaged by a replay), removed, needed_removed. `trouble` says why nothing is written now, else None.
    """

    def __init__(self, folder: Path, limits: JournalLimits, *, pbx: str, clock: Clock = system_clock) -> None:
        self.folder = folder
        self.trouble: str | None = None
        self.counters: Counter[str] = Counter()
        self._limits = limits
        self._pbx = pbx
        self._clock = clock
        self._needs: Callable[[], Needs] = lambda: Needs(since=None, calls=(), taken=0)
        self._taken = 0
        self._segment: OpenSegment | None = None
        self._needed_since: float | None = None
        self._retired: list[OpenSegment] = []
        self._folder_is_dirty = False
        self._wall = 0.0
        self._lost: float | None = None
        self._conn = 0
        self._ids = ""
        self._missed = 0
        self._ends_event = True
        self._rolls: asyncio.Event | None = None
        self._erasing = asyncio.Lock()

    def begin(self, needs: Callable[[], Needs], *, seen_until: float) -> None:
        """`needs` says what a replay would need now; `seen_until` is the last moment of the journal so far (0: none)."""
        self._needs = needs
        self._wall = seen_until
        self._lost = seen_until or None

    def take(self, item: StreamItem | Overflowed) -> None:
        """Writes it before it goes on. Never raises for a disk."""
        self._wall = max(self._wall, item.at.wall)
        match item:
            case Opened(at=at, asked_at=asked_at, conn=conn, ids=ids):
                self._put(asked_at, conn, {"mark": "connecting"})
                self._conn, self._ids = conn, ids
                self._put(at, conn, {"mark": "open", "ids": ids})
            case Received(at=at, conn=conn, data=data) | Overflowed(at=at, conn=conn, data=data):
                self._put(at, conn, {"len": len(data)}, data)
            case Disconnected(at=at, conn=conn):
                self._put(at, conn, {"mark": "closed"})
                self._conn, self._ids, self._lost = 0, "", self._wall
        self._taken += not isinstance(item, Overflowed)

    async def run(self) -> None:
        """Syncs, notes and tidies up until cancelled."""
        loop = asyncio.get_running_loop()
        noted = tried = loop.time()
        tidied = 0.0
        while True:
            await asyncio.sleep(SYNC_SECONDS)
            await self._sync()
            now = loop.time()
            if now - noted >= NOTE_SECONDS and self.note():
                noted = now
            if now - tidied >= TIDY_SECONDS:
                tidied = now
                await self._tidy()
            if self.trouble is not None and now - tried >= RETRY_SECONDS:
                tried = now
                self._try_again()

    def note(self) -> bool:
        """Writes from where a replay must begin, as it stands now; False where the pipeline is behind, so that nobody knows."""
        note = self._note()
        if self._segment is not None and note["needs"] is not None:
            self._put(self._clock(), self._conn, note)
        return note["needs"] is not None

    async def erase(self, finder: Finder) -> int:
        """Writes a customer over in all that was taken until now, on the disk when it returns; gives how many places.

        Raises OSError.
        """
        async with self._erasing:
            await self._roll()
            written_now = self._segment.path if self._segment is not None else None
            return await asyncio.to_thread(erase, self.folder, finder, but=written_now)

    async def close(self) -> None:
        """The last note, everything on the disk, files closed."""
        self.note()
        self._retire()
        await self._sync()

    async def _roll(self) -> None:
        """Ends the segment that is written now, where an event ends: at once, or with the chunk that brings its end."""
        if self._segment is None:
            return
        if self._ends_event:
            self._retire()
            return
        self._rolls = rolled = self._rolls or asyncio.Event()
        try:
            async with asyncio.timeout(ROLL_SECONDS):
                await rolled.wait()
        except TimeoutError:
            self._retire()  # the PBX went silent within an event

    def _retire(self) -> None:
        if self._segment is not None:
            self._retired.append(self._segment)
            self._segment = None
        if self._rolls is not None:
            self._rolls.set()
            self._rolls = None

    # --- writing

    def _put(self, at: At, conn: int, fields: Fields, data: bytes = b"") -> None:
        if self.trouble is not None:
            self._miss(data)
            return
        try:
            segment = self._segment or self._open(at)
            if data:
                segment.data(data)
                kill_points.reached("journal.write")
            segment.line({"t": round(at.mono, 6), "conn": conn, "wall": self._wall, **fields}, data)
            if data:
                self.counters["bytes"] += len(data)
                self.counters["chunks"] += 1
                self._ends_event = data.endswith(b"\r\n\r\n")
                if self._is_full(segment, at):
                    self._retire()
        except OSError as error:
            self._miss(data)
            self._fail(error)

    def _miss(self, data: bytes) -> None:
        self._missed += len(data)
        self.counters["not_written"] += len(data)

    def _open(self, at: At) -> OpenSegment:
        segment = self._segment = OpenSegment(self.folder, wall=max(self._wall, at.wall), mono=at.mono)
        self._folder_is_dirty = True
        self.counters["segments"] += 1
        missed: Fields = {"missed": self._missed} if self._missed else {}
        segment.line({"t": round(at.mono, 6), "conn": self._conn, "wall": self._wall, **self._note(), **missed})
        self._missed = 0
        return segment

    def _note(self) -> Fields:
        needs = self._needs()
        if needs.taken != self._taken:
            return {"ids": self._ids, "needs": None, "lost": self._lost}
        self._needed_since = needs.since
        started: Fields = {"started": needs.started} if needs.started else {}
        return {"ids": self._ids, "needs": needs.since, "calls": list(needs.calls), "lost": self._lost, **started}

    def _is_full(self, segment: OpenSegment, at: At) -> bool:
        over = segment.size - self._limits.segment_bytes
        due = over >= 0 or at.mono - segment.opened_mono >= SEGMENT_SECONDS or self._rolls is not None
        return due and (self._ends_event or over >= _OVERLONG_BYTES)

    def _fail(self, error: OSError) -> None:
        self.counters["errors"] += 1
        self._retire()
        if self.trouble is None:
            log.error("journal.failed", pbx=self._pbx, folder=str(self.folder), error=error.strerror or str(error))
        self.trouble = f"not written: {error.strerror or error}; pops go on, a crash now would lose calls"

    def _try_again(self) -> None:
        trouble, self.trouble = self.trouble, None
        try:
            self._open(self._clock())
        except OSError as error:
            self.trouble = trouble
            self._fail(error)
        else:
            log.info("journal.recovered", pbx=self._pbx, not_written_bytes=self.counters["not_written"])

    # --- beside the event loop

    async def _sync(self) -> None:
        """A failed sync is not tried again on the same file: what it would say then could not be believed."""
        retired, self._retired = self._retired, []
        current = self._segment if self._segment is not None and self._segment.is_dirty else None
        folder = self.folder if self._folder_is_dirty else None
        self._folder_is_dirty = False
        if not (retired or current or folder):
            return
        try:
            await asyncio.to_thread(_sync_and_close, current, retired, folder)
        except OSError as error:
            self._fail(error)

    async def _tidy(self) -> None:
        limits, needs = self._limits, self._needed_since
        now = datetime.fromtimestamp(self._clock().wall, UTC)

        def tidy() -> None:
            removed = remove_old(
                segments_of(self.folder), needs=needs, now=now, max_age=limits.max_age, max_bytes=limits.max_bytes
            )
            self.counters["removed"] += removed.count
            self.counters["needed_removed"] += removed.needed

        try:
            await asyncio.to_thread(tidy)
        except OSError as error:
            log.warning("journal.not_tidied", pbx=self._pbx, folder=str(self.folder), error=error.strerror or str(error))


def _sync_and_close(current: OpenSegment | None, retired: list[OpenSegment], folder: Path | None) -> None:
    try:
        for segment in retired:
            segment.sync()
        if current is not None:
            current.sync()
        if folder is not None:
            sync_folder(folder)
    finally:
        for segment in retired:
            segment.close()
