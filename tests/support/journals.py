"""Journals made of recorded traces, as the service would have written them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Disconnected, Opened, Overflowed, Received, StreamItem
from cti_bridge.ami.trace import Chunk, read_trace
from cti_bridge.journal.reader import JournalItem, Torn, tail_of
from cti_bridge.journal.writer import Journal, JournalLimits, Needs
from tests.support.replayed import TRACES

ROOMY = JournalLimits(segment_bytes=1 << 30, max_bytes=1 << 40, max_age=timedelta(days=7))

IDS = "cti-0-"
IDS_HEADER = f"ActionID: {IDS}".encode()
"""The recordings' own ActionIDs have no beginning in common."""


def items_of(name: str) -> Iterator[StreamItem]:
    """The trace as the AMI client gave it."""
    asked_at = At(wall=0.0, mono=0.0)
    for item in read_trace(TRACES / f"{name}.ami", TRACES / f"{name}.ts"):
        at = At(wall=item.wall or 0.0, mono=item.t or 0.0)
        if isinstance(item, Chunk):
            yield Received(at=at, conn=item.conn, data=item.data.replace(b"ActionID: ", IDS_HEADER), news=())
            continue
        match item.kind:
            case "connecting":
                asked_at = at
            case "open":
                yield Opened(at=at, asked_at=asked_at, conn=item.conn, ids=IDS)
            case "closed":
                yield Disconnected(at=at, conn=item.conn, reason="")
            case "end":
                pass


def a_journal(folder: Path, limits: JournalLimits = ROOMY) -> Journal:
    return Journal(folder, limits, pbx="main")


T0 = 1_795_315_288.0


def at(seconds: float, *, clock_off_by: float = 0.0) -> At:
    return At(wall=T0 + seconds + clock_off_by, mono=100.0 + seconds)


def opened(seconds: float, conn: int = 1) -> Opened:
    return Opened(at=at(seconds), asked_at=at(seconds), conn=conn, ids=IDS)


def received(seconds: float, data: bytes = b"Event: A\r\n\r\n", conn: int = 1, **clock: float) -> Received:
    return Received(at=at(seconds, **clock), conn=conn, data=data, news=())


def closed(seconds: float, conn: int = 1) -> Disconnected:
    return Disconnected(at=at(seconds), conn=conn, reason="reset")


def read(folder: Path, needs: float | None = None) -> list[JournalItem]:
    tail = tail_of(folder, needs=needs)
    return list(tail.items) if tail else []


def chunks(items: list[JournalItem]) -> list[bytes]:
    return [item.data for item in items if isinstance(item, Received)]


def torn(items: list[JournalItem]) -> list[Torn]:
    return [item for item in items if isinstance(item, Torn)]


def told(item: JournalItem) -> tuple[Any, ...]:
    """An item without what a journal does not keep."""
    match item:
        case Opened(at=at, conn=conn, ids=ids):
            return "opened", at, conn, ids
        case Received(at=at, conn=conn, data=data):
            return "received", at, conn, data
        case Disconnected(at=at, conn=conn):
            return "closed", at, conn
        case _:
            return (item,)


async def written(
    folder: Path, *items: StreamItem | Overflowed, limits: JournalLimits = ROOMY, needs: float | None = None
) -> Journal:
    journal = a_journal(folder, limits)
    done: list[StreamItem] = []
    journal.begin(lambda: Needs(since=needs, calls=("1.1",), taken=len(done)), seen_until=0.0)
    for item in items:
        journal.take(item)
        if not isinstance(item, Overflowed):
            done.append(item)
    await journal.close()
    return journal
