"""Calls of real SIP phones, from the ring to the customer's account: what the service shows and keeps of them."""

import pytest

from tests.support.pbx_lab import Lab, first_ring
from tests.support.service import Service
from tests.support.sipp import call_by_sipp

pytestmark = pytest.mark.pbx

NUMBER, E164 = "02079460018", "+442079460018"


@pytest.mark.usefixtures("sipp")
async def test_answered_queue_call_stands_on_the_customers_account(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Zoë 张伟", NUMBER)
    await lab.only("support", "1001")
    alice, supervisor = await service.agent("1001"), await service.person("sam")

    async with lab.agent_by_sipp("1001", ring_seconds=0.5):
        await call_by_sipp(lab.network, did="8001", number=NUMBER, name="Zoë 张伟", stay_seconds=2)
        ended = await alice.event("call.ended")
    call = await supervisor.stored(ended["call"]["call_id"])

    pop = await alice.event("pop")
    assert (pop["lookup"], pop["account"]["name"], pop["agent"]) == ("found", "Zoë 张伟", "1001")
    (contact,) = (await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]
    assert contact["call"] == call
    assert (contact["channel"], contact["agent"], contact["queue"]) == ("phone", "1001", "support")
    seconds = {key: call.pop(key) for key in ("wait_s", "talk_s", "hold_s")}
    times = [call.pop(key) for key in ("started_at", "answered_at", "ended_at")]
    assert times == sorted(times)
    assert seconds["hold_s"] == 0
    assert 0.4 < seconds["wait_s"] < 2
    assert 0.5 < seconds["talk_s"] < 2.5
    assert call == {
        "call_id": pop["call"]["call_id"],
        "pbx": "main",
        "direction": "inbound",
        "customer_number": E164,
        "presented_number": NUMBER,
        "customer_name": "Zoë 张伟",
        "did": "8001",
        "queue": "support",
        "queues": ["support"],
        "offered_to": ["1001"],
        "rang_no_answer": [],
        "answered_by": ["1001"],
        "outcome": "answered",
        "transfers": [],
        "hung_up_by": "customer",
        "held": False,
        "parked": False,
        "recorded": False,
        "conference": False,
        "estimated": False,
        "state": "ended",
        "ringing": [],
        "talking": [],
        "untrusted_caller": False,
    }


async def test_caller_who_gives_up_is_recorded_and_the_pop_withdrawn(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Marta Silva", NUMBER)
    await lab.only("support", "1001")
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

    customer = carrier.call("8001", number=NUMBER)
    await phone.next_call()
    pop = await alice.event("pop")
    customer.hang_up()
    withdrawn = await alice.event("pop.withdrawn")
    call = await (await service.person("sam")).stored(pop["call"]["call_id"])

    assert (withdrawn["pop_id"], withdrawn["why"]) == (pop["pop_id"], "abandoned")
    assert (call["outcome"], call["hung_up_by"], call["answered_by"], call["answered_at"]) == ("abandoned", "customer", [], None)
    assert (call["offered_to"], call["rang_no_answer"], call["talk_s"]) == (["1001"], ["1001"], 0)
    (contact,) = (await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]
    assert contact["call"] == call


async def test_second_agent_gets_the_pop_when_the_first_does_not_answer(lab: Lab, service: Service) -> None:
    phones = [await lab.phone(extension) for extension in ("1001", "1002", "1003")]
    agents = {phone.user: await service.agent(phone.user) for phone in phones}
    carrier = await lab.carrier()

    customer = carrier.call("8001", number=NUMBER)
    first = await first_ring(*phones)
    second = await first_ring(*(phone for phone in phones if phone is not first.phone), seconds=15)
    second.answer()
    withdrawn = await agents[first.phone.user].event("pop.withdrawn")
    pop = await agents[second.phone.user].event("pop")
    await agents[second.phone.user].event("call.answered")
    customer.hang_up()
    call = await (await service.person("sam")).stored(pop["call"]["call_id"])

    assert withdrawn["why"] == "ring_no_answer"
    assert (call["rang_no_answer"], call["answered_by"]) == ([first.phone.user], [second.phone.user])
    assert call["offered_to"] == [first.phone.user, second.phone.user]
    third = next(person for extension, person in agents.items() if extension not in call["offered_to"])
    assert third.events("pop", "call.answered", "call.ended") == []


async def test_queue_without_agents_is_told_from_a_queue_left(lab: Lab, service: Service) -> None:
    """QUEUESTATUS is read through the filter of the documented account."""
    carrier, supervisor = await lab.carrier(), await service.person("sam")

    carrier.call("8015", number=NUMBER)
    ended = await supervisor.event("call.ended")

    assert (ended["call"]["outcome"], ended["call"]["queue"], ended["call"]["hung_up_by"]) == ("join_empty", "empty", "system")


async def test_voicemail_is_an_outcome(lab: Lab, service: Service) -> None:
    carrier, supervisor, phone = await lab.carrier(), await service.person("sam"), await lab.phone("1001")

    customer = carrier.call("8300", number=NUMBER)
    await phone.next_call()
    await customer.answered()
    await supervisor.event("call.changed", where=lambda event: event["call"]["rang_no_answer"] == ["1001"])
    customer.hang_up()
    ended = await supervisor.event("call.ended")

    assert (ended["call"]["outcome"], ended["call"]["answered_by"]) == ("voicemail", [])


async def test_withheld_number_matches_nobody(lab: Lab, service: Service) -> None:
    await lab.only("support", "1001")
    alice, carrier, phone = await service.agent("1001"), await lab.carrier(), await lab.phone("1001")

    carrier.call("8001", from_header='"Anonymous" <sip:anonymous@anonymous.invalid>', headers=("Privacy: id",))
    await phone.next_call()
    pop = await alice.event("pop")

    assert (pop["lookup"], pop["account"], pop["candidates"]) == ("withheld", None, [])
    assert pop["call"]["presented_number"] is None


async def test_blind_transfer_brings_the_second_agent_the_pop(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Marta Silva", NUMBER)
    alice, eva = await service.agent("1001"), await service.agent("1005")
    carrier, phone, colleague = await lab.carrier(), await lab.phone("1001"), await lab.phone("1005")

    customer = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    agent.answer()
    await alice.event("call.answered")
    assert await agent.refer("1005") == 202
    taken = await colleague.next_call()
    pop = await eva.event("pop")
    taken.answer()
    await eva.event("call.answered")
    customer.hang_up()
    call = await (await service.person("sam")).stored(pop["call"]["call_id"])

    assert pop["account"]["name"] == "Marta Silva"
    assert pop["call"]["call_id"] == (await alice.event("pop"))["call"]["call_id"]
    assert call["transfers"] == [{"type": "blind", "from": "1001", "to": "1005"}]
    assert (call["answered_by"], call["hung_up_by"]) == (["1001", "1005"], "customer")
    assert len((await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]) == 1


async def test_attended_transfer_is_one_call_of_the_customer(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Marta Silva", NUMBER)
    alice, eva = await service.agent("1001"), await service.agent("1005")
    carrier, phone, colleague = await lab.carrier(), await lab.phone("1001"), await lab.phone("1005")

    customer = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    agent.answer()
    await alice.event("call.answered")
    await agent.hold()
    await alice.event("call.held")
    consultation = phone.call("1005")
    asked = await colleague.next_call()
    asked.answer()
    await consultation.answered()
    await lab.through("1005")
    assert await agent.refer("1005", replaces=consultation) == 202
    await eva.event("call.transferred")
    customer.hang_up()
    ended = await eva.event("call.ended")
    call = await (await service.person("sam")).stored(ended["call"]["call_id"])

    assert call["transfers"] == [{"type": "attended", "from": "1001", "to": "1005"}]
    assert (call["offered_to"], call["answered_by"], call["held"]) == (["1001", "1005"], ["1001", "1005"], True)
    assert len((await (await service.person("admin")).get("/interactions"))["items"]) == 1
    assert len((await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]) == 1


async def test_name_with_markup_and_bidi_characters_arrives_as_text(lab: Lab, service: Service) -> None:
    await lab.only("support", "1001")
    alice, carrier, phone = await service.agent("1001"), await lab.carrier(), await lab.phone("1001")
    name = "<img src=x onerror=alert(1)> \u202egpj.exe 'OR 1=1--"

    carrier.call("8001", number=NUMBER, name=name)
    await phone.next_call()
    pop = await alice.event("pop")

    shown = pop["call"]["customer_name"]
    assert shown.startswith("<img src=x onerror=alert(1)>")
    assert "'OR 1=1--" in shown
