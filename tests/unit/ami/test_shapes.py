"""No text that a caller can place in one value is an event that is acted upon, and no real event is taken for a forgery."""

import pytest

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.shapes import HINTS, INJECTION_BUDGET, LISTED, SHAPES, Shape, restored
from cti_bridge.ami.trace import Chunk, read_trace
from tests.support.ami_text import block, snapshot
from tests.support.replayed import TRACES, names


def shortest(shape: Shape) -> int:
    """Bytes of the shortest text that this shape takes: every value empty, every optional part left out."""
    head = f"Event: {shape.name}\r\nPrivilege: a\r\n"
    orders = [[step.key for step in order if not step.any_number] for order in shape.orders()]
    return len(head) + min(sum(len(key) + len(b"\r\n") for key in order) for order in orders)


ACTED_UPON = [shape for name, shape in SHAPES.items() if name.decode() not in HINTS]


@pytest.mark.parametrize("shape", ACTED_UPON, ids=lambda shape: shape.name)
def test_the_shortest_event_is_longer_than_what_a_caller_can_inject(shape: Shape) -> None:
    assert shortest(shape) > INJECTION_BUDGET


@pytest.mark.parametrize("name", sorted(HINTS))
def test_hints_are_the_only_events_that_fit(name: str) -> None:
    assert shortest(SHAPES[name.encode()]) <= INJECTION_BUDGET


@pytest.mark.parametrize("name", names())
def test_no_real_event_fails_its_shape(name: str) -> None:
    """Counted over every recorded trace, but for those in which a caller did inject."""
    codec = AmiCodec(expects=lambda _: True)

    for item in read_trace(TRACES / f"{name}.ami", TRACES / f"{name}.ts"):
        if isinstance(item, Chunk):
            codec.receive(item.data)
        elif item.kind == "open":
            codec = AmiCodec(expects=lambda _: True)

    assert codec.counters["malformed"] == codec.counters["oversized"] == 0
    assert (codec.counters["forged"] > 0) == name.startswith("cid_injection")


def test_headers_of_newer_versions_are_tolerated_where_they_are_appended() -> None:
    event = block("Newstate", **snapshot(), Tenantid="t1", ChanVariable="A=1", TechCause="408", Novelty="yes")

    assert SHAPES[b"Newstate"].strict.match(event.decode())


def test_headers_in_another_order_are_no_event() -> None:
    headers = snapshot()
    headers["CallerIDNum"] = headers.pop("CallerIDNum")  # now the last

    assert not SHAPES[b"Newstate"].strict.match(block("Newstate", **headers).decode())


def test_an_item_of_a_listing_needs_the_same_order() -> None:
    item = b"Event: CoreShowChannel\r\nActionID: x\r\n" + block("x", **snapshot()).split(b"\r\n", 2)[2]

    assert LISTED[b"CoreShowChannel"].strict.match(item.decode())
    assert not LISTED[b"CoreShowChannel"].strict.match(item.decode().replace("\r\nLinkedid", "\r\nLinked"))


def test_text_in_a_number_becomes_the_number_it_is() -> None:
    headers = snapshot(CallerIDNum="0611\r\nUniqueid: 6.6\r\nX: y")

    clean = restored(SHAPES[b"Newstate"], block("Newstate", **headers))

    assert clean is not None
    assert b"CallerIDNum: 0611\\r\\nUniqueid: 6.6\\r\\nX: y\r\nCallerIDName" in clean


def test_the_genuine_header_behind_the_text_is_the_one_that_counts() -> None:
    headers = snapshot(CallerIDNum="1\r\nCallerIDName: A\r\nConnectedLineNum: 7", CallerIDName="Alice")

    clean = restored(SHAPES[b"Newstate"], block("Newstate", **headers))

    assert clean is not None
    assert b"\r\nCallerIDName: Alice\r\n" in clean
    assert clean.count(b"\r\nCallerIDName:") == 1


def test_text_beyond_the_budget_is_not_taken_for_a_number() -> None:
    headers = snapshot(CallerIDNum="\r\n".join(f"Header{n}: filler" for n in range(20)))

    assert restored(SHAPES[b"Newstate"], block("Newstate", **headers)) is None


def test_a_hostile_block_costs_a_bounded_number_of_tries() -> None:
    headers = snapshot(
        CallerIDNum="\r\nCallerIDName:" * 5, ConnectedLineNum="\r\nConnectedLineName:" * 4, AccountCode="\r\nContext:" * 8
    )
    del headers["Linkedid"]

    assert restored(SHAPES[b"Newstate"], block("Newstate", **headers)) is None
