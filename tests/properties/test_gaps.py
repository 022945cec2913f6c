"""Gaps cut into every recorded call: nobody is rung twice, no call is doubled or hangs, and what goes on keeps its name."""

from collections import Counter
from datetime import datetime

import pytest

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.call import CallId
from cti_bridge.domain.call_events import CallEnded, CallOffered, TrackerEvent
from cti_bridge.tracking.draft import moment
from tests.support.gap_traces import cut
from tests.support.replayed import Step, calls_of, events_of, names, steps_of

IDENTITY = (
    "direction", "customer_number", "did", "queues", "offered_to", "rang_no_answer", "answered_by", "outcome", "transfers",
    "hung_up_by", "held", "parked", "conference",
)  # fmt: skip
SURE_SECONDS = 0.02
"""A call that begins or ends as close to a gap's edge may be on either side of it."""
LOSSES = (6, 30)
STRIDE = 8


def whole_steps(name: str) -> list[Step]:
    """The recording without the end of its connection."""
    steps = [step for step in steps_of(name) if step[1] not in {"closed", "end"}]
    return [*steps, (steps[-1][0], "end")]


ONE_CONNECTION = [name for name in names() if name != "burst_40" and [what for _, what in steps_of(name)].count("open") == 1]


def windows(steps: list[Step]) -> list[tuple[int, int]]:
    first = next(index for index, (_, what) in enumerate(steps) if isinstance(what, AmiEvent))
    return [(lost, min(len(steps) - 1, lost + count)) for lost in range(first, len(steps) - 1, STRIDE) for count in LOSSES]


def offers(events: list[TrackerEvent]) -> Counter[tuple[CallId, str, int]]:
    return Counter((event.call.call_id, event.agent, event.nth) for event in events if isinstance(event, CallOffered))


def unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


LINGERS = frozenset({"q_agent_announcement_abandon", "park_giveup"})
"""The customer hung up, and the PBX keeps the channel for a while: not over for a listing."""
UNTOLD = frozenset({"internal_attended_by_caller", "internal_blind_by_caller"})
"""The agent who called the other is the call's customer; transferred away unseen, nothing says whose place the third one took."""
TORN = frozenset(
    {
        "xfer_blonde_dtmf_recall", "xfer_blonde_refer", "xfer_blonde_refer_no_answer", "out_attended_transfer",
        "out_attended_ami", "out_threeway", "consult_customer_gives_up", "recall_declined", "local_n_blonde_refer",
        "optimised_blonde", "internal_attended_by_caller", "internal_blind_by_caller",
    }
)  # fmt: skip
"""Two legs of one agent, and what joined them may be lost or not have come yet: they then look like two calls."""


@pytest.mark.parametrize("late", [0, 4], ids=["at once", "with events on their way"])
@pytest.mark.parametrize("name", ONE_CONNECTION)
def test_a_gap_anywhere_rings_nobody_twice_and_doubles_no_call(name: str, late: int) -> None:
    steps = whole_steps(name)
    whole = {call["call_id"]: call for call in calls_of(events_of(steps))}

    for lost, back in windows(steps):
        events = events_of(cut(steps, lost, back, late=late))
        calls = {call["call_id"]: call for call in calls_of(events)}

        assert max(offers(events).values(), default=0) <= 1, (lost, back)
        if name not in TORN:
            assert set(calls) <= set(whole), (lost, back)
        for call in calls.values():
            assert call["state"] == "ended"
            assert call["started_at"] <= call["ended_at"]


@pytest.mark.parametrize("name", [name for name in ONE_CONNECTION if name not in UNTOLD])
def test_a_call_that_is_alive_on_both_sides_goes_on_to_its_own_end(name: str) -> None:
    steps = whole_steps(name)
    whole = calls_of(events_of(steps))

    for lost, back in windows(steps):
        lost_at, back_at = steps[lost][0], steps[back - 1][0]
        calls = {call["call_id"]: call for call in calls_of(events_of(cut(steps, lost, back)))}

        for call in whole:
            if unix(call["started_at"]) < lost_at - SURE_SECONDS and unix(call["ended_at"]) > back_at + SURE_SECONDS:
                assert unix(calls[call["call_id"]]["ended_at"]) == pytest.approx(unix(call["ended_at"]), abs=1.0), (lost, back)


@pytest.mark.parametrize("name", [name for name in ONE_CONNECTION if name not in LINGERS])
def test_a_call_that_ended_unseen_is_closed_at_the_end_of_the_listings_and_marked(name: str) -> None:
    steps = whole_steps(name)
    whole = calls_of(events_of(steps))

    for lost, back in windows(steps):
        lost_at, back_at = steps[lost][0], steps[back - 1][0]
        closed = {e.call.call_id: e.call for e in events_of(up_to_listings(cut(steps, lost, back))) if isinstance(e, CallEnded)}

        for call in whole:
            began, ended = unix(call["started_at"]), unix(call["ended_at"])
            if began < lost_at - SURE_SECONDS and lost_at + SURE_SECONDS < ended < back_at - SURE_SECONDS:
                told = closed[CallId(call["call_id"])]
                assert (told.estimated, told.ended_at) == (True, moment(lost_at)), (lost, back)


def up_to_listings(steps: list[Step]) -> list[Step]:
    """To the end of the listings after the gap."""
    closed = next(index for index, (_, what) in enumerate(steps) if what == "closed")
    ends = (i for i, (_, what) in enumerate(steps) if isinstance(what, AmiEvent) and what.name == "ParkedCallsComplete")
    return steps[: next(end for end in ends if end > closed) + 1]


def test_most_calls_are_told_right_although_much_of_them_is_lost() -> None:
    """Six to sixty events of a call are lost; what happened in the gap and left no trace cannot be told."""
    right = alive = 0

    for name in ONE_CONNECTION:
        steps = whole_steps(name)
        whole = calls_of(events_of(steps))
        for lost, back in windows(steps):
            calls = {call["call_id"]: call for call in calls_of(events_of(cut(steps, lost, back)))}
            for call in whole:
                began, ended = unix(call["started_at"]), unix(call["ended_at"])
                if began < steps[lost][0] - SURE_SECONDS and ended > steps[back - 1][0] + SURE_SECONDS:
                    alive += 1
                    told = calls.get(call["call_id"], {})
                    right += all(told.get(key) == call[key] for key in IDENTITY)

    assert alive > 400
    assert right >= 0.75 * alive
