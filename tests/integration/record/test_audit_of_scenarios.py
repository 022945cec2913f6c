"""The audit over the recorded scenarios: what the tracker told of each, against what that same Asterisk wrote down."""

from datetime import timedelta

import pytest

from cti_bridge.domain.call import Call
from cti_bridge.domain.call_events import CallEnded
from cti_bridge.record.audit import Comparison, Difference, Window
from cti_bridge.record.backfill import added_call, corrected_call
from tests.support.record_samples import RECORDED_ON, a_record, cdr_of, cel_of, queue_log_of, read_day, recorded_names
from tests.support.records import stored_of
from tests.support.replayed import events_of, steps_of

UNSEEN = {
    "ami_gap_abandon_in_gap": {("wrong", "hung_up_by"), ("wrong", "outcome")},
    "ami_gap_end_in_gap": {("wrong", "hung_up_by")},
    "ami_gap_whole_call": {("lost", None)},
}
"""What AMI cannot know: the link was cut on purpose."""


async def differences(name: str, calls: list[Call], *, sources: str = "cel queue_log") -> list[Difference]:
    files = {"cel": cel_of(name), "queue_log": queue_log_of(name), "cdr": cdr_of(name)}
    read = await read_day(a_record(**{source: files[source] for source in sources.split() if files[source].exists()}))
    until = RECORDED_ON + timedelta(days=1)
    window = Window(since=RECORDED_ON, until=until, oldest=read.oldest, newest=read.newest, now=until)
    comparison = Comparison(read.calls, window, sources=read.sources)
    for call in calls:
        comparison.feed(stored_of(call))
    return list(comparison.differences())


def told_by_the_tracker(name: str) -> list[Call]:
    return [event.call for event in events_of(steps_of(name)) if isinstance(event, CallEnded)]


@pytest.mark.parametrize("name", recorded_names())
async def test_store_and_record_agree_on_every_scenario(name: str):
    found = await differences(name, told_by_the_tracker(name))

    assert {(one.kind.value, one.field) for difference in found for one in difference.findings} == UNSEEN.get(name, set())


@pytest.mark.parametrize("name", recorded_names())
async def test_a_store_filled_from_the_record_alone_agrees_with_it(name: str):
    """Every call lost, every call added: then nothing is left to find."""
    lost = await differences(name, [])

    added = [added_call(difference.recorded) for difference in lost if difference.recorded is not None]

    assert {finding.kind.value for difference in lost for finding in difference.findings} <= {"lost"}
    assert len(added) == len(lost) >= 1
    assert await differences(name, added) == []


@pytest.mark.parametrize("name", sorted(UNSEEN.keys() - {"ami_gap_whole_call"}))
async def test_a_call_that_ended_unseen_is_corrected_from_the_record(name: str):
    calls = told_by_the_tracker(name)
    (difference,) = await differences(name, calls)
    assert difference.recorded is not None
    assert difference.stored is not None

    corrected = corrected_call(difference.stored, difference.recorded, difference.fields)

    others = [call for call in calls if call.call_id != corrected.call_id]
    assert await differences(name, [*others, corrected]) == []


@pytest.mark.parametrize("sources", ["queue_log", "cdr", "queue_log cdr"])
@pytest.mark.parametrize("name", sorted(set(recorded_names()) - UNSEEN.keys()))
async def test_a_poorer_record_finds_nothing_false(name: str, sources: str):
    if not any(path.exists() for path in (cdr_of(name), queue_log_of(name))):
        pytest.skip("this scenario left neither")

    found = await differences(name, told_by_the_tracker(name), sources=sources)

    assert [finding for difference in found for finding in difference.findings] == []
