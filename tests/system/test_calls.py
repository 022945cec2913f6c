"""Calls on the simulated PBX, as agents' and supervisors' browsers and the store come to know of them."""

import pytest

from tests.support.running import DAD, NOBODY, ZOE, call_centre, service


async def test_a_call_pops_at_the_ringing_agent_with_customer_history_and_reason(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        call = await pbx.call_in("8001", ZOE, "Zoe's phone")
        assert await call.ringing() == "1001"

        pop = await screen.until("pop")

        assert pop["pop_id"] == f"main:{call.uniqueid}/1001/1"
        assert pop["lookup"] == "found"
        assert (pop["account"]["name"], pop["account"]["tier"]) == ("Zoë", "gold")
        assert [candidate["reason"] for candidate in pop["candidates"]] == ["exact_number"]
        assert [contact["subject"] for contact in pop["history"]] == ["A complaint"]
        shown = ("customer_number", "presented_number", "customer_name", "did", "queue", "direction", "ringing")
        assert {key: pop["call"][key] for key in shown} == {
            "customer_number": "+442079460018",
            "presented_number": ZOE,
            "customer_name": "Zoe's phone",
            "did": "8001",
            "queue": "support",
            "direction": "inbound",
            "ringing": ["1001"],
        }


@pytest.mark.parametrize(
    ("number", "lookup", "candidates"),
    [
        pytest.param(NOBODY, "unknown", [], id="on nobody's account"),
        pytest.param(None, "withheld", [], id="withheld"),
        pytest.param(DAD, "several", ["Dad", "Mum"], id="shared by a family"),
        pytest.param("1003", "withheld", [], id="not a number of any plan"),
    ],
)
async def test_a_pop_says_when_it_cannot_name_the_customer(tmp_path, template, number, lookup, candidates):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        await pbx.call_in("8001", number)

        pop = await screen.until("pop")

        assert (pop["lookup"], pop["account"], pop["history"]) == (lookup, None, [])
        assert sorted(candidate["account"]["name"] for candidate in pop["candidates"]) == candidates


async def test_agent_and_supervisor_see_the_whole_story_and_the_account_keeps_it(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, sam = await cti.sign_in("one"), await cti.sign_in("sam")
        screen, board = await one.opens(), await sam.opens()
        call = await pbx.call_in("8001", ZOE)
        call_id = f"main:{call.uniqueid}"
        await screen.until("pop")
        pbx.phone("1001").answer()
        answered = await screen.until_call("call.answered", call_id)
        pbx.phone("1001").hold()
        await screen.until_call("call.held", call_id)
        pbx.phone("1001").resume()
        await screen.until_call("call.resumed", call_id)
        call.hang_up()
        ended = await screen.until_call("call.ended", call_id)
        await board.until_call("call.ended", call_id)

        assert (answered["state"], answered["talking"]) == ("talking", ["1001"])
        assert (ended["outcome"], ended["hung_up_by"], ended["held"]) == ("answered", "customer", True)
        story = [one["type"] for one in board.numbered()]
        assert story[0] == "call.changed"
        assert [kind for kind in story if kind != "call.changed"] == [
            "call.answered",
            "call.held",
            "call.resumed",
            "call.ended",
        ]
        interaction = await cti.stored(call_id)
        assert interaction["call"] == ended
        timeline = await one.sees(f"/accounts/{interaction['account_id']}/timeline")
        assert [contact["call_id"] for contact in timeline["items"]] == [call_id, None]


async def test_a_ring_without_answer_takes_the_pop_away_and_pops_at_the_next_agent(tmp_path, template):
    async with service(tmp_path, template, world=call_centre(ring_seconds=0.3)) as (cti, pbx):
        first, second = await (await cti.sign_in("one")).opens(), await (await cti.sign_in("two")).opens()
        call = await pbx.call_in("8001", ZOE)

        popped = await first.until("pop")
        withdrawn = await first.until("pop.withdrawn")
        next_pop = await second.until("pop")
        pbx.phone("1002").answer()
        answered = await second.until_call("call.answered", f"main:{call.uniqueid}")

        assert (withdrawn["pop_id"], withdrawn["why"]) == (popped["pop_id"], "ring_no_answer")
        assert next_pop["pop_id"] == f"main:{call.uniqueid}/1002/1"
        assert next_pop["account"]["name"] == "Zoë"
        assert (answered["offered_to"], answered["rang_no_answer"]) == (["1001", "1002"], ["1001"])


async def test_ringing_all_the_phones_pops_at_all_and_one_answer_takes_the_others_away(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        first, second = await (await cti.sign_in("one")).opens(), await (await cti.sign_in("two")).opens()
        await pbx.call_in("8002", ZOE)
        await first.until("pop")
        await second.until("pop")

        pbx.phone("1002").answer()

        assert (await first.until("pop.withdrawn"))["why"] == "answered_elsewhere"
        await second.until("call.answered")
        assert second.numbered("pop.withdrawn") == []


async def test_a_caller_who_gives_up_takes_the_pop_along(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        call = await pbx.call_in("8001", ZOE)
        await screen.until("pop")

        call.hang_up()

        assert (await screen.until("pop.withdrawn"))["why"] == "abandoned"
        interaction = await cti.stored(f"main:{call.uniqueid}")
        assert (interaction["outcome"], interaction["agent"]) == ("abandoned", None)
        assert interaction["account_id"] is not None


async def test_a_blind_transfer_pops_at_the_new_agent_with_the_customer(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        first, third = await (await cti.sign_in("one")).opens(), await (await cti.sign_in("three")).opens()
        call = await pbx.call_in("8001", ZOE)
        call_id = f"main:{call.uniqueid}"
        await first.until("pop")
        pbx.phone("1001").answer()
        await first.until_call("call.answered", call_id)

        pbx.phone("1001").transfer("1003")

        transferred = await first.until_call("call.transferred", call_id)
        pop = await third.until("pop")
        pbx.phone("1003").answer()
        await third.until_call("call.answered", call_id)
        call.hang_up()
        assert transferred["transfers"] == [{"type": "blind", "from": "1001", "to": "1003"}]
        assert (pop["call"]["call_id"], pop["account"]["name"]) == (call_id, "Zoë")
        interaction = await cti.stored(call_id)
        assert (interaction["agent"], interaction["call"]["answered_by"]) == ("1003", ["1001", "1003"])


async def test_an_attended_transfer_is_one_call_of_two_agents(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        first, second = await (await cti.sign_in("one")).opens(), await (await cti.sign_in("two")).opens()
        call = await pbx.call_in("8001", ZOE)
        call_id = f"main:{call.uniqueid}"
        await first.until("pop")
        pbx.phone("1001").answer()
        await first.until_call("call.answered", call_id)

        pbx.phone("1001").consult("1002")
        pop = await second.until("pop")
        pbx.phone("1002").answer()
        await pbx.phone("1002").talks()
        pbx.phone("1001").complete_transfer()
        await second.until_call("call.answered", call_id)
        call.hang_up()

        ended = await second.until_call("call.ended", call_id)
        assert pop["call"]["call_id"] == call_id
        assert ended["transfers"] == [{"type": "attended", "from": "1001", "to": "1002"}]
        assert (await cti.stored(call_id))["call"]["answered_by"] == ["1001", "1002"]
        sam = await cti.sign_in("sam")
        assert [one["call_id"] for one in (await sam.sees("/interactions?channel=phone"))["items"]] == [call_id]


async def test_a_call_between_agents_is_recorded_and_pops_at_nobody(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("two")).opens()
        channel = pbx.phone("1001").dial("1002")
        await pbx.phone("1002").rings()
        pbx.phone("1002").answer()
        await screen.until("call.answered")
        pbx.phone("1001").hang_up()

        interaction = await cti.stored(f"main:{channel.uniqueid}")

        assert (interaction["direction"], interaction["account_id"]) == ("internal", None)
        assert screen.numbered("pop") == []


async def test_names_made_to_break_screens_arrive_as_data(tmp_path, template):
    name = "<img src=x onerror=alert(1)>\"'&\u202egnp.exe\u2066\t王"
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        await pbx.call_in("8001", NOBODY, name)

        pop = await screen.until("pop")

        assert pop["call"]["customer_name"] == name
