"""Who is calling, as agents say it: one choice that goes with the call, is learnt for its number, and can be taken back."""

from typing import Any

from cti_bridge.simulator.pbx import SimulatedPbx
from tests.support.running import MUM, NOBODY, ZOE, Person, Screen, Service, service


async def rings(cti: Service, pbx: SimulatedPbx, number: str | None, screen: Screen) -> tuple[Any, dict[str, Any]]:
    """A call that rings at 1001, and the pop there."""
    call = await pbx.call_in("8100", number)
    pop = await screen.until("pop", lambda message: message["call"]["call_id"] == f"main:{call.uniqueid}")
    return call, pop


async def over(cti: Service, call: Any) -> dict[str, Any]:
    call.hang_up()
    return await cti.stored(f"main:{call.uniqueid}")


def proposed(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["account"]["name"], one["reason"]) for one in document["candidates"]]


def path_of(call: Any) -> str:
    return f"/calls/main:{call.uniqueid}/account"


async def account_named(person: Person, name: str) -> dict[str, Any]:
    (account,) = (await person.sees(f"/accounts?q={name}"))["items"]
    return account


async def test_a_choice_is_shown_at_once_put_on_the_call_and_learnt(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        dad = await account_named(one, "Dad")
        call, pop = await rings(cti, pbx, MUM, screen)

        status, said = await one.asks("PUT", path_of(call), {"account_id": dad["account_id"]})
        update = await screen.until("pop.update")
        stored = await over(cti, call)
        _, again = await rings(cti, pbx, MUM, screen)

        assert (pop["lookup"], pop["account"], {reason for _, reason in proposed(pop)}) == ("several", None, {"shared_number"})
        assert (status, said["account"], said["chosen"]["by"], said["chosen"]["learnt"]) == (200, dad, "1001", True)
        assert {key: update[key] for key in said if key != "call_id"} == {key: said[key] for key in said if key != "call_id"}
        assert stored["account_id"] == dad["account_id"]
        assert proposed(again) == [("Dad", "chosen_before"), ("Mum", "shared_number")]
        assert (again["candidates"][0]["detail"]["chosen_by"], again["account"], again["lookup"]) == ("1001", None, "several")


async def test_a_choice_that_is_taken_back_is_unlearnt_and_off_the_call(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        dad = await account_named(one, "Dad")
        call, _ = await rings(cti, pbx, MUM, screen)
        await one.asks("PUT", path_of(call), {"account_id": dad["account_id"]})

        status, said = await one.asks("DELETE", path_of(call))
        stored = await over(cti, call)
        _, again = await rings(cti, pbx, MUM, screen)

        assert (status, said["account"], said["chosen"]) == (200, None, None)
        assert stored["account_id"] is None
        assert {reason for _, reason in proposed(again)} == {"shared_number"}


async def test_a_clear_match_can_be_denied_and_the_denial_taken_back(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call, pop = await rings(cti, pbx, ZOE, screen)
        pbx.phone("1001").answer()
        await screen.until("call.answered")

        _, denied = await one.asks("PUT", path_of(call), {"account_id": None})
        _, restored = await one.asks("DELETE", path_of(call))
        _, again = await one.asks("PUT", path_of(call), {"account_id": None})
        stored = await over(cti, call)

        assert (pop["account"]["name"], denied["account"], restored["account"]["name"]) == ("Zoë", None, "Zoë")
        assert (len(denied["history"]), len(restored["history"])) == (0, 1)
        assert (again["account"], stored["account_id"]) == (None, None)


async def test_what_one_agent_chose_the_next_one_sees(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, third = await cti.sign_in("one"), await (await cti.sign_in("three")).opens()
        screen = await one.opens()
        dad = await account_named(one, "Dad")
        call, _ = await rings(cti, pbx, MUM, screen)
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        await one.asks("PUT", path_of(call), {"account_id": dad["account_id"]})

        await one.asks("POST", f"/calls/main:{call.uniqueid}/transfer", {"to": "1003"})
        pop = await third.until("pop")

        assert (pop["account"]["name"], pop["chosen"]["by"]) == ("Dad", "1001")


async def test_an_account_set_by_label_is_learnt_too(tmp_path, template):
    """Whichever way an agent or a supervisor says who it was, it counts."""
    async with service(tmp_path, template) as (cti, pbx):
        one, sam = await cti.sign_in("one"), await cti.sign_in("sam")
        screen = await one.opens()
        dad, mum = await account_named(one, "Dad"), await account_named(one, "Mum")
        call, _ = await rings(cti, pbx, MUM, screen)
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        status, _ = await one.asks("PATCH", f"/calls/main:{call.uniqueid}/wrap-up", {"account_id": dad["account_id"]})
        update = await screen.until("pop.update")
        stored = await over(cti, call)
        corrected, _ = await sam.asks("PATCH", f"/interactions/{stored['interaction_id']}", {"account_id": mum["account_id"]})
        _, again = await rings(cti, pbx, MUM, screen)

        assert (status, corrected, update["account"]["name"]) == (200, 200, "Dad")
        assert proposed(again)[0] == ("Mum", "chosen_before")
        assert again["candidates"][0]["detail"]["chosen_by"] == "sam"


async def test_an_unknown_caller_becomes_one_provisional_account_by_one_click(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call, pop = await rings(cti, pbx, NOBODY, screen)

        status, said = await one.asks("POST", path_of(call))
        doubled, same = await one.asks("POST", path_of(call))
        stored = await over(cti, call)
        _, again = await rings(cti, pbx, NOBODY, screen)
        _, named = await one.asks("PATCH", f"/accounts/{said['account']['account_id']}", {"name": "Fang Weiss"})

        assert (pop["lookup"], status, doubled) == ("unknown", 201, 201)
        assert said["account"]["provisional"]
        assert [point["value"] for point in said["account"]["contact_points"]] == ["+442079460777"]
        assert same["account"]["account_id"] == said["account"]["account_id"] == stored["account_id"]
        assert (again["lookup"], again["account"]["account_id"]) == ("found", stored["account_id"])
        assert (named["name"], named["provisional"]) == ("Fang Weiss", False)


async def test_calls_alone_make_no_accounts(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        for _ in range(3):
            call, pop = await rings(cti, pbx, NOBODY, screen)
            assert pop["lookup"] == "unknown"
            await over(cti, call)

        assert (await one.sees("/accounts?phone=02079460777"))["items"] == []


async def test_nothing_is_learnt_or_made_of_a_caller_without_a_number(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        dad = await account_named(one, "Dad")
        call, pop = await rings(cti, pbx, None, screen)

        status, problem = await one.asks("POST", path_of(call))
        _, said = await one.asks("PUT", path_of(call), {"account_id": dad["account_id"]})
        stored = await over(cti, call)
        _, again = await rings(cti, pbx, None, screen)

        assert (pop["lookup"], status, problem["type"]) == ("withheld", 409, "urn:cti-bridge:problem:no-number")
        assert (said["account"]["name"], said["chosen"]["learnt"], said["candidates"]) == ("Dad", False, [])
        assert stored["account_id"] == dad["account_id"]
        assert (again["lookup"], again["candidates"], again["account"]) == ("withheld", [], None)


async def test_only_an_agent_of_the_call_says_who_it_is(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, two = await cti.sign_in("one"), await cti.sign_in("two")
        screen = await one.opens()
        dad = await account_named(one, "Dad")
        call, _ = await rings(cti, pbx, MUM, screen)

        answers = [
            await two.asks("PUT", path_of(call), {"account_id": dad["account_id"]}),
            await two.asks("DELETE", path_of(call)),
            await two.asks("POST", path_of(call)),
        ]
        unknown, problem = await one.asks("PUT", path_of(call), {"account_id": "01990000-0000-7000-8000-0000000000ff"})

        assert {status for status, _ in answers} == {409}
        assert (unknown, problem["errors"][0]["at"]) == (422, "account_id")


async def test_an_account_that_is_found_by_a_search_is_proposed_next_time_until_that_is_taken_back(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        zoe = await account_named(one, "Zo")
        call, pop = await rings(cti, pbx, NOBODY, screen)

        _, said = await one.asks("PUT", path_of(call), {"account_id": zoe["account_id"]})
        stored = await over(cti, call)
        second, again = await rings(cti, pbx, NOBODY, screen)
        await one.asks("PUT", path_of(second), {"account_id": zoe["account_id"]})
        await one.asks("DELETE", path_of(second))
        await over(cti, second)
        third, learnt_once = await rings(cti, pbx, NOBODY, screen)

        assert (pop["lookup"], said["chosen"]["learnt"], said["history"][-1]["subject"]) == ("unknown", True, "A complaint")
        assert stored["account_id"] == zoe["account_id"]
        assert (proposed(again), again["account"]) == ([("Zoë", "chosen_before")], None)
        assert proposed(learnt_once) == [("Zoë", "chosen_before")]  # the first call's choice stands
        await over(cti, third)


async def test_a_promised_call_back_is_on_the_pop_and_kept_by_the_customers_own_call(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, two = await cti.sign_in("one"), await cti.sign_in("two")
        screen = await one.opens()
        zoe = await account_named(one, "Zo")
        promise = {"account_id": zoe["account_id"], "kind": "call_back", "subject": "Ring back", "due_in_minutes": 60}
        _, case = await two.asks("POST", "/cases", promise)

        call, pop = await rings(cti, pbx, ZOE, screen)
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        by_call = {"open": False, "call_id": f"main:{call.uniqueid}"}
        stranger, _ = await two.asks("PATCH", f"/cases/{case['case_id']}", by_call)
        status, kept = await one.asks("PATCH", f"/cases/{case['case_id']}", by_call)
        update = await screen.until("pop.update")
        third = await (await cti.sign_in("three")).opens()
        await one.asks("POST", f"/calls/main:{call.uniqueid}/transfer", {"to": "1003"})
        handed_on = await third.until("pop")
        stored = await over(cti, call)

        assert pop["commitments"] == {"items": [case], "more": 0}
        assert (stranger, status, kept["closed_by"]) == (409, 200, "one")
        assert update["commitments"] == handed_on["commitments"] == {"items": [], "more": 0}
        assert (kept["closed_by_call"], kept["account_id"]) == (stored["call_id"], stored["account_id"])


async def test_a_withheld_caller_who_types_the_customer_number_pops_and_is_served_by_tier(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        for agent in ("1002", "1003"):
            pbx.pause(agent, reason="lunch")
        one = await cti.sign_in("one")
        screen = await one.opens()
        zoe, mum = await account_named(one, "Zo"), await account_named(one, "Mum")
        for account, number in ((zoe, "4711"), (mum, "5001")):
            points = [
                {"kind": "phone", "value": account["contact_points"][0]["value"]},
                {"kind": "customer_number", "value": number},
            ]
            await one.asks("PATCH", f"/accounts/{account['account_id']}", {"contact_points": points})
        pbx.ask_routes_of("127.0.0.1", cti.app.agi_port)

        async def queued(number: str | None, typed: str) -> tuple[Any, dict[str, Any]]:
            call = await pbx.call_in("8001", number, typed=typed)
            return call, await screen.until("pop", lambda message: message["call"]["call_id"] == f"main:{call.uniqueid}")

        call, withheld = await queued(None, "4711")
        stored = await over(cti, call)
        call, of_household = await queued(MUM, "5001")
        await over(cti, call)
        call, of_another = await queued(MUM, "4711")
        _, chosen = await one.asks("PUT", path_of(call), {"account_id": mum["account_id"]})
        _, undone = await one.asks("DELETE", path_of(call))
        await over(cti, call)

        assert (withheld["account"]["name"], proposed(withheld)) == ("Zoë", [("Zoë", "customer_number_entered")])
        assert (withheld["routing"]["rule"], len(withheld["history"])) == ("gold-first", 1)
        assert stored["account_id"] == zoe["account_id"]
        assert (of_household["account"]["name"], of_household["candidates"][0]["detail"]["entered"]) == ("Mum", "5001")
        assert (of_another["account"], of_another["lookup"], proposed(of_another)[0]) == (
            None, "several", ("Zoë", "customer_number_entered"),
        )  # fmt: skip
        assert (chosen["account"]["name"], undone["account"]) == ("Mum", None)
        assert proposed(undone) == proposed(of_another)
