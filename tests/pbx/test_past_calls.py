"""The record of a real Asterisk, read while it writes: the calls as the service saw them, through rotation, forgery, a crash."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import RecordSettings
from cti_bridge.domain.recorded_call import RecordedCall
from cti_bridge.record.reader import PbxRecord, RecordRead
from tests.support.cti_client import until
from tests.support.pbx_lab import Lab
from tests.support.record_samples import INTERNAL
from tests.support.service import Service

pytestmark = pytest.mark.pbx

AT_MOST = timedelta(milliseconds=500)


async def record_of(lab: Lab, began: datetime) -> RecordRead:
    """What the record tells since `began`; calls of before that never ended (a PBX that was killed) are left out."""
    files = RecordSettings(cel_csv=lab.pbx.cel_csv, cdr_csv=lab.pbx.cdr_csv, queue_log=lab.pbx.queue_log)
    record = PbxRecord("main", files, internal=INTERNAL, region="GB")
    read = await record.calls(began, datetime.now(UTC) + timedelta(seconds=1))
    return replace(read, calls=tuple(call for call in read.calls if call.started_at >= began))


async def ended_call(lab: Lab, began: datetime) -> RecordedCall:
    """The one call since `began`, once the PBX has written its end."""
    found: list[RecordedCall] = []

    async def is_over() -> bool:
        found[:] = (await record_of(lab, began)).calls
        return bool(found) and all(call.ended_at is not None for call in found)

    await until(is_over)
    (call,) = found
    return call


def same(stored: dict[str, Any], call: RecordedCall) -> None:
    for key in ("call_id", "direction", "customer_number", "did", "outcome", "hung_up_by"):
        assert stored[key] == getattr(call, key), key
    for key in ("queues", "offered_to", "answered_by"):
        assert tuple(stored[key]) == getattr(call, key), key
    assert call.transfers is not None
    assert [(one["from"], one["to"]) for one in stored["transfers"]] == [(one.from_agent, one.to) for one in call.transfers]
    for key in ("started_at", "answered_at", "ended_at"):
        assert abs(datetime.fromisoformat(stored[key]) - getattr(call, key)) < AT_MOST, key
    assert stored["talk_s"] == pytest.approx(call.talk_s, abs=AT_MOST.total_seconds())


async def test_an_attended_transfer_is_the_same_in_the_record_though_its_files_are_rotated(lab: Lab, service: Service) -> None:
    await lab.only("support", "1001")
    first, second, carrier = await lab.phone("1001"), await lab.phone("1005"), await lab.carrier()
    supervisor = await service.person("sam")
    began = datetime.now(UTC)

    customer = carrier.call("8001", number="02079460018", name='Zoë "张伟" | ,;')
    agent = await first.next_call()
    agent.answer()
    await supervisor.event("call.answered")
    for file in (lab.pbx.cel_csv, lab.pbx.cdr_csv, lab.pbx.queue_log):
        if file.exists():
            file.rename(file.with_name(f"{file.name}.1"))
    lab.pbx.command("logger reload")  # as logrotate has it
    await agent.hold()
    consultation = first.call("1005")
    target = await second.next_call()
    target.answer()
    await consultation.answered()
    await agent.refer("1005", replaces=consultation)
    await supervisor.event("call.transferred")
    await lab.through("1005")
    customer.hang_up()
    ended = await supervisor.event("call.ended")
    stored = await supervisor.stored(ended["call"]["call_id"])
    call = await ended_call(lab, began)

    same(stored, call)


async def test_lines_that_a_caller_forges_make_no_call(lab: Lab) -> None:
    """`%0d%0a` in the user part of the SIP From goes unescaped into CEL, CDR and queue_log (Asterisk 22)."""
    began = datetime.now(UTC)
    before = await record_of(lab, began)
    await lab.only("support", "1001")
    phone, carrier = await lab.phone("1001"), await lab.carrier()

    forged = f"0611%0d%0a{int(began.timestamp())}%7c99.1%7cvip%7cNONE%7cENTERQUEUE%7c%7c06%7c1%0d%0a%7c1"
    customer = carrier.call("8001", from_header=f"<sip:{forged}@{carrier.address}>")
    agent = await phone.next_call()
    agent.answer()
    await lab.through("1001")
    customer.hang_up()
    call = await ended_call(lab, began)
    read = await record_of(lab, began)

    assert (call.queues, call.answered_by, call.hung_up_by) == (("support",), ("1001",), "customer")
    assert "vip" not in {queue for one in read.calls for queue in one.queues or ()}
    problems = [problem for problem in read.problems if problem not in before.problems]
    assert any("line end in it" in problem.what or "forged" in problem.what for problem in problems)
    assert {problem.file for problem in problems} == {str(lab.pbx.queue_log)}


async def test_a_call_in_which_the_pbx_was_killed_is_told_as_lost_by_the_system(lab: Lab) -> None:
    began = datetime.now(UTC)
    await lab.only("support", "1001")
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    carrier.call("8001", number="02079460019")
    agent = await phone.next_call()
    agent.answer()
    await lab.through("1001")
    carrier.call("8002", number="02079460020")
    await asyncio.sleep(1.0)  # CEL is written by a thread of its own

    lab.pbx.kill()
    lab.pbx.start()
    await asyncio.sleep(1.1)  # the Uniqueid of the next call tells of another second
    after = carrier.call("8100", number="02079460021")
    agent = await phone.next_call()
    agent.answer()
    await agent.ended() if after.hang_up() else None
    calls = (await record_of(lab, began)).calls

    assert [(call.customer_number, call.outcome, call.hung_up_by) for call in calls[:2]] == [
        ("+442079460019", "answered", "system"),
        ("+442079460020", "lost", "system"),
    ]
