"""Every call of a busy PBX is found, once: the load trace of the bench against what a plain search of its bytes says."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.load_trace import INTERNAL, arrivals, events, load_bytes
from cti_bridge.replay import replay_calls

_UNIQUEID = re.compile(rb"\r\nUniqueid: (\S+)\r\n")


@pytest.fixture(scope="module")
def data() -> bytes:
    return load_bytes()


@pytest.fixture(scope="module")
def calls(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    trace = tmp_path_factory.mktemp("load") / Path("load.ami")
    trace.write_bytes(data)
    return list(replay_calls(trace, None, pbx="main", region="GB", internal=INTERNAL))


def of_event(data: bytes, name: bytes) -> Iterator[str]:
    """The call ids of the customers' channels that this event names."""
    for event in events(data):
        if event.startswith(b"Event: %s\r\n" % name) and b"\r\nChannel: PJSIP/trunk-" in event:
            found = _UNIQUEID.search(event + b"\r\n")
            assert found is not None
            yield f"main:{found[1].decode()}"


def test_every_call_is_found_and_none_twice(data: bytes, calls: list[dict[str, Any]]) -> None:
    there = [f"main:{uid.decode()}" for uid in arrivals(data)]

    found = [call["call_id"] for call in calls]

    assert Counter(found) == Counter(there)
    assert len(found) == 379


def test_the_answered_ones_are_those_that_an_agent_took(data: bytes, calls: list[dict[str, Any]]) -> None:
    answered = [call["call_id"] for call in calls if call["outcome"] == "answered"]

    assert sorted(answered) == sorted(of_event(data, b"AgentConnect"))


def test_the_abandoned_ones_are_those_that_left_the_queue_themselves(data: bytes, calls: list[dict[str, Any]]) -> None:
    """In this trace nothing else (time-out, overflow) makes a caller leave unanswered."""
    abandoned = [call["call_id"] for call in calls if call["outcome"] == "abandoned"]

    assert sorted(abandoned) == sorted(of_event(data, b"QueueCallerAbandon"))


def test_only_calls_whose_end_was_not_recorded_are_estimated(data: bytes, calls: list[dict[str, Any]]) -> None:
    ended = {call["call_id"] for call in calls if not call["estimated"]}

    assert ended == set(of_event(data, b"Hangup"))
