"""Journals made of recorded traces, as the service would have written them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Disconnected, Opened, Received, StreamItem
from cti_bridge.ami.trace import Chunk, read_trace
from cti_bridge.journal.writer import Journal, JournalLimits
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
