"""The tracker's calls from the AMI stream against the record's calls from CEL: two codes, two sources, one truth.

This is what the audit relies on: where nothing was lost, they agree, field by field.
"""

from typing import Any

import pytest

from cti_bridge.domain.call import Call
from cti_bridge.domain.call_events import CallEnded
from cti_bridge.domain.recorded_call import RecordedCall
from tests.support.record_samples import a_record, cdr_of, cel_of, queue_log_of, read_day, recorded_names
from tests.support.replayed import events_of, steps_of

WHOLE = [name for name in recorded_names() if not name.startswith("ami_gap")]
"""In the others the AMI link was down for a while: there the record knows more."""
ORDER_OF_RINGS = {"q_mixq_local_optimised_agent_hangs_up"}
HEARD_LATE = {"q_agent_announcement_abandon"}
"""The caller hung up in the agent's announcement: AMI tells at once, CEL with the announcement's end."""
MARGIN_SECONDS = 0.5


def both(call: Call, record: RecordedCall, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each says, as far as the record says it."""
    stored = {
        "direction": call.direction,
        "customer_number": call.customer_number,
        "did": call.did,
        "queues": call.queues,
        "offered_to": call.offered_to,
        "answered_by": call.answered_by,
        "outcome": call.outcome,
        "hung_up_by": call.hung_up_by,
        "transfers": tuple((one.from_agent, one.to) for one in call.transfers),
    }
    recorded = {key: getattr(record, key) for key in stored}
    if record.transfers is not None:
        recorded["transfers"] = tuple((one.from_agent, one.to) for one in record.transfers)
    if name in ORDER_OF_RINGS:
        stored["offered_to"], recorded["offered_to"] = sorted(call.offered_to), sorted(record.offered_to or ())
    return {key: value for key, value in stored.items() if recorded[key] is not None}, {
        key: value for key, value in recorded.items() if value is not None
    }


@pytest.mark.parametrize("name", WHOLE)
async def test_tracker_and_record_agree_on_every_call(name: str) -> None:
    read = await read_day(a_record(cel=cel_of(name), cdr=cdr_of(name), queue_log=queue_log_of(name)))
    recorded = {call.call_id: call for call in read.calls}
    tracked = {event.call.call_id: event.call for event in events_of(steps_of(name)) if isinstance(event, CallEnded)}

    assert recorded.keys() == tracked.keys()
    for call_id, record in recorded.items():
        call = tracked[call_id]
        stored, told = both(call, record, name)
        assert stored == told
        times = [(call.started_at, record.started_at), (call.answered_at, record.answered_at), (call.ended_at, record.ended_at)]
        for ours, theirs in times:
            if ours is not None and theirs is not None and name not in HEARD_LATE:
                assert abs((ours - theirs).total_seconds()) < MARGIN_SECONDS
        if record.talk_s is not None:
            assert call.talk_s == pytest.approx(record.talk_s, abs=MARGIN_SECONDS)
