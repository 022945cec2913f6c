"""The laboratory does what it says: real calls through a real Asterisk, seen by a plain AMI reader."""

import asyncio

import pytest

from tests.support.pbx import SERVICE
from tests.support.pbx_lab import Lab, first_ring
from tests.support.sip_call import CallState, End
from tests.support.sipp import call_by_sipp

pytestmark = pytest.mark.pbx


@pytest.mark.usefixtures("sipp")
async def test_sipp_caller_is_answered_by_a_sipp_agent_of_the_queue(lab: Lab) -> None:
    reader = await lab.session(SERVICE)

    async with (
        lab.agent_by_sipp("1001"),
        lab.agent_by_sipp("1002"),
        lab.agent_by_sipp("1003"),
    ):
        await call_by_sipp(lab.network, did="8001", number="0612345678", name="Zoë 张伟", stay_seconds=2)
        completed = await reader.event("AgentComplete")

    joined = await reader.event("QueueCallerJoin", CallerIDNum="0612345678")
    connected = await reader.event("AgentConnect", Uniqueid=joined["Uniqueid"])
    assert (joined["Queue"], joined["CallerIDName"], joined["Position"]) == ("support", "Zoë 张伟", "1")
    assert connected["Interface"] in {"PJSIP/1001", "PJSIP/1002", "PJSIP/1003"}
    assert (completed["Uniqueid"], completed["Reason"]) == (joined["Uniqueid"], "caller")
    await reader.event("Hangup", Uniqueid=joined["Uniqueid"])
    for record in (lab.pbx.cel_csv, lab.pbx.cdr_csv, lab.pbx.queue_log):
        assert joined["Uniqueid"] in record.read_text(), record.name


@pytest.mark.usefixtures("sipp")
async def test_sipp_caller_gives_up_while_a_phone_rings(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    phones = [await lab.phone(extension) for extension in ("1001", "1002", "1003")]

    calling = asyncio.create_task(call_by_sipp(lab.network, did="8001", number="0612345679", stay_seconds=1.5))
    ringing = await first_ring(*phones)
    await calling

    assert await ringing.ended() is End.CANCELLED
    abandoned = await reader.event("QueueCallerAbandon")
    assert (abandoned["CallerIDNum"], abandoned["Queue"]) == ("0612345679", "support")


async def test_next_agent_rings_when_one_rejects(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    phones = [await lab.phone(extension) for extension in ("1001", "1002", "1003")]
    carrier = await lab.carrier()

    customer = carrier.call("8001", number="0612345680")
    first = await first_ring(*phones)
    first.reject()
    second = await first_ring(*phones)
    second.answer()

    missed = await reader.event("AgentRingNoAnswer")
    connected = await reader.event("AgentConnect")
    assert missed["Interface"] == f"PJSIP/{first.phone.user}"
    assert connected["Interface"] == f"PJSIP/{second.phone.user}" != missed["Interface"]
    assert customer.state is CallState.TALKING


async def test_hold_is_seen_and_the_agent_hangs_up(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone = await lab.carrier(), await lab.phone("1001")

    customer = carrier.call("8100", number="0612345681")
    agent = await phone.next_call()
    agent.answer()
    await customer.answered()
    await agent.hold()
    held = await reader.event("Hold")
    await agent.resume()
    await reader.event("Unhold", Channel=held["Channel"])
    agent.hang_up()

    assert await customer.ended() is End.HUNG_UP_THERE
    assert held["Channel"].startswith("PJSIP/1001-")


async def test_blind_transfer_by_refer(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone, colleague = await lab.carrier(), await lab.phone("1001"), await lab.phone("1005")

    customer = carrier.call("8100", number="0612345682")
    agent = await phone.next_call()
    agent.answer()
    await lab.through("1001")
    code = await agent.refer("1005")
    taken = await colleague.next_call()
    taken.answer()
    await taken.answered()

    transferred = await reader.event("BlindTransfer")
    assert (code, transferred["Result"], transferred["Extension"]) == (202, "Success", "1005")
    assert transferred["TransfererChannel"].startswith("PJSIP/1001-")
    assert (await agent.ended(), customer.state) == (End.HUNG_UP, CallState.TALKING)


async def test_attended_transfer_by_refer_with_replaces(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone, colleague = await lab.carrier(), await lab.phone("1001"), await lab.phone("1005")

    customer = carrier.call("8100", number="0612345683")
    agent = await phone.next_call()
    agent.answer()
    await lab.through("1001")
    await agent.hold()
    consultation = phone.call("1005")
    asked = await colleague.next_call()
    asked.answer()
    await consultation.answered()
    code = await agent.refer("1005", replaces=consultation)

    transferred = await reader.event("AttendedTransfer")
    assert (code, transferred["Result"]) == (202, "Success")
    await agent.ended()
    await consultation.ended()
    assert (customer.state, asked.state) == (CallState.TALKING, CallState.TALKING)


async def test_keys_choose_a_queue_in_the_menu(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone = await lab.carrier(), await lab.phone("1004")

    customer = carrier.call("8200", number="0612345684")
    await customer.answered()
    await lab.driver.event("Newexten", Application="Read")
    await customer.press("2")

    joined = await reader.event("QueueCallerJoin")
    assert joined["Queue"] == "sales"
    assert (await phone.next_call()).state is CallState.RINGING


async def test_local_member_of_the_vip_queue_rings_the_phone(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone = await lab.carrier(), await lab.phone("1003")

    carrier.call("8003", number="0612345685")
    agent = await phone.next_call()
    agent.answer()

    assert (await reader.event("AgentConnect"))["Interface"] == "Local/1003@agents/n"


@pytest.mark.usefixtures("sipp")
async def test_a_caller_can_forge_an_event_on_the_wire(lab: Lab) -> None:
    """Asterisk 22.10.1 unescapes the From user and writes it raw: the service must not believe every block it reads."""
    reader = await lab.session(SERVICE)
    hostile = "0612%0d%0a%0d%0aEvent%3A%20Hangup%0d%0aUniqueid%3A%201.1%0d%0aLinkedid%3A%201.1%0d%0a%0d%0aA%3A%20b"

    carrier = asyncio.create_task(call_by_sipp(lab.network, did="8001", number=hostile))
    forged = await reader.event("Hangup", Uniqueid="1.1")
    await carrier

    assert forged == {"Event": "Hangup", "Uniqueid": "1.1", "Linkedid": "1.1"}
    assert b"\r\nCallerIDNum: 0612\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\n\r\nA: b\r\n" in reader.raw


async def test_all_phones_of_a_ringall_queue_ring_and_one_wins(lab: Lab) -> None:
    phones = [await lab.phone(extension) for extension in ("1004", "1005", "1006")]
    carrier = await lab.carrier()

    carrier.call("8002", number="0612345686")
    first = await first_ring(*phones)
    others = [await phone.next_call() for phone in phones if phone is not first.phone]
    first.answer()

    assert [await call.ended() for call in others] == [End.CANCELLED, End.CANCELLED]
    assert first.state is CallState.TALKING


async def test_cutting_the_link_leaves_the_call_alone(lab: Lab) -> None:
    reader = await lab.session(SERVICE)
    carrier, phone = await lab.carrier(), await lab.phone("1001")
    customer = carrier.call("8100", number="0612345687")
    agent = await phone.next_call()
    agent.answer()
    await customer.answered()

    await lab.cut(SERVICE)
    await reader.closed()
    again = await lab.session(SERVICE)

    assert len(await again.channels()) == 2
    assert (customer.state, agent.state) == (CallState.TALKING, CallState.TALKING)


async def test_the_pbx_dies_and_comes_back(lab: Lab) -> None:
    reader = await lab.session(SERVICE)

    lab.pbx.kill()
    await reader.closed()
    lab.pbx.start()

    await (await lab.session(SERVICE)).event("FullyBooted")
