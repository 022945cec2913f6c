"""A site may have CEL write less (`events`, `apps` in cel.conf): what is left out is not known, which is not the same as no."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cti_bridge.domain.call import Outcome
from cti_bridge.domain.recorded_call import RecordedCall
from tests.support.record_samples import a_record, cel_of, queue_log_of, read_day

BRIDGES = ('"BRIDGE_ENTER', '"BRIDGE_EXIT')


def is_application(line: str) -> bool:
    return line.startswith(('"APP_START', '"APP_END'))


async def without(
    tmp_path: Path, name: str, left_out: Callable[[str], bool], *, queue_log: bool = False
) -> tuple[RecordedCall, ...]:
    master = tmp_path / "Master.csv"
    lines = cel_of(name).read_text("utf-8").splitlines(keepends=True)
    master.write_text("".join(line for line in lines if not left_out(line)))
    read = await read_day(a_record(cel=master, queue_log=queue_log_of(name) if queue_log else None))
    return read.calls


async def test_without_applications_the_queue_is_not_known_unless_queue_log_tells_it(tmp_path: Path) -> None:
    alone = await without(tmp_path, "burst_40", is_application)
    both = await without(tmp_path, "burst_40", is_application, queue_log=True)

    assert {call.queues for call in alone} == {None}
    assert {call.outcome for call in alone} <= {Outcome.ANSWERED, None}
    assert {call.queues for call in both} == {call.queues for call in await without(tmp_path, "burst_40", lambda line: False)}


async def test_without_bridges_nothing_is_said_of_talks(tmp_path: Path) -> None:
    calls = await without(tmp_path, "burst_40", lambda line: line.startswith(BRIDGES))

    assert len(calls) == 40
    assert {(call.answered_by, call.outcome, call.talk_s, call.hung_up_by, call.transfers) for call in calls} == {(None,) * 5}
    assert None not in {call.queues for call in calls}


@pytest.mark.parametrize("name", ["xfer_blind_refer_agent", "xfer_attended_refer"])
async def test_without_linkedids_end_and_streams_all_is_told(tmp_path: Path, name: str) -> None:
    """`events` of an ordinary site: no LINKEDID_END, no STREAM_*, no DTMF."""
    (call,) = await without(tmp_path, name, lambda line: line.startswith(('"LINKEDID', '"STREAM', '"DTMF', '"ANSWER')))

    (whole,) = await without(tmp_path, name, lambda line: False)
    assert (call.answered_by, call.transfers, call.talk_s, call.hung_up_by) == (
        whole.answered_by, whole.transfers, whole.talk_s, whole.hung_up_by,
    )  # fmt: skip
