"""Whatever is cut, late, doubled or missing: nothing raises, every call ends once, and what the rest tells stays right.

Each event of each recorded trace is lost, doubled and swapped with its neighbour, one at a time. A run tries some of these,
others for each trace; `CTI_MATRIX=whole` tries all (a minute of one core). What may then differ stands in LOST and SWAPPED with
the reason; anything else is a failure.
"""

import os
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call_events import CallEnded
from tests.support.disturbed import Disturbed, differing, doubled, identity, interleaved, lost, swapped
from tests.support.replayed import TRACES, Step, a_tracker, calls_of, events_of, names, steps_of

EVERY = 1 if os.environ.get("CTI_MATRIX") == "whole" else 4
ONE = [name for name in names() if name != "burst_40"]
RACE_SECONDS = 0.05
"""How far apart Asterisk's threads may write what happened at one moment (AMI.md: milliseconds; more under load)."""


class Unsaid(NamedTuple):
    """An event of which nothing else says the same: what becomes uncertain without it, and why."""

    fields: frozenset[str]
    reason: str
    share: float
    """At most this part of the losses of this event may change something."""


def unsaid(fields: str, reason: str, share: float = 1.0) -> Unsaid:
    return Unsaid(frozenset(fields.split()), reason, share)


RESYNC = "a line of one listing, written by one thread on one connection; the next resync asks again"
LISTED = "calls queue queues offered_to answered_by outcome transfers hung_up_by customer_number direction did"
LOST = {
    "HangupRequest": unsaid(
        "hung_up_by outcome",
        "that a customer wants to end is said here alone: the rest is what a hang-up by AMI or a time-out looks like (see below)",
        0.5,
    ),
    "BridgeLeave": unsaid(
        "hung_up_by transfers",
        "where nobody asked to end (disconnect code, AMI, time-out) or told a transfer (Redirect), who left first tells what was",
        0.02,
    ),
    "Hangup": unsaid(
        "hung_up_by outcome transfers offered_to rang_no_answer",
        "the only end of a click-to-call that nobody answered, and of a call before a crash; that one party did not come along",
        0.02,
    ),
    "Hold": unsaid("held", "an Unhold says so too, but none comes where a transfer ends the hold", 0.5),
    "MixMonitorStart": unsaid("recorded", "no other event tells of a recording"),
    "DialBegin": unsaid("customer_number transfers", "the number behind an access code is in its DialString alone", 0.06),
    "Newexten": unsaid(
        "queue queues outcome", "the dialplan alone says which queue refused the caller, and that voicemail answered"
    ),
    "VarSet": unsaid("outcome", "QUEUESTATUS alone says why a caller left the queue without an answer"),
    "AttendedTransfer": unsaid(
        "transfers answered_by",
        "of a customer who is put into a conference, and where the caller of an internal call transfers",
        0.06,
    ),
    "BlindTransfer": unsaid(
        "transfers offered_to answered_by hung_up_by",
        "by the caller of an internal call: the called one goes on as the customer; and by a customer, who so hangs up",
        0.04,
    ),
    "BridgeEnter": unsaid("calls answered_by hung_up_by", "of a phone that fetches a parked caller: nobody dialled it", 0.005),
    "Newchannel": unsaid("calls", "of a caller whose call does nothing but end at once", 0.002),
    "FullyBooted": unsaid("hung_up_by", "that the PBX started anew, and so the calls before ended with it"),
    "QueueEntry": unsaid("queue queues", RESYNC),
    "CoreShowChannel": unsaid(LISTED, RESYNC),
    "CoreShowChannelsComplete": unsaid(LISTED, RESYNC),
}
"""Losses that may change something."""

MOMENT = "seconds apart in the recording: how long before the parting it came is what tells its meaning"
SWAPPED = {
    ("BridgeLeave", "BridgeLeave"): unsaid("hung_up_by", "who left first is what tells who ended the call, where nobody asked"),
    ("BridgeEnter", "BridgeLeave"): unsaid("hung_up_by", "likewise, with a talk of no length"),
    ("BridgeEnter", "Hold"): unsaid("held", "a hold before the talk is none"),
    ("BridgeEnter", "Unhold"): unsaid("held", MOMENT),
    ("QueueMemberStatus", "Unhold"): unsaid("held", MOMENT),
    ("QueueMemberStatus", "BridgeLeave"): unsaid("transfers", MOMENT),
    ("QueueMemberStatus", "HangupRequest"): unsaid("hung_up_by", MOMENT),
    ("BridgeLeave", "ConfbridgeJoin"): unsaid("transfers", "who came into the conference without the agent was sent there"),
    ("AttendedTransfer", "ConfbridgeJoin"): unsaid("transfers", "whom the customer met there, or was given to"),
    ("CoreShowChannel", "CoreShowChannelsComplete"): unsaid(LISTED, RESYNC),
    ("FullyBooted", "CoreShowChannelsComplete"): unsaid("hung_up_by", RESYNC),
}
"""Swaps of neighbours (as they came) that may change something."""

RACES = {
    # The agent lets go 30 ms after the answer: which of the two was first is what tells attended from blonde.
    "attended_dtmf_at_once": {"transfers"},
    # The diverted call is refused within 20 ms: all of that leg's events may come before the caller's first.
    "did_forward_302_busy": {"offered_to", "rang_no_answer", "outcome"},
}


@lru_cache(maxsize=8)
def whole_of(name: str) -> tuple[list[Step], dict[str, dict[str, Any]]]:
    steps = steps_of(name)
    return steps, identity(steps)


def sample(name: str, disturbed: Iterator[Disturbed]) -> Iterator[Disturbed]:
    """Every few, beginning at another one for each trace; all of the rare ones."""
    first = sum(name.encode()) % EVERY
    return (
        one for one in disturbed if (one.index + first) % EVERY == 0 or one.event.name in {"AttendedTransfer", "BlindTransfer"}
    )


def found_wrong(name: str, disturbed: Iterator[Disturbed]) -> Iterator[tuple[Disturbed, set[str]]]:
    _, whole = whole_of(name)
    for one in disturbed:
        wrong = differing(whole, identity(one.steps))
        if wrong:
            yield one, wrong


@pytest.mark.parametrize("name", ONE)
def test_a_lost_event_changes_only_what_nothing_else_says(name: str) -> None:
    steps, _ = whole_of(name)

    for one, wrong in found_wrong(name, sample(name, lost(steps))):
        assert one.event.name in LOST, (one.index, one.event, wrong)
        assert wrong <= LOST[one.event.name].fields, (one.index, one.event)
        if one.event.name == "HangupRequest":  # an agent's, and a caller's before the answer, can be told from the rest
            assert (one.event.get("ChannelState"), "trunk" in one.event.get("Channel")) == ("6", True), one.index


@pytest.mark.parametrize("name", ONE)
def test_a_doubled_event_changes_nothing(name: str) -> None:
    steps, _ = whole_of(name)

    assert list(found_wrong(name, sample(name, doubled(steps)))) == []


@pytest.mark.parametrize("name", ONE)
def test_neighbours_in_the_other_order_change_only_what_their_order_alone_says(name: str) -> None:
    steps, _ = whole_of(name)

    for one, wrong in found_wrong(name, sample(name, swapped(steps))):
        assert one.other is not None
        pair = (one.event.name, one.other.name)
        assert pair in SWAPPED, (one.index, one.event, one.other, wrong)
        assert wrong <= SWAPPED[pair].fields, (one.index, one.event, one.other)


def test_few_losses_change_anything() -> None:
    """The list above must not hide a rule that is gone: how many, of each event, and of those that are not a hang-up's."""
    tried: Counter[str] = Counter()
    changed: Counter[str] = Counter()

    for name in ONE:
        steps, whole = whole_of(name)
        for one in lost(steps):
            if one.event.name in LOST and (EVERY == 1 or one.event.name not in {"BridgeLeave", "Hangup", "FullyBooted"}):
                changed[one.event.name] += bool(differing(whole, identity(one.steps)))
            tried[one.event.name] += 1

    assert [event for event in changed if changed[event] > LOST[event].share * tried[event]] == []
    rest = changed.total() - changed["HangupRequest"]
    assert rest < 0.01 * tried.total()


def told_between(name: str, without: str = "") -> list[tuple[str, str]]:
    """What is said of whom from the first talk on: event and endpoint; no queue members, whose states say nothing of the call."""
    steps = [event for _, event in steps_of(name) if isinstance(event, AmiEvent)]
    first = next(index for index, event in enumerate(steps) if event.name == "BridgeEnter")
    return [
        (event.name, "customer" if "trunk" in event.get("Channel") else "agent")
        for event in steps[first:]
        if event.name != without and event.get("Channel")
    ]


def test_a_customers_hang_up_without_its_request_looks_like_one_by_ami() -> None:
    """Why LOST must list HangupRequest: the same events in the same order, one told `customer`, the other `system`."""
    assert told_between("q_first_agent", without="HangupRequest") == told_between("ami_hangup_customer")


@pytest.mark.parametrize("name", ONE)
def test_threads_that_run_otherwise_change_nothing(name: str) -> None:
    steps, whole = whole_of(name)

    for seed in range(3 if EVERY > 1 else 30):
        other = interleaved(steps, Random(f"{name} {seed}"), within=RACE_SECONDS)

        assert differing(whole, identity(other)) <= RACES.get(name, set()), seed


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ONE), st.randoms(use_true_random=False))
def test_any_interleaving_of_the_channels_ends_every_call(name: str, random: Any) -> None:
    """However long one thread waits for another, as long as each channel's and bridge's own events stay in order."""
    check_ended(interleaved(steps_of(name), random, within=1e9))


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


@pytest.mark.parametrize("name", ONE)
def test_the_same_trace_again_changes_nothing(name: str) -> None:
    steps = [step for step in steps_of(name) if step[1] != "end"]
    tracker = a_tracker()
    first = events_of(steps, tracker)

    again = events_of(steps, tracker)

    assert [event for event in again if hasattr(event, "call")] == []
    assert [event for event in first if isinstance(event, CallEnded)] != []


@pytest.mark.parametrize("name", ONE)
def test_each_trace_may_come_in_any_pieces(name: str) -> None:
    """A fixed cutting for each trace, byte by byte at its beginning; the general case is the next test."""
    data = (TRACES / f"{name}.ami").read_bytes()
    random = Random(name)
    cuts = [*range(200), *sorted(random.sample(range(200, len(data)), 60)), len(data)]

    check_pieces(data, [data[start:end] for start, end in pairwise(cuts)])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ONE), st.lists(st.integers(1, 3000), min_size=1, max_size=30))
def test_any_cutting_of_the_bytes_gives_the_same_events(name: str, sizes: list[int]) -> None:
    data = (TRACES / f"{name}.ami").read_bytes()
    pieces = []
    at = turn = 0
    while at < len(data):
        pieces.append(data[at : at + sizes[turn % len(sizes)]])
        at, turn = at + len(pieces[-1]), turn + 1

    check_pieces(data, pieces)


def check_pieces(data: bytes, pieces: list[bytes]) -> None:
    codec = AmiCodec(expects=lambda _: True)
    whole = [message for message in AmiCodec(expects=lambda _: True).receive(data) if isinstance(message, AmiEvent)]

    parts = [message for piece in pieces for message in codec.receive(piece) if isinstance(message, AmiEvent)]

    assert [message.block for message in parts] == [message.block for message in whole]
    assert b"".join(pieces) == data
