"""What the PBX wrote tells each recorded call as it happened: read independently of the tracker, against the script's truth."""

from typing import Any

import pytest

from cti_bridge.domain.recorded_call import RecordedCall
from tests.support.record_samples import a_record, cdr_of, cel_of, queue_log_of, read_day, recorded_names
from tests.support.replayed import truth_of

SECONDS = 1.1
UNSEEN_BY_AMI = {"ami_gap_abandon_in_gap": {"outcome", "hung_up_by"}, "ami_gap_end_in_gap": {"hung_up_by"}}
"""Their truth says what can be known after a gap of the AMI link; the PBX itself knows better."""
ONLY_ON_THE_WIRE = {"q_agent_announcement_abandon": {"ended"}}
"""The PBX hears of the hang-up after the announcement only."""
ORDER_OF_RINGS = {"q_mixq_local_optimised_agent_hangs_up"}
"""CEL has the order of dialling, and a Local channel takes its time to ring."""
WITHIN_A_GAP = {"ami_gap_whole_call"}
"""Here the record has a call that AMI never told of."""


def told(call: RecordedCall) -> dict[str, Any]:
    """What the record says of a call, by the truth's names; None where it does not say."""
    transfers = None if call.transfers is None else [(one.from_agent, one.to) for one in call.transfers]
    return {
        "direction": call.direction,
        "customer_number": call.customer_number,
        "did": call.did,
        "queues": _list(call.queues),
        "offered_to": _list(call.offered_to),
        "answered_by": _list(call.answered_by),
        "outcome": call.outcome,
        "hung_up_by": call.hung_up_by,
        "transfers": transfers,
    }


def meant(name: str, truth: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The truth, where the record says anything at all."""
    whole = {**truth, "transfers": [(one["from"], one["to"]) for one in truth["transfers"]]}
    if name in ORDER_OF_RINGS:
        whole["offered_to"] = sorted(whole["offered_to"])
    unseen = UNSEEN_BY_AMI.get(name, set())
    return {key: value if value is None or key in unseen else whole[key] for key, value in said.items()}


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def paired(name: str, calls: tuple[RecordedCall, ...]) -> list[tuple[dict[str, Any], RecordedCall]]:
    """Truth and call: by the channel's Uniqueid where the script learnt it, else by the number."""
    left = list(calls)
    pairs = []
    for truth in truth_of(name):
        call = next((c for c in left if c.call_id == f"main:{truth.get('uniqueid')}"), None) or next(
            c for c in left if c.customer_number == truth["customer_number"]
        )
        left.remove(call)
        pairs.append((truth, call))
    assert len(left) == (1 if name in WITHIN_A_GAP else 0)
    return pairs


@pytest.mark.parametrize("name", recorded_names())
async def test_the_record_tells_each_call_as_it_happened(name: str) -> None:
    read = await read_day(a_record(cel=cel_of(name), cdr=cdr_of(name), queue_log=queue_log_of(name)))

    assert read.problems == ()
    for truth, call in paired(name, read.calls):
        said = told(call)
        if name in ORDER_OF_RINGS and said["offered_to"] is not None:
            said["offered_to"] = sorted(said["offered_to"])
        assert said == meant(name, truth, said)
        if call.talk_s is not None:
            assert call.talk_s == pytest.approx(truth["talk_s"], abs=SECONDS)
        end = call.answered_at or call.ended_at
        if end is not None and name not in ONLY_ON_THE_WIRE:
            assert (end - call.started_at).total_seconds() == pytest.approx(truth["wait_s"], abs=SECONDS)
