import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti_bridge.ami.connection import At
from cti_bridge.ami.stream import Disconnected, Opened, Received
from cti_bridge.ami.trace import Chunk, Mark, TraceWriter, read_trace

BANNER = b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: a\r\n\r\n"
EVENT = b"Event: Hangup\r\nPrivilege: call,all\r\n\r\n"


def at(mono: float) -> At:
    return At(wall=1_795_315_893.5 + mono, mono=mono)


def write(folder: Path) -> tuple[Path, Path]:
    """Two connections, the first cut in mid-event."""
    ami, ts = folder / "t.ami", folder / "t.ts"
    with TraceWriter(ami, ts) as writer:
        writer.write(Opened(at=at(1.5), asked_at=at(1.0), conn=1))
        writer.write(Received(at=at(2.0), conn=1, data=BANNER, news=()))
        writer.write(Received(at=at(2.5), conn=1, data=EVENT[:20], news=()))
        writer.write(Disconnected(at=at(3.0), conn=1, reason="the connection was reset"))
        writer.write(Opened(at=at(4.5), asked_at=at(4.0), conn=2))
        writer.write(Received(at=at(5.0), conn=2, data=BANNER + EVENT, news=()))
        writer.end(at(6.0), conn=2)
    return ami, ts


def test_what_is_written_is_read_back_with_its_times(tmp_path: Path) -> None:
    ami, ts = write(tmp_path)

    assert list(read_trace(ami, ts)) == [
        Mark(kind="connecting", conn=1, t=1.0, wall=None),
        Mark(kind="open", conn=1, t=1.5, wall=1_795_315_895.0),
        Chunk(data=BANNER, conn=1, t=2.0, wall=1_795_315_895.5),
        Chunk(data=EVENT[:20], conn=1, t=2.5, wall=1_795_315_896.0),
        Mark(kind="closed", conn=1, t=3.0, wall=1_795_315_896.5),
        Mark(kind="connecting", conn=2, t=4.0, wall=1_795_315_897.5),
        Mark(kind="open", conn=2, t=4.5, wall=1_795_315_898.0),
        Chunk(data=BANNER + EVENT, conn=2, t=5.0, wall=1_795_315_898.5),
        Mark(kind="end", conn=2, t=6.0, wall=1_795_315_899.5),
    ]


def test_the_times_are_the_public_format(tmp_path: Path) -> None:
    _, ts = write(tmp_path)

    assert [json.loads(line) for line in ts.read_text().splitlines()][:4] == [
        {"off": 0, "t": 1.0, "conn": 1, "mark": "connecting"},
        {"off": 0, "t": 1.5, "conn": 1, "mark": "open", "wall": 1_795_315_895.0},
        {"off": 0, "t": 2.0, "conn": 1, "len": len(BANNER)},
        {"off": len(BANNER), "t": 2.5, "conn": 1, "len": 20},
    ]


def test_only_the_owner_may_read_a_trace(tmp_path: Path) -> None:
    assert [stat.S_IMODE(path.stat().st_mode) for path in write(tmp_path)] == [0o600, 0o600]


def test_a_trace_is_never_written_over(tmp_path: Path) -> None:
    ami, ts = write(tmp_path)
    before = ami.read_bytes()

    with pytest.raises(FileExistsError):
        TraceWriter(ami, ts)
    assert ami.read_bytes() == before


def test_without_times_connections_are_told_apart_by_their_greetings(tmp_path: Path) -> None:
    ami, _ = write(tmp_path)

    items = list(read_trace(ami))

    assert [item.conn for item in items if isinstance(item, Mark)] == [1, 2]
    assert all(item.kind == "open" and item.t is None for item in items if isinstance(item, Mark))
    assert data_of(items, conn=1) == BANNER + EVENT[:20]
    assert data_of(items, conn=2) == BANNER + EVENT


def test_a_callers_name_that_looks_like_a_greeting_is_none(tmp_path: Path) -> None:
    ami = tmp_path / "t.ami"
    event = b"Event: Newchannel\r\nCallerIDName: Asterisk Call Manager/11.0.0\r\nExten: 1\r\n\r\n"
    ami.write_bytes(BANNER + event)

    assert [item.conn for item in read_trace(ami) if isinstance(item, Mark)] == [1]


@settings(max_examples=40)
@given(pad=st.integers(65_400, 65_600))
def test_a_greeting_across_two_reads_is_found(tmp_path_factory: pytest.TempPathFactory, pad: int) -> None:
    ami = tmp_path_factory.mktemp("trace") / "t.ami"
    first = BANNER + b"x" * (pad - len(BANNER))
    ami.write_bytes(first + BANNER)

    items = list(read_trace(ami))

    assert (data_of(items, conn=1), data_of(items, conn=2)) == (first, BANNER)


def test_a_torn_trace_gives_what_is_there(tmp_path: Path) -> None:
    """A crash may cut either file anywhere."""
    ami, ts = write(tmp_path)
    whole_ami, whole_ts = ami.read_bytes(), ts.read_bytes()

    for cut in range(len(whole_ts) + 1):
        ts.write_bytes(whole_ts[:cut])
        assert data_of(list(read_trace(ami, ts))) == whole_ami
    for cut in range(len(whole_ami) + 1):
        ami.write_bytes(whole_ami[:cut])
        assert data_of(list(read_trace(ami, ts))) == whole_ami[:cut]


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([b'{"t": 1}', b"[]", b'{"t":1,"conn":1,"len":-5}', b"null"]))))
def test_rubbish_among_the_times_is_passed_over(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("trace")
    ami, ts = write(folder)
    ts.write_bytes(b"\n".join(lines) + b"\n" + ts.read_bytes())

    assert data_of(list(read_trace(ami, ts))) == ami.read_bytes()


def data_of(items: list[Chunk | Mark], conn: int | None = None) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Chunk) and conn in {None, item.conn})
