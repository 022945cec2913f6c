"""Damage to the files of a journal: a cut, a flipped byte, a file that is gone."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cti_bridge.journal.reader import tail_of
from cti_bridge.journal.segments import OpenSegment, segments_of
from cti_bridge.recovery import replay
from tests.support.journals import (
    T0,
    chunks,
    items_of,
    opened,
    read,
    received,
    torn,
    written,
)
from tests.support.replayed import a_tracker


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The journal of a real call with a listing before it."""
    folder = tmp_path_factory.mktemp("journal")
    asyncio.run(written(folder, *items_of("ami_gap_talking")))
    (segment,) = segments_of(folder)
    return segment.ami.read_bytes(), segment.ts.read_bytes()


def damaged(path: Path, damage: str) -> Iterator[int]:
    """Damages the file at each of its last 4,096 offsets, from the end on; flipped bits are flipped back."""
    data = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for offset in range(len(data) - 1, max(0, len(data) - 4096) - 1, -1):
            if damage == "cut":
                file.truncate(offset)
                yield offset
                continue
            os.pwrite(file.fileno(), bytes([data[offset] ^ (1 << offset % 8)]), offset)
            yield offset
            os.pwrite(file.fileno(), data[offset : offset + 1], offset)


@pytest.mark.parametrize("damage", ["cut", "flip"])
@pytest.mark.parametrize("file", ["ami", "ts"])
async def test_damage_anywhere_costs_the_chunk_it_hits_and_is_said(
    tmp_path: Path, recorded: tuple[bytes, bytes], file: str, damage: str
):
    segment = OpenSegment(tmp_path, wall=T0, mono=0.0)
    segment.close()
    paths = {"ami": segment.path, "ts": segment.path.with_suffix(".ts")}
    for path, data in zip(paths.values(), recorded, strict=True):
        path.write_bytes(data)
    whole = chunks(read(tmp_path))
    assert b"".join(whole) == recorded[0]
    tried = 0

    for offset in damaged(paths[file], damage):
        items = read(tmp_path)
        kept = chunks(items)
        if damage == "cut":
            assert kept == whole[: len(kept)]
            assert kept == whole or torn(items) != [] or offset == 0
        else:
            assert len(torn(items)) == 1
            lost = next((place for place, (one, other) in enumerate(zip(whole, kept, strict=False)) if one != other), len(kept))
            assert kept in (whole, whole[:lost] + whole[lost + 1 :])
        tried += 1
        if tried % 64 == 0:
            assert (await replay(tail_of(tmp_path), a_tracker())).torn == len(torn(items))

    assert tried == min(4096, len(recorded[file == "ts"]))


async def test_after_lost_bytes_two_halves_are_not_joined(tmp_path: Path):
    """The middle of one event and the end of the next would pass for one."""
    head, tail = b"Event: Hangup\r\nPrivilege: call,all\r\nChannel: one", b"\r\nPrivilege: call,all\r\nChannel: two\r\n\r\n"
    sound = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\nUptime: 1\r\nLastReload: 1\r\n\r\n"
    await written(tmp_path, opened(0), received(1, head), received(2, b"X" * 40), received(3, tail + sound))
    (segment,) = segments_of(tmp_path)
    data = bytearray(segment.ami.read_bytes())
    data[len(head) + 5] ^= 1
    segment.ami.write_bytes(data)
    with capture_logs() as logs:
        past = await replay(tail_of(tmp_path), a_tracker())

    assert past.torn == 1
    assert [(entry["offset"], entry["bytes"]) for entry in logs if entry["event"] == "journal.torn"] == [(len(head), 40)]


@pytest.mark.parametrize("missing", ["ami", "ts"])
async def test_half_a_segment_is_told_and_passed_over(tmp_path: Path, missing: str):
    await written(tmp_path, opened(0), received(1))
    (segment,) = segments_of(tmp_path)
    getattr(segment, missing).unlink()
    await written(tmp_path, opened(60), received(61))

    items = read(tmp_path)

    assert len(chunks(items)) == 1
    assert len(torn(items)) == 1
