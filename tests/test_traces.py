"""Every recorded call is told exactly as it happened: each trace against the truth that its script wrote."""

from typing import Any

import pytest

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call_events import CallEnded
from cti_bridge.replay import replay_calls
from tests.support.replayed import INTERNAL, TRACES, events_of, names, steps_of, truth_of

IDENTITY = (
    "direction", "customer_number", "customer_name", "did", "queue", "queues", "offered_to", "rang_no_answer", "answered_by",
    "outcome", "hung_up_by", "held", "parked", "recorded", "conference",
)  # fmt: skip
SECONDS = ("wait_s", "talk_s")


def told(document: dict[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in IDENTITY} | {"transfers": document["transfers"]}


def meant(truth: dict[str, Any]) -> dict[str, Any]:
    transfers = [{key: transfer[key] for key in ("type", "from", "to")} for transfer in truth["transfers"]]
    return {key: truth[key] for key in IDENTITY} | {"transfers": transfers}


def paired(name: str, calls: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Truth and call, by the channel's Uniqueid where the script learnt it, else by the number."""
    left = list(calls)
    pairs = []
    for truth in truth_of(name):
        call = next((c for c in left if c["call_id"] == f"main:{truth.get('uniqueid')}"), None) or next(
            c for c in left if c["customer_number"] == truth["customer_number"]
        )
        left.remove(call)
        pairs.append((truth, call))
    assert left == []
    return pairs


@pytest.mark.parametrize("name", names())
def test_every_call_of_a_trace_is_told_as_it_happened(name: str) -> None:
    calls = list(replay_calls(TRACES / f"{name}.ami", TRACES / f"{name}.ts", pbx="main", region=None, internal=INTERNAL))

    for truth, call in paired(name, calls):
        assert told(call) == meant(truth)
        for key in SECONDS:
            assert call[key] == pytest.approx(truth[key], abs=1.0), key


@pytest.mark.parametrize("name", names())
def test_nothing_of_a_call_that_is_over_is_still_going_on(name: str) -> None:
    for event in events_of(steps_of(name)):
        if isinstance(event, CallEnded):
            call = event.call
            assert [part for part in (*call.offers, *call.talks) if part.ended_at is None] == []
            assert [offer for offer in call.offers if offer.result is None] == []
            assert [visit for visit in call.visits if visit.left_at is None] == []


@pytest.mark.parametrize("name", ["q_first_agent", "q_overflow", "xfer_chain", "c2c_answered", "pickup_group"])
def test_without_recorded_times_the_stream_tells_its_own(name: str) -> None:
    """`Timestamp` headers give the same calls, a hundredth of a second apart at most."""
    with_times = list(replay_calls(TRACES / f"{name}.ami", TRACES / f"{name}.ts", pbx="main", region=None, internal=INTERNAL))

    without = list(replay_calls(TRACES / f"{name}.ami", None, pbx="main", region=None, internal=INTERNAL))

    assert [told(call) for call in without] == [told(call) for call in with_times]
    assert [call["talk_s"] for call in without] == pytest.approx([call["talk_s"] for call in with_times], abs=0.05)


@pytest.mark.parametrize("size", [1, 7, 1500], ids=["bytewise", "seven bytes", "a segment"])
def test_any_chunking_gives_the_same_events(size: int) -> None:
    data = (TRACES / "q_ringall_three.ami").read_bytes()
    whole = AmiCodec(expects=lambda _: True).receive(data)
    codec = AmiCodec(expects=lambda _: True)

    parts = [message for at in range(0, len(data), size) for message in codec.receive(data[at : at + size])]

    assert [message.block for message in parts if isinstance(message, AmiEvent)] == [
        message.block for message in whole if isinstance(message, AmiEvent)
    ]
    assert len(parts) == len(whole)
