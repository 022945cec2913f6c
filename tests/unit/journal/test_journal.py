"""The journal on disk: what was taken comes back, whatever happened to the files."""

import errno
import stat
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from cti_bridge.ami.stream import Overflowed, Received
from cti_bridge.ami.trace import Chunk, read_trace
from cti_bridge.journal.reader import Noted, tail_of
from cti_bridge.journal.segments import OpenSegment, remove_old, segments_of
from cti_bridge.journal.writer import JournalLimits, Needs
from tests.support.journals import (
    IDS,
    T0,
    a_journal,
    at,
    chunks,
    closed,
    opened,
    read,
    received,
    told,
    torn,
    written,
)


async def test_what_was_taken_comes_back_with_its_times(tmp_path: Path):
    items = [opened(0), received(1), received(2, b"Event: B"), closed(3), opened(4, 2), received(5, conn=2)]

    await written(tmp_path / "main", *items)

    assert [told(item) for item in read(tmp_path / "main")] == [told(item) for item in items]


async def test_only_the_owner_may_read_it(tmp_path: Path):
    await written(tmp_path / "journal" / "main", opened(0), received(1))

    folders = [tmp_path / "journal", tmp_path / "journal" / "main"]
    files = list(folders[1].iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in folders] == [0o700, 0o700]


async def test_a_segment_is_a_trace_that_replay_reads(tmp_path: Path):
    await written(tmp_path, opened(0), received(1, b"Event: A\r\n"), received(2.5, b"\r\n"), needs=T0)
    (segment,) = segments_of(tmp_path)

    read_back = [item for item in read_trace(segment.ami, segment.ts) if isinstance(item, Chunk)]

    assert [(item.data, item.wall) for item in read_back] == [(b"Event: A\r\n", T0 + 1), (b"\r\n", T0 + 2.5)]


async def test_a_line_has_the_public_keys_and_its_checksum(tmp_path: Path):
    await written(tmp_path, opened(0), received(1, b"abc"), needs=T0)
    (segment,) = segments_of(tmp_path)

    lines = [orjson.loads(line) for line in segment.ts.read_bytes().splitlines()]

    assert all(isinstance(line.pop("crc"), int) for line in lines)
    assert lines == [
        {"off": 0, "t": 100.0, "conn": 0, "wall": T0, "ids": "", "needs": T0, "calls": ["1.1"], "lost": None},
        {"off": 0, "t": 100.0, "conn": 1, "wall": T0, "mark": "connecting"},
        {"off": 0, "t": 100.0, "conn": 1, "wall": T0, "mark": "open", "ids": IDS},
        {"off": 0, "t": 101.0, "conn": 1, "wall": T0 + 1, "len": 3},
        {"off": 3, "t": lines[-1]["t"], "conn": 1, "wall": T0 + 1, "ids": IDS, "needs": T0, "calls": ["1.1"], "lost": None},
    ]


async def test_a_note_names_the_process_of_the_pbx(tmp_path: Path):
    journal = a_journal(tmp_path)
    journal.begin(lambda: Needs(since=T0, calls=(), taken=1, started="2026-11-22 08:00:00"), seen_until=0.0)
    journal.take(opened(0))
    await journal.close()

    assert Noted(calls=frozenset(), started="2026-11-22 08:00:00") in read(tmp_path)


async def test_a_kill_loses_nothing_of_what_was_taken(tmp_path: Path):
    """No close, no flush: what `take` wrote is the system's."""
    journal = a_journal(tmp_path)
    for item in (opened(0), received(1), received(2)):
        journal.take(item)

    assert len(chunks(read(tmp_path))) == 2
    await journal.close()


async def test_times_never_go_back_though_the_clock_does(tmp_path: Path):
    await written(tmp_path, opened(0), received(10), received(11, clock_off_by=-3600), received(12))

    walls = [item.at.wall - T0 for item in read(tmp_path) if isinstance(item, Received)]
    assert walls == [10, 10, 12]


async def test_who_is_behind_writes_no_note_and_the_one_before_counts(tmp_path: Path):
    journal, taken = a_journal(tmp_path), [0]
    journal.begin(lambda: Needs(since=T0 + 2, calls=(), taken=taken[0]), seen_until=0.0)
    for item in (opened(0), received(1), received(2)):
        journal.take(item)
        taken[0] += 1
    up_to_date = journal.note()
    journal.take(received(3))
    behind = journal.note()
    await journal.close()

    assert (up_to_date, behind) == (True, False)
    assert [type(item).__name__ for item in read(tmp_path)] == ["Opened", "Received", "Noted", "Received"]


async def test_bytes_of_an_overflow_are_kept_though_nobody_took_them(tmp_path: Path):
    await written(tmp_path, opened(0), received(1), Overflowed(at=at(2), conn=1, data=b"lost on purpose"), closed(2))

    assert chunks(read(tmp_path)) == [b"Event: A\r\n\r\n", b"lost on purpose"]


async def test_a_channels_strange_name_breaks_no_line(tmp_path: Path):
    journal = a_journal(tmp_path)
    journal.begin(lambda: Needs(since=T0, calls=('}{"x\n',), taken=0), seen_until=0.0)
    journal.take(opened(0))
    await journal.close()

    assert Noted(calls=frozenset({'}{"x\n'})) in read(tmp_path)


async def test_a_journal_is_whole_until_there_is_a_note_or_another_start(tmp_path: Path):
    def is_whole() -> bool:
        tail = tail_of(tmp_path)
        return tail is not None and tail.is_whole

    journal, taken = a_journal(tmp_path), [0]
    journal.begin(lambda: Needs(since=T0 if taken[0] else None, calls=(), taken=taken[0]), seen_until=0.0)
    journal.take(opened(0))
    before_any_note = is_whole()
    taken[0] = 1
    journal.note()
    after_it = is_whole()
    await journal.close()
    for segment in segments_of(tmp_path):
        segment.ts.unlink()
        segment.ami.unlink()
    later = a_journal(tmp_path)
    later.begin(lambda: Needs(since=None, calls=(), taken=9), seen_until=T0)
    later.take(opened(1))
    of_a_later_start = is_whole()
    await later.close()

    assert (before_any_note, after_it, of_a_later_start) == (True, False, False)


# --- segments


async def test_segments_begin_where_events_do_and_read_as_one(tmp_path: Path):
    small = JournalLimits(segment_bytes=30, max_bytes=1 << 30, max_age=timedelta(days=7))
    pieces = [b"Event: A\r\n\r\n" * 3, b"Event: B", b"B\r\n\r\n", b"Event: C" * 4, b"\r\n\r\n", b"Event: D\r\n\r\n"]
    items = [opened(0), *(received(n, piece) for n, piece in enumerate(pieces))]

    await written(tmp_path, *items, limits=small)

    assert [segment.ami.read_bytes() for segment in segments_of(tmp_path)] == [
        pieces[0],
        b"".join(pieces[1:5]),
        pieces[5],
    ]
    assert [told(item) for item in read(tmp_path)] == [told(item) for item in items]


async def test_a_quiet_pbx_begins_a_new_segment_each_hour(tmp_path: Path):
    await written(tmp_path, opened(0), received(1), received(3700), received(3701))

    assert [segment.ami.stat().st_size for segment in segments_of(tmp_path)] == [24, 12]


async def test_names_keep_the_order_when_the_clock_is_set_back(tmp_path: Path):
    await written(tmp_path, opened(0), received(1))
    for _ in range(2):
        segment = OpenSegment(tmp_path, wall=T0 - 3600, mono=0.0)
        segment.close()

    begins = [segment.begins for segment in segments_of(tmp_path)]
    assert begins == sorted(set(begins))
    assert segment.path == segments_of(tmp_path)[-1].ami


async def test_a_killed_service_is_a_lost_link(tmp_path: Path):
    await written(tmp_path, opened(0), received(1))
    await written(tmp_path, opened(60), received(61))

    items = read(tmp_path)
    assert [(told(item)[0], item.at.wall - T0) for item in items] == [
        ("opened", 0),
        ("received", 1),
        ("closed", 1),
        ("opened", 60),
        ("received", 61),
    ]


# --- where a replay begins


async def test_a_replay_begins_with_the_chunk_that_the_last_note_names_and_with_its_whole_event(tmp_path: Path):
    items = [opened(0), received(1), received(2, b"Event: B\r\n\r\nEvent: C"), received(3, b"\r\nX: 1"), received(4, b"\r\n\r\n")]
    await written(tmp_path, *items, received(5), needs=T0 + 4)

    begins = read(tmp_path)

    assert [told(item)[0] for item in begins] == ["opened", "received", "received", Noted(calls=frozenset({"1.1"}))]
    assert chunks(begins) == [b"Event: C\r\nX: 1\r\n\r\n", b"Event: A\r\n\r\n"]


async def test_a_replay_begins_segments_ago_where_it_must(tmp_path: Path):
    small = JournalLimits(segment_bytes=10, max_bytes=1 << 30, max_age=timedelta(days=7))
    items = [opened(0), *(received(n) for n in range(1, 9)), closed(9)]

    await written(tmp_path, *items, limits=small, needs=T0 + 3)

    assert len(segments_of(tmp_path)) == 9
    assert [item.at.wall - T0 for item in read(tmp_path) if isinstance(item, Received)] == [3, 4, 5, 6, 7, 8]


async def test_a_replay_knows_when_the_pbx_had_been_lost_before(tmp_path: Path):
    small = JournalLimits(segment_bytes=10, max_bytes=1 << 30, max_age=timedelta(days=7))
    items = [opened(0), received(1), closed(2), opened(10, 2), *(received(n, conn=2) for n in range(11, 20))]

    await written(tmp_path, *items, limits=small, needs=T0 + 15)

    tail = tail_of(tmp_path)
    assert tail is not None
    assert tail.lost == T0 + 2


async def test_files_that_are_not_ours_are_left_alone(tmp_path: Path):
    await written(tmp_path, opened(0), received(1))
    (tmp_path / "notes.ts").write_text("mine")
    (tmp_path / "README").write_text("mine")

    assert len(segments_of(tmp_path)) == 1
    assert len(chunks(read(tmp_path))) == 1


def test_no_journal_yet_is_no_tail(tmp_path: Path):
    assert tail_of(tmp_path / "none") is None


# --- a disk that is full or broken


async def test_a_full_disk_stops_nothing_is_said_once_and_mends_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = a_journal(tmp_path)
    journal.take(opened(0))
    real = OpenSegment.data

    def full(segment: OpenSegment, data: bytes) -> None:
        real(segment, data[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    with capture_logs() as logs:
        monkeypatch.setattr(OpenSegment, "data", full)
        for second in (1, 2, 3):
            journal.take(received(second))
        in_trouble = journal.trouble
        monkeypatch.undo()
        journal._try_again()
        journal.take(received(4, b"Event: Z\r\n\r\n"))
        await journal.close()

    assert in_trouble is not None
    assert "No space left on device" in in_trouble
    assert journal.trouble is None
    assert [entry["event"] for entry in logs] == ["journal.failed", "journal.recovered"]
    assert (journal.counters["errors"], journal.counters["not_written"]) == (1, 36)
    items = read(tmp_path)
    assert chunks(items) == [b"Event: Z\r\n\r\n"]
    assert [item.length for item in torn(items)] == [3, 36]
    assert [told(item)[0] for item in items].count("opened") == 1, "the connection never ended"


async def test_a_folder_that_cannot_be_made_is_the_same(tmp_path: Path):
    (tmp_path / "main").write_text("a file where the folder should be")
    with capture_logs() as logs:
        journal = await written(tmp_path / "main", opened(0), received(1))

    assert journal.trouble is not None
    assert [entry["event"] for entry in logs] == ["journal.failed"]


# --- old segments


async def many(folder: Path, count: int) -> None:
    """Segments of one hour each, 12 bytes of events in each."""
    one_each = JournalLimits(segment_bytes=1, max_bytes=1 << 30, max_age=timedelta(days=7))
    await written(folder, opened(0), *(received(3600.0 * hour) for hour in range(count)), limits=one_each)


def hours_left(folder: Path) -> list[float]:
    return [round((segment.begins.timestamp() - T0) / 3600, 2) for segment in segments_of(folder)]


async def test_what_is_too_old_goes_unless_it_is_needed(tmp_path: Path):
    await many(tmp_path, 6)
    segments = segments_of(tmp_path)
    now = segments[-1].begins
    limits = {"now": now, "max_age": timedelta(hours=2.5), "max_bytes": 1 << 30}

    kept_for_need = remove_old(segments, needs=T0 + 1.5 * 3600, **limits)
    first = hours_left(tmp_path)
    removed = remove_old(segments_of(tmp_path), needs=T0 + 5 * 3600, **limits)

    assert (kept_for_need.count, kept_for_need.needed) == (1, 0)
    assert first == [1, 2, 3, 4, 5]
    assert removed.count == 1
    assert hours_left(tmp_path) == [2, 3, 4, 5]


async def test_what_is_too_much_goes_oldest_first_though_it_is_needed_and_that_is_an_error(tmp_path: Path):
    await many(tmp_path, 4)
    segments = segments_of(tmp_path)
    limits = {"now": segments[-1].begins, "max_age": timedelta(days=7), "max_bytes": sum(s.size for s in segments[2:])}

    with capture_logs() as logs:
        removed = remove_old(segments, needs=T0 + 3600, **limits)

    assert hours_left(tmp_path) == [2, 3]
    assert (removed.count, removed.needed) == (2, 2)
    assert {(entry["event"], entry["log_level"]) for entry in logs} == {("journal.needed_removed", "error")}
