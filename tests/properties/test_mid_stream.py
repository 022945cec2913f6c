"""Wherever the service ends: the stream told again from where it must, and then on, gives the calls that it would have given.

Each position of each recording is taken for the moment of the crash (every `CTI_TEST_EVERY_NTH_CUT`-th, 5 by default).
"""

import os
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId, call_document
from cti_bridge.domain.call_events import CallEnded, TrackerEvent
from cti_bridge.tracking.mid_stream import MidStream
from tests.support.replayed import TRACES, Step, a_tracker, events_of, names, steps_of

EVERY = int(os.environ.get("CTI_TEST_EVERY_NTH_CUT", "5"))


@dataclass
class Whole:
    """The stream told at a stretch: from where a replay would have to begin before each step, and which calls go on; what ended
    at each step.
    """

    needs: list[float] = field(default_factory=list)
    live: list[set[CallId]] = field(default_factory=list)
    ended: list[dict[CallId, dict[str, Any]]] = field(default_factory=list)


def told_whole(steps: list[Step]) -> Whole:
    tracker, whole, seen_until = a_tracker(), Whole(), steps[0][0]
    for at, what in steps:
        needed = tracker.needed_from()
        whole.needs.append(seen_until if needed is None else min(seen_until, needed))
        whole.live.append(set(tracker.live_ids()))
        whole.ended.append(endings(events_of([(at, what)], tracker)))
        seen_until = at
    return whole


def endings(events: list[TrackerEvent]) -> dict[CallId, dict[str, Any]]:
    return {event.call.call_id: call_document(event.call) for event in events if isinstance(event, CallEnded)}


def told_again(steps: list[Step], whole: Whole, *, noted: int, crash: int) -> dict[CallId, dict[str, Any]]:
    """What a service says that was killed before step `crash`, and that wrote its last note before step `noted`."""
    first = next(place for place, (at, _) in enumerate(steps) if at >= whole.needs[noted])
    lost = max((at for at, what in steps[:first] if what == "closed"), default=None)
    tracker = a_tracker()
    stream = MidStream(tracker, lost=lost)
    events: list[TrackerEvent] = []
    for place, (at, what) in enumerate(steps[first:], first):
        if place == noted:
            stream.noted(whole.live[noted])
            events.clear()  # what ended before is stored
        if place == crash:
            stream.finish()
        source = stream if place < crash else tracker
        if isinstance(what, AmiEvent):
            events += source.feed(what, at)
        elif what == "closed":
            events += source.disconnected(at)
        elif what == "end":
            events += tracker.finish(at)
    return endings(events)


def check_every_cut(steps: list[Step], *, every: int, lag: int, first: int = 1) -> None:
    """`lag`: how many steps the last note is older than the crash."""
    whole = told_whole(steps)
    truth = {call_id: call for ended in whole.ended for call_id, call in ended.items()}
    for crash in range(first, len(steps), every):
        noted = max(1, crash - lag)
        unstored = {call_id for ended in whole.ended[noted:] for call_id in ended}

        told = told_again(steps, whole, noted=noted, crash=crash)

        assert {call_id: truth.get(call_id) for call_id in told} == told, f"a ghost, or a call told by half: crash at {crash}"
        assert unstored <= told.keys(), f"lost: crash at {crash}"


@pytest.mark.parametrize("name", names())
def test_a_crash_at_any_event_changes_no_call(name: str) -> None:
    every = EVERY * 20 if name == "burst_40" else EVERY
    steps = steps_of(name)

    check_every_cut(steps, every=every, lag=0, first=1 + len(name) % every)
    check_every_cut(steps, every=2 * every, lag=12)


def with_agents_of_its_own(name: str, place: int) -> list[AmiEvent]:
    """The events of a recording, its agents renamed: an agent cannot be in the calls of two recordings at once."""
    data = re.sub(rb"\b100([1-9])\b", rb"1%d00\1" % place, (TRACES / f"{name}.ami").read_bytes())
    codec = AmiCodec(expects=lambda _: True)
    return [message for message in codec.receive(data) if isinstance(message, AmiEvent)]


@pytest.mark.parametrize("seed", range(8))
def test_a_crash_changes_no_call_of_many_that_overlap(seed: int) -> None:
    """Recordings told through each other, as in a busy centre: something always goes on."""
    random = Random(seed)
    whole = [name for name in names() if not name.startswith(("ami_gap", "pbx_", "burst"))]
    steps: list[Step] = []
    begins = 0.0
    for place, name in enumerate(random.sample(whole, 8)):
        times = [at for at, what in steps_of(name) if isinstance(what, AmiEvent)]
        events = with_agents_of_its_own(name, place)
        steps += [(begins + at - times[0], event) for at, event in zip(times, events, strict=True)]
        begins += random.uniform(0.0, 5.0)
    steps.sort(key=lambda step: step[0])

    check_every_cut([*steps, (steps[-1][0] + 1, "end")], every=EVERY * 4, lag=random.choice((0, 10, 40)))
