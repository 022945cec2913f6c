"""Whatever is cut, late, doubled or missing: nothing raises, every call ends once, and what the rest determines stays right."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from tests.support.replayed import TRACES, Step, a_tracker, calls_of, events_of, names, steps_of

IDENTITY = (
    "direction", "customer_number", "did", "queues", "offered_to", "rang_no_answer", "answered_by", "outcome", "transfers",
    "hung_up_by",
)  # fmt: skip
MADE_UP_FOR = frozenset(
    {
        "DialState", "AgentCalled", "AgentConnect", "AgentRingNoAnswer", "QueueCallerAbandon", "LocalBridge", "MixMonitorStart",
        "ChanSpyStop", "ConfbridgeJoin", "ConfbridgeLeave", "BridgeDestroy", "BridgeMerge", "UnParkedCall", "Unhold",
        "LocalOptimizationBegin", "LocalOptimizationEnd", "OriginateResponse", "MessageWaiting", "ParkedCallTimeOut",
        "ParkedCallGiveUp", "QueueMember", "QueueParams", "BridgeListItem", "BridgeListComplete",
    }
)  # fmt: skip
"""Events whose loss changes nothing, anywhere: the others say the same. What a Hold or a HangupRequest says, nobody else does."""

ONE = [name for name in names() if name != "burst_40"]


def identity(calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: call[key] for key in IDENTITY} for call in calls]


def without(steps: list[Step], index: int) -> list[Step]:
    return [*steps[:index], *steps[index + 1 :]]


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(ONE), st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_any_cutting_of_the_bytes_gives_the_same_events(name: str, sizes: list[int]) -> None:
    data = (TRACES / f"{name}.ami").read_bytes()
    codec = AmiCodec(expects=lambda _: True)
    whole = [message.block for message in AmiCodec(expects=lambda _: True).receive(data) if isinstance(message, AmiEvent)]

    parts: list[bytes] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        parts += [message.block for message in codec.receive(data[at : at + size]) if isinstance(message, AmiEvent)]
        at, turn = at + size, turn + 1

    assert parts == whole


@pytest.mark.parametrize("name", ONE)
def test_the_loss_of_an_event_that_others_repeat_changes_nothing(name: str) -> None:
    steps = steps_of(name)
    whole = identity(calls_of(events_of(steps)))

    for index, (_, event) in enumerate(steps):
        if isinstance(event, AmiEvent) and event.name in MADE_UP_FOR:
            assert identity(calls_of(events_of(without(steps, index)))) == whole, (index, event)


@pytest.mark.parametrize(
    ("lost", "at_least"), [("Hangup", 0.98), ("BridgeEnter", 0.95), ("QueueCallerJoin", 0.93), ("Newstate", 0.99)]
)
def test_the_loss_of_one_of_many_is_nearly_always_made_up_for(lost: str, at_least: float) -> None:
    """What is left are calls that nothing else tells of: an end in the gap, a Local half bridged with nobody else to count it."""
    kept = tried = 0

    for name in ONE:
        steps = steps_of(name)
        whole = identity(calls_of(events_of(steps)))
        for index, (_, event) in enumerate(steps):
            if isinstance(event, AmiEvent) and event.name == lost:
                tried += 1
                kept += identity(calls_of(events_of(without(steps, index)))) == whole

    assert kept >= at_least * tried


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ONE), st.randoms(use_true_random=False))
def test_any_interleaving_of_the_channels_ends_every_call(name: str, random: Any) -> None:
    """Each channel's own events stay in order; which channel is served next is chance, as between Asterisk's threads."""
    steps = [step for step in steps_of(name) if isinstance(step[1], AmiEvent)]
    threads: dict[str, list[AmiEvent]] = {}
    for _, event in steps:
        assert isinstance(event, AmiEvent)
        threads.setdefault(event.get("Uniqueid") or event.get("DestUniqueid") or event.name, []).append(event)
    shuffled: list[Step] = []
    for at, _ in steps:
        chosen = random.choice(sorted(threads))
        shuffled.append((at, threads[chosen].pop(0)))
        if not threads[chosen]:
            del threads[chosen]

    check_ended([*shuffled, (steps[-1][0] + 1, "end")])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ONE), st.data())
def test_any_loss_doubling_and_disorder_ends_every_call(name: str, data: st.DataObject) -> None:
    steps = steps_of(name)
    order = data.draw(st.lists(st.integers(0, len(steps) - 1), max_size=2 * len(steps)))

    check_ended([(steps[0][0] + turn / 100, steps[index][1]) for turn, index in enumerate(order)] + [(steps[-1][0] + 60, "end")])


def check_ended(steps: list[Step]) -> None:
    tracker = a_tracker()

    calls = calls_of(events_of(steps, tracker))

    assert tracker.live(0.0) == []
    for call in calls:
        assert call["state"] == "ended"
        assert min(call["wait_s"], call["talk_s"], call["hold_s"]) >= 0
        assert set(call["rang_no_answer"]) <= set(call["offered_to"])
        assert call["started_at"] <= call["ended_at"]
        assert call["ringing"] == call["talking"] == []
