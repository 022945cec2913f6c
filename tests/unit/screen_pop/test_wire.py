"""The tables of the wire (tests/architecture holds them to docs/protocol.md), and the frames."""

import tracemalloc

import orjson
import pytest

from cti_bridge.domain.call import call_document
from cti_bridge.domain.call_events import CallEvent
from cti_bridge.domain.errors import WireError
from screen_pop import wire
from screen_pop.ports import Role
from tests.support.stores import NOW, a_call


def test_everything_that_happens_to_a_call_has_a_name_on_the_wire() -> None:
    assert wire.CALL_EVENT_TYPES.keys() == set(CallEvent.__args__)


def test_a_numbered_frame_is_the_body_with_the_id_in_front() -> None:
    body = wire.event_body("pop.withdrawn", NOW, {"pop_id": "p", "call_id": "c", "why": "abandoned"})

    assert orjson.loads(wire.numbered(7, body)) == {
        "id": 7,
        "type": "pop.withdrawn",
        "at": "2026-11-22T08:30:00.000Z",
        "pop_id": "p",
        "call_id": "c",
        "why": "abandoned",
    }


def test_live_states_carry_lists_and_routing_one_document() -> None:
    at = "2026-11-22T08:30:00.000Z"

    figures = orjson.loads(wire.live_state("queue.figures", NOW, (b'{"queue":"a"}', b'{"queue":"b"}')))
    routing = orjson.loads(wire.live_state("routing.state", NOW, (b'{"file":"r"}',)))

    assert figures == {"type": "queue.figures", "at": at, "queues": [{"queue": "a"}, {"queue": "b"}]}
    assert routing == {"type": "routing.state", "at": at, "routing": {"file": "r"}}


def test_half_characters_are_replaced_wherever_they_stand() -> None:
    document = {"a\ud800": ["b\udfff", {"c": "d\udc80e"}], "n": 1}

    assert orjson.loads(wire.to_json(document)) == {"a\ufffd": ["b\ufffd", {"c": "d\ufffde"}], "n": 1}


@pytest.mark.parametrize(
    ("frame", "kind", "code"),
    [
        (b"", "not-json", 4400),
        (b"null", "not-json", 4400),
        (b'{"type":"ack","id":1', "not-json", 4400),
        (b" " * 65_537, "too-large", 4409),
        (b"{}", "unknown-type", None),
        (b'{"type":"pop"}', "unknown-type", None),
        (b'{"type":"shown","pop_id":"x"}', "not-allowed", None),
        (b'{"type":"ack","id":1.5}', "wrong-shape", None),
        (b'{"type":"ack","id":1,"also":2}', "wrong-shape", None),
    ],
)
def test_wrong_frames_are_told_apart(frame: bytes, kind: str, code: int | None) -> None:
    with pytest.raises(WireError) as refused:
        wire.decode(frame, Role.SUPERVISOR)

    assert (refused.value.kind, refused.value.close_code) == (kind, code)
    assert len(refused.value.detail) < 500


def test_a_refusal_repeats_little_of_what_was_sent() -> None:
    with pytest.raises(WireError) as refused:
        wire.decode(b'{"type":"ack","id":1,"%s":2}' % (b"x" * 60_000), Role.AGENT)

    assert len(refused.value.detail) < 500


def test_a_kept_event_takes_the_memory_of_its_bytes_and_no_more() -> None:
    fields = {"call": call_document(a_call())}
    tracemalloc.start()
    try:
        kept = [wire.event_body("call.changed", NOW, fields) for _ in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert taken < 1.5 * sum(len(body) for body in kept)
