"""Whatever the service missed of a call, the PBX's own record makes good: AMI events lost one by one and by the half."""

import random
from datetime import timedelta

import pytest

from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.audit import StoredCall
from cti_bridge.domain.call import CallId
from cti_bridge.domain.call_events import CallEnded
from cti_bridge.record.audit import Comparison, Difference, Window
from cti_bridge.record.backfill import added_call, corrected_call
from cti_bridge.record.reader import RecordRead
from tests.support.record_samples import RECORDED_ON, a_record, cel_of, queue_log_of, read_day, recorded_names
from tests.support.records import stored_of
from tests.support.replayed import Step, events_of, steps_of

TRIES = 4


def stored_after(steps: list[Step]) -> dict[CallId, StoredCall]:
    ended = [event.call for event in events_of(steps) if isinstance(event, CallEnded)]
    return {call.call_id: stored_of(call) for call in ended}


def differences(read: RecordRead, stored: dict[CallId, StoredCall]) -> list[Difference]:
    until = RECORDED_ON + timedelta(days=1)
    window = Window(since=RECORDED_ON, until=until, oldest=read.oldest, newest=read.newest, now=until)
    comparison = Comparison(read.calls, window, sources=read.sources)
    for one in stored.values():
        comparison.feed(one)
    return list(comparison.differences())


def mended(stored: dict[CallId, StoredCall], found: list[Difference]) -> dict[CallId, StoredCall]:
    stored = dict(stored)
    for one in found:
        for extra in one.extras:
            del stored[extra]
        if one.recorded is None:
            del stored[one.call_id]
        elif one.stored is not None:
            stored[one.call_id] = stored_of(corrected_call(one.stored, one.recorded, one.fields))
        elif not one.extras:
            stored[one.call_id] = stored_of(added_call(one.recorded))
    return stored


async def record_of(name: str) -> RecordRead:
    return await read_day(a_record(cel=cel_of(name), queue_log=queue_log_of(name)))


@pytest.mark.parametrize("name", recorded_names())
async def test_one_lost_event_is_made_good(name: str) -> None:
    read, steps, chance = await record_of(name), steps_of(name), random.Random(name)
    places = [place for place, (_, what) in enumerate(steps) if isinstance(what, AmiEvent)]

    for place in chance.sample(places, min(TRIES, len(places))):
        stored = stored_after(steps[:place] + steps[place + 1 :])
        left = differences(read, mended(stored, differences(read, stored)))
        assert left == [], steps[place][1]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", recorded_names())
async def test_many_lost_events_are_made_good(name: str, share: float) -> None:
    read, steps, chance = await record_of(name), steps_of(name), random.Random(name)

    stored = stored_after([step for step in steps if isinstance(step[1], str) or chance.random() > share])

    assert differences(read, mended(stored, differences(read, stored))) == []
