"""What queue_log and CDR tell alone, and together: less than CEL, but what they tell is right."""

from typing import Any

import pytest

from cti_bridge.domain.call import Direction
from cti_bridge.domain.recorded_call import RecordedCall
from tests.integration.record.test_truth import told
from tests.support.record_samples import a_record, cdr_of, queue_log_of, read_day, recorded_names
from tests.support.replayed import truth_of

BEYOND_CDR = {"c2c_local_no_answer", "pbx_kill9_talking", "ami_gap_whole_call"}
"""The number to call shows in CEL only; a killed PBX writes no CDR; a call that AMI never told of."""
ABANDON_IS_MORE = {
    "abs_timeout_waiting", "ami_hangup_waiting", "ami_gap_abandon_in_gap", "pbx_restart_ringing", "c2c_while_transferred_waits",
    "xfer_blind_dtmf_queue",
}  # fmt: skip
"""queue_log says ABANDON whoever hung up, and knows nothing of an agent before the queue."""


def right(said: dict[str, Any], truth: dict[str, Any], *, but: set[str]) -> None:
    whole = {**truth, "transfers": [(one["from"], one["to"]) for one in truth["transfers"]]}
    assert {key: value for key, value in said.items() if value is not None and key not in but} == {
        key: whole[key] for key, value in said.items() if value is not None and key not in but
    }


def of_truth(truth: dict[str, Any], calls: tuple[RecordedCall, ...]) -> RecordedCall | None:
    return next((call for call in calls if call.call_id == f"main:{truth.get('uniqueid')}"), None) or next(
        (call for call in calls if call.customer_number == truth["customer_number"]), None
    )


@pytest.mark.parametrize("name", [name for name in recorded_names() if name not in BEYOND_CDR])
async def test_cdr_alone_tells_every_call_once(name: str) -> None:
    read = await read_day(a_record(cdr=cdr_of(name)))

    assert read.problems == ()
    truths = truth_of(name)
    assert len(read.calls) == len(truths)
    for truth in truths:
        call = of_truth(truth, read.calls)
        assert call is not None
        right(told(call), truth, but=set())


@pytest.mark.parametrize("name", recorded_names())
async def test_queue_log_alone_tells_the_customers_who_waited(name: str) -> None:
    read = await read_day(a_record(queue_log=queue_log_of(name)))

    assert read.problems == ()
    found = [(truth, call) for truth in truth_of(name) if (call := of_truth(truth, read.calls)) is not None]
    assert len(found) == len(read.calls) - (name == "ami_gap_whole_call")
    for truth, call in found:
        assert call.direction is Direction.INBOUND
        right(told(call), truth, but={"outcome"} if name in ABANDON_IS_MORE else set())


@pytest.mark.parametrize("name", [name for name in recorded_names() if name not in BEYOND_CDR])
async def test_together_they_tell_each_call_once(name: str) -> None:
    read = await read_day(a_record(queue_log=queue_log_of(name), cdr=cdr_of(name)))

    truths = truth_of(name)
    assert len(read.calls) == len(truths)
    for truth in truths:
        call = of_truth(truth, read.calls)
        assert call is not None
        right(told(call), truth, but={"outcome"} if name in ABANDON_IS_MORE else set())


@pytest.mark.parametrize("name", ["q_first_agent", "xfer_chain", "q_timeout"])
async def test_what_cel_has_lost_is_told_by_the_others(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """CEL was switched on late: of the call before it only queue_log and CDR tell."""
    elsewhere = tmp_path_factory.mktemp("cel") / "Master.csv"
    elsewhere.touch()

    read = await read_day(a_record(cel=elsewhere, queue_log=queue_log_of(name), cdr=cdr_of(name)))

    (call,) = read.calls
    assert call.call_id == f"main:{truth_of(name)[0]['uniqueid']}"
    assert sorted(call.sources) == ["cdr", "queue_log"]
