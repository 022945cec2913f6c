"""What people do from the desktop, done by the real PBX and its phones: REST in, SIP out."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.support.cti_client import Person, Refused
from tests.support.pbx import SERVICE_WITH_PHONES
from tests.support.pbx_lab import Lab
from tests.support.service import Service, Site, running_service
from tests.support.sip_call import CallState, End

pytestmark = pytest.mark.pbx

NUMBER = "02079460018"


@pytest.fixture
async def with_phones(lab: Lab, site: Site, store: Any) -> AsyncIterator[Service]:
    """The service with the account that may tell phones to answer and hold."""
    site = replace(site, account=SERVICE_WITH_PHONES)
    site.set_up(store)
    async with running_service(lab, site) as service:
        await service.connected()
        yield service


async def _do(person: Person, call_id: str, verb: str, body: Any = None) -> None:
    await person.post(f"/calls/{call_id}/{verb}", body)


async def test_click_to_call_rings_the_agent_then_the_customer(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Marta Silva", NUMBER)
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

    asked = await alice.post("/calls", {"to": NUMBER})
    agent = await phone.next_call()
    agent.answer()
    customer = await carrier.next_call()
    customer.answer()
    pop = await alice.event("pop")
    await alice.event("call.answered")
    customer.hang_up()
    call = await (await service.person("sam")).stored(pop["call"]["call_id"])

    assert call["call_id"] == f"main:{asked['request_id']}"
    assert (call["direction"], call["customer_number"], call["outcome"]) == ("outbound", "+442079460018", "answered")
    assert (call["answered_by"], call["hung_up_by"]) == (["1001"], "customer")
    assert (await alice.get(f"/accounts/{account.account_id}/timeline"))["items"][0]["call"] == call


async def test_answer_hold_resume_and_hang_up(lab: Lab, with_phones: Service) -> None:
    alice, phone, carrier = await with_phones.agent("1001"), await lab.phone("1001"), await lab.carrier()

    customer = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    call_id = (await alice.event("pop"))["call"]["call_id"]
    await lab.driver.event("Newstate", ChannelStateDesc="Ringing")  # before the phone's 180 there is no dialog to send it in
    await _do(alice, call_id, "answer")
    await alice.event("call.answered")
    await _do(alice, call_id, "hold")
    held = await alice.event("call.held")
    await _do(alice, call_id, "resume")
    resumed = await alice.event("call.resumed")
    await _do(alice, call_id, "hangup")
    ended = await alice.event("call.ended")

    assert (held["call"]["state"], resumed["call"]["state"]) == ("held", "talking")
    assert (ended["call"]["outcome"], ended["call"]["held"], ended["call"]["hung_up_by"]) == ("answered", True, "agent")
    assert await customer.ended() is End.HUNG_UP_THERE
    assert await agent.ended() is End.HUNG_UP_THERE


async def test_transfer_lets_the_colleague_talk_to_the_customer(lab: Lab, service: Service) -> None:
    alice, eva = await service.agent("1001"), await service.agent("1005")
    phone, colleague, carrier = await lab.phone("1001"), await lab.phone("1005"), await lab.carrier()

    customer = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    agent.answer()
    call_id = (await alice.event("call.answered"))["call"]["call_id"]
    await _do(alice, call_id, "transfer", {"to": "1005"})
    (await colleague.next_call()).answer()
    answered = await eva.event("call.answered")

    assert answered["call"]["transfers"] == [{"type": "blind", "from": "1001", "to": "1005"}]
    assert (customer.state, answered["call"]["talking"]) == (CallState.TALKING, ["1005"])


async def test_account_without_class_system_says_what_to_grant(lab: Lab, service: Service) -> None:
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

    carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    call_id = (await alice.event("pop"))["call"]["call_id"]
    with pytest.raises(Refused, match=r"needs system in write= of \[cti\] in manager\.conf") as refusal:
        await _do(alice, call_id, "answer")

    assert (refusal.value.status, refusal.value.kind) == (409, "pbx-refused")
    assert agent.state is CallState.RINGING


async def test_agent_cannot_touch_a_colleagues_call(lab: Lab, service: Service) -> None:
    alice, ben = await service.agent("1001"), await service.agent("1003")
    phone, carrier = await lab.phone("1001"), await lab.carrier()

    customer = carrier.call("8100", number=NUMBER)
    (await phone.next_call()).answer()
    call_id = (await alice.event("call.answered"))["call"]["call_id"]
    with pytest.raises(Refused) as refusal:
        await _do(ben, call_id, "hangup")

    assert refusal.value.kind == "not-in-this-call"
    assert customer.state is CallState.TALKING


async def test_agents_pause_reaches_the_pbx(lab: Lab, service: Service) -> None:
    alice, supervisor = await service.agent("1001"), await service.person("sam")

    await alice.put("/agents/1001/state", {"status": "paused", "reason": "lunch"})
    await supervisor.event(
        "agent.state", where=lambda event: any(one["agent"] == "1001" and one["status"] == "paused" for one in event["agents"])
    )
    seats = [item for item in await lab.driver.action("QueueStatus") if item.get("StateInterface") == "PJSIP/1001"]
    await alice.put("/agents/1001/state", {"status": "ready"})
    await lab.driver.event("QueueMemberPause", Paused="0", StateInterface="PJSIP/1001")

    assert [(seat["Queue"], seat["Paused"], seat["PausedReason"]) for seat in seats] == [("support", "1", "lunch")]
