"""Recorded traces and the truth of what happened in them: tests/traces holds both, recorded on a real Asterisk 22."""

import json
import re
from pathlib import Path
from typing import Any

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.trace import Chunk, read_trace
from cti_bridge.domain.call import call_document
from cti_bridge.domain.call_events import CallArrived, CallEnded, TrackerEvent
from cti_bridge.tracking.tracker import CallTracker

TRACES = Path(__file__).parent.parent / "traces"
INTERNAL = re.compile("^[1-9][0-9]{2,4}$")

Step = tuple[float, AmiEvent | str]
"""A moment and what came then: an event, or `open` and `closed` of the connection, or `end` of the recording."""


def names() -> list[str]:
    """The recorded scenarios."""
    return sorted(path.name.removesuffix(".truth.json") for path in TRACES.glob("*.truth.json"))


def truth_of(name: str) -> list[dict[str, Any]]:
    """What really happened, call by call."""
    calls: list[dict[str, Any]] = json.loads((TRACES / f"{name}.truth.json").read_text("utf-8"))["calls"]
    return calls


def steps_of(name: str) -> list[Step]:
    """The trace as the tracker meets it."""
    steps: list[Step] = []
    codec = AmiCodec(expects=lambda _: True)
    for item in read_trace(TRACES / f"{name}.ami", TRACES / f"{name}.ts"):
        at = item.wall or 0.0
        if isinstance(item, Chunk):
            steps.extend((at, message) for message in codec.receive(item.data) if isinstance(message, AmiEvent))
        else:
            codec = AmiCodec(expects=lambda _: True)
            steps.append((at, item.kind))
    return steps


def events_of(steps: list[Step], tracker: CallTracker | None = None) -> list[TrackerEvent]:
    """All that the tracker says about these steps."""
    tracker = tracker or a_tracker()
    out: list[TrackerEvent] = []
    for at, what in steps:
        if isinstance(what, AmiEvent):
            out.extend(tracker.feed(what, at))
        elif what == "closed":
            out.extend(tracker.disconnected(at))
        elif what == "end":
            out.extend(tracker.finish(at))
    return out


def a_tracker() -> CallTracker:
    return CallTracker("main", region=None, internal=INTERNAL)


def calls_of(events: list[TrackerEvent]) -> list[dict[str, Any]]:
    """The ended calls in order of arrival; each must have ended exactly once."""
    arrived = [event.call.call_id for event in events if isinstance(event, CallArrived)]
    ended = [event.call for event in events if isinstance(event, CallEnded)]
    by_id = {call.call_id: call_document(call) for call in ended}
    assert len(ended) == len(by_id)
    assert sorted(arrived) == sorted(by_id)
    return [by_id[call_id] for call_id in arrived]
