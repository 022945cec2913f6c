"""Times without the PBX, on a real one: what went on, what ended, what began, and whose seats changed while nobody looked."""

import pytest

from tests.support.cti_client import until
from tests.support.pbx_lab import OFF, Lab
from tests.support.service import Service, Site, running_service

pytestmark = pytest.mark.pbx

FIRST, SECOND, THIRD, FOURTH = "02079460018", "02079460019", "02079460020", "02079460021"


async def test_calls_and_seats_are_right_after_the_service_was_away(lab: Lab, site: Site) -> None:
    await lab.only("support", "1003")
    carrier = await lab.carrier()
    one, three, five = await lab.phone("1001"), await lab.phone("1003"), await lab.phone("1005")
    async with running_service(lab, site) as before:
        await before.connected()
        carol, supervisor = await before.agent("1003"), await before.person("sam")
        ends = carrier.call("8100", number=FIRST)
        (await one.next_call()).answer()
        over = (await supervisor.event("call.answered"))["call"]["call_id"]
        answered_unseen = carrier.call("8001", number=SECOND)
        ringing = await three.next_call()
        rang = (await carol.event("pop"))["call"]["call_id"]

    ends.hang_up()
    ringing.answer()
    await answered_unseen.answered()
    await lab.through("1003")
    five.rejects = None
    begins = carrier.call("8100", number=THIRD)
    (await one.next_call()).answer()
    await begins.answered()
    waits = carrier.call("8002", number=FOURTH)
    await waits.answered()
    await lab.driver.action("QueuePause", Queue="support", Interface="PJSIP/1002", Paused="false")

    async with running_service(lab, site) as after:
        await after.connected()
        supervisor, carol = await after.person("sam"), await after.agent("1003")
        (gap,) = (await supervisor.get("/gaps"))["items"]
        live = {call["customer_number"]: call for call in (await supervisor.get("/calls"))["items"]}
        ended = await supervisor.stored(over)
        seats = {agent["agent"]: agent["status"] for agent in (await supervisor.get("/agents"))["items"]}

        assert (gap["cause"], gap["rebuilt"], gap["ended_unseen"], gap["appeared"]) == ("service", 1, 1, 2)
        assert gap["until"] is not None
        assert (ended["estimated"], ended["outcome"], ended["answered_by"]) == (True, "answered", ["1001"])
        second, third, fourth = (live[f"+44{number[1:]}"] for number in (SECOND, THIRD, FOURTH))
        assert (second["call_id"], second["talking"], second["rang_no_answer"]) == (rang, ["1003"], [])
        assert (third["estimated"], third["talking"], third["did"]) == (True, ["1001"], "8100")
        assert (fourth["estimated"], fourth["queue"]) == (True, "sales")
        assert (seats["1002"], seats["1001"]) == ("ready", "paused")
        assert carol.events("pop") == []  # the card came back with the page, and the phone of it rings no more

        for customer in (answered_unseen, begins, waits):
            customer.hang_up()
        stored = [await supervisor.stored(call["call_id"]) for call in (second, third, fourth)]
        assert [call["outcome"] for call in stored] == ["answered", "answered", "abandoned"]
        assert [call["hung_up_by"] for call in stored] == ["customer"] * 3


async def test_a_transfer_a_parking_and_a_consultation_are_found_as_they_are(lab: Lab, site: Site) -> None:
    await lab.only("support", "1003")
    carrier = await lab.carrier()
    one, three, four, five, six = [await lab.phone(phone) for phone in ("1001", "1003", "1004", "1005", "1006")]
    async with running_service(lab, site) as before:
        await before.connected()
        parks = carrier.call("8100", number=FIRST)
        parker = await one.next_call()
        parker.answer()
        moves = carrier.call("8001", number=SECOND)
        mover = await three.next_call()
        mover.answer()
        for phone in (four, five):
            phone.rejects = OFF
        asks = carrier.call("8002", number=THIRD)
        asker = await six.next_call()
        asker.answer()
        for phone in ("1001", "1003", "1006"):
            await lab.through(phone)
        four.rejects = five.rejects = None
        await asker.press("*21004")
        (await four.next_call()).answer()
        await lab.through("1004")

    await parker.press("#72")
    await mover.refer("1005")
    (await five.next_call()).answer()
    await lab.through("1005")

    async with running_service(lab, site) as after:
        await after.connected()
        supervisor = await after.person("sam")
        live = {call["customer_number"]: call for call in (await supervisor.get("/calls"))["items"]}
        (gap,) = (await supervisor.get("/gaps"))["items"]
        first, second, third = (live[f"+44{number[1:]}"] for number in (FIRST, SECOND, THIRD))

        assert (gap["rebuilt"], gap["ended_unseen"], gap["appeared"]) == (3, 0, 0)
        assert (first["parked"], first["talking"], first["transfers"]) == (True, [], [])
        assert (second["talking"], second["transfers"]) == (["1005"], [{"type": "blind", "from": "1003", "to": "1005"}])
        assert third["answered_by"] == ["1006"]

        asker.hang_up()
        transferred = (await supervisor.event("call.transferred"))["call"]
        for customer in (parks, moves, asks):
            customer.hang_up()
        stored = [await supervisor.stored(call["call_id"]) for call in (first, second, third)]

    assert transferred["transfers"] == [{"type": "attended", "from": "1006", "to": "1004"}]
    assert [call["answered_by"] for call in stored] == [["1001"], ["1003", "1005"], ["1006", "1004"]]
    assert [call["outcome"] for call in stored] == ["answered"] * 3


async def test_a_killed_pbx_is_a_gap_of_its_own_kind(lab: Lab, service: Service) -> None:
    phone, carrier, supervisor = await lab.phone("1001"), await lab.carrier(), await service.person("sam")
    carrier.call("8100", number=FIRST)
    (await phone.next_call()).answer()
    call_id = (await supervisor.event("call.answered"))["call"]["call_id"]

    lab.pbx.kill()
    await supervisor.event("gap.state", where=lambda event: event["gaps"][0]["until"] is None)
    lab.pbx.start()
    call = await supervisor.stored(call_id)

    async def is_closed() -> bool:
        return (await supervisor.get("/gaps"))["items"][0]["until"] is not None

    await until(is_closed, seconds=30)
    (gap,) = (await supervisor.get("/gaps"))["items"]
    assert (gap["cause"], gap["rebuilt"], gap["ended_unseen"]) == ("pbx", 0, 1)
    assert (call["estimated"], call["hung_up_by"]) == (True, "system")
