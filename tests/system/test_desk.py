"""What agents and supervisors do from the desktop: call control on the PBX, wrap-ups on the account, figures on the board."""

import asyncio
from typing import Any

import pytest

from config.settings import QueueSettings
from cti_bridge.simulator.pbx import CallHandle, SimulatedPbx
from tests.support.running import NOBODY, ZOE, Person, Screen, Service, call_centre, eventually, service


async def in_talk(cti: Service, pbx: SimulatedPbx, number: str = ZOE) -> tuple[Person, Screen, CallHandle, str]:
    """Agent one with a customer."""
    one = await cti.sign_in("one")
    screen = await one.opens()
    call = await pbx.call_in("8001", number)
    call_id = f"main:{call.uniqueid}"
    await screen.until("pop")
    pbx.phone("1001").answer()
    await screen.until_call("call.answered", call_id)
    return one, screen, call, call_id


# --- call control


async def test_click_to_call_rings_the_own_phone_first_and_is_recorded_on_the_customer(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()

        status, answer = await one.asks("POST", "/calls", {"to": "020 7946 0018"})
        await pbx.phone("1001").rings()
        pbx.phone("1001").answer()
        customer = await pbx.customer_rings()
        customer.answer()
        answered = await screen.until("call.answered")
        customer.hang_up()

        assert status == 202
        assert answered["call"]["call_id"] == f"main:{answer['request_id']}"
        stored = await cti.stored(answered["call"]["call_id"])
        assert (stored["direction"], stored["outcome"], stored["agent"]) == ("outbound", "answered", "1001")
        account = await one.sees(f"/accounts/{stored['account_id']}")
        assert account["name"] == "Zoë"


async def test_answer_hold_resume_and_hang_up_are_done_by_the_phone(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call = await pbx.call_in("8001", ZOE)
        call_id = f"main:{call.uniqueid}"
        await screen.until("pop")

        for verb, event in (
            ("answer", "call.answered"),
            ("hold", "call.held"),
            ("resume", "call.resumed"),
            ("hangup", "call.ended"),
        ):
            assert (await one.asks("POST", f"/calls/{call_id}/{verb}"))[0] == 202
            told = await screen.until_call(event, call_id)
        await call.ended()

        assert (told["outcome"], told["held"], told["answered_by"]) == ("answered", True, ["1001"])
        assert told["hung_up_by"] == "agent"


async def test_a_transfer_sends_the_customer_on(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, screen, _, call_id = await in_talk(cti, pbx)
        third = await (await cti.sign_in("three")).opens()

        assert (await one.asks("POST", f"/calls/{call_id}/transfer", {"to": "1003"}))[0] == 202

        assert (await screen.until_call("call.transferred", call_id))["transfers"][0]["to"] == "1003"
        assert (await third.until("pop"))["account"]["name"] == "Zoë"


async def test_a_pause_takes_the_agent_out_of_every_queue_and_ready_brings_back(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, sam = await cti.sign_in("one"), await cti.sign_in("sam")

        async def state() -> tuple[str, str | None]:
            agents = (await sam.sees("/agents"))["items"]
            return next((agent["status"], agent["pause_reason"]) for agent in agents if agent["agent"] == "1001")

        async def is_so(wanted: tuple[str, str | None]) -> bool:
            return await state() == wanted

        assert (await one.asks("PUT", "/agents/1001/state", {"status": "paused", "reason": "lunch"}))[0] == 202
        await eventually(lambda: is_so(("paused", "lunch")))
        call = await pbx.call_in("8001", ZOE)
        assert await call.ringing() == "1002"
        assert (await sam.asks("PUT", "/agents/1001/state", {"status": "ready"}))[0] == 202
        await eventually(lambda: is_so(("ready", None)))


@pytest.mark.parametrize(
    ("who", "verb", "body", "kind"),
    [
        pytest.param("two", "hangup", None, "not-in-this-call", id="somebody else's call"),
        pytest.param("one", "resume", None, "nothing-to-do", id="what is so already"),
        pytest.param("one", "answer", None, "not-ringing", id="a phone that does not ring"),
        pytest.param("one", "transfer", {"to": "1003\r\nAction: Originate"}, "wrong-fields", id="a second action in a number"),
        pytest.param("one", "transfer", {"to": "4711"}, "pbx-refused", id="a number that the PBX does not know"),
    ],
)
async def test_a_refused_command_says_why_and_changes_nothing(tmp_path, template, who, verb, body, kind):
    async with service(tmp_path, template) as (cti, pbx):
        _, _, call, call_id = await in_talk(cti, pbx)
        person = await cti.sign_in(who)

        status, problem = await person.asks("POST", f"/calls/{call_id}/{verb}", body)

        assert status in {404, 409, 422}
        assert problem["type"] == f"urn:cti-bridge:problem:{kind}"
        assert await call.answered() == "1001"


async def test_commands_say_when_the_pbx_is_away(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, _, _, call_id = await in_talk(cti, pbx)
        await pbx.stop()
        await cti.link_is("disconnected")

        status, problem = await one.asks("POST", f"/calls/{call_id}/hold")

        assert (status, problem["type"]) == (409, "urn:cti-bridge:problem:pbx-away")


# --- wrap-up


async def test_what_an_agent_writes_during_the_call_stays_when_the_calls_own_record_comes(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, screen, call, call_id = await in_talk(cti, pbx, NOBODY)
        (mum, *_) = (await one.sees("/accounts?q=Mum"))["items"]
        written = {"disposition": "sale", "note": "Two boxes", "account_id": mum["account_id"]}

        status, saved = await one.asks("PATCH", f"/calls/{call_id}/wrap-up", written)
        call.hang_up()
        await screen.until_call("call.ended", call_id)
        stored = await cti.stored(call_id)

        assert (status, saved["outcome"], saved["ended_at"]) == (200, "answered", None)
        assert {key: stored[key] for key in written} == written
        assert (stored["outcome"], stored["agent"], stored["interaction_id"]) == ("answered", "1001", saved["interaction_id"])
        assert [contact["call_id"] for contact in (await one.sees(f"/accounts/{mum['account_id']}/timeline"))["items"]] == [
            call_id
        ]


async def test_a_wrap_up_after_the_end_is_kept_and_is_for_those_who_talked(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, screen, call, call_id = await in_talk(cti, pbx)
        call.hang_up()
        await screen.until_call("call.ended", call_id)
        await cti.stored(call_id)

        status, saved = await one.asks("PATCH", f"/calls/{call_id}/wrap-up", {"disposition": "resolved"})
        refused, _ = await (await cti.sign_in("two")).asks("PATCH", f"/calls/{call_id}/wrap-up", {"disposition": "x"})

        assert (status, saved["disposition"], saved["outcome"]) == (200, "resolved", "answered")
        assert refused in {404, 409}
        assert (await cti.stored(call_id))["disposition"] == "resolved"


# --- the supervisor's figures


async def test_the_figures_of_a_scripted_day(tmp_path, template):
    """Answered in time, answered late, abandoned short and long, overflowed: each where it belongs."""
    world = call_centre(longest_wait_seconds=1.6)
    queues = QueueSettings(service_level_seconds=1, short_abandon_seconds=1, wrap_up_seconds=0)
    async with service(tmp_path, template, world=world, queues=queues) as (cti, pbx):
        board = await (await cti.sign_in("sam")).opens()
        calls = {}
        for name in ("in time", "short", "late", "long", "overflow"):
            calls[name] = await pbx.call_in("8002", ZOE)
            if name == "in time":
                pbx.phone(await calls[name].ringing()).answer()
                await calls[name].answered()
                pbx.exchange.queues.pause("PJSIP/1002", paused=True, reason="", queue_name=None)
        joined = [call for call in calls.values() if call is not calls["in time"]]
        for call in joined:
            await board.until_call("call.changed", f"main:{call.uniqueid}")
        calls["short"].hang_up()
        await wait(1.1)
        calls["in time"].hang_up()
        await calls["late"].ringing()
        pbx.phone("1001").answer()
        calls["long"].hang_up()
        await calls["overflow"].ended()
        calls["late"].hang_up()
        for call in calls.values():
            await cti.stored(f"main:{call.uniqueid}")

        sales = await figures_of(cti, "sales")

        assert {key: sales[key] for key in ("offered", "answered", "abandoned", "short_abandons", "overflowed", "waiting")} == {
            "offered": 5,
            "answered": 2,
            "abandoned": 2,
            "short_abandons": 1,
            "overflowed": 1,
            "waiting": 0,
        }
        assert sales["service_level"] == 1 / 4
        assert 0.5 < sales["average_speed_of_answer_s"] < 1.5
        assert sum(sales["agents"].values()) == 2
        outcomes = {name: (await cti.stored(f"main:{call.uniqueid}"))["outcome"] for name, call in calls.items()}
        assert outcomes == {
            "in time": "answered",
            "short": "abandoned",
            "late": "answered",
            "long": "abandoned",
            "overflow": "timeout",
        }


async def figures_of(cti: Service, queue: str) -> dict[str, Any]:
    items = (await (await cti.sign_in("sam")).sees("/queues"))["items"]
    return next(one for one in items if one["queue"] == queue)


async def wait(seconds: float) -> None:
    """A caller's patience is real time: the thresholds under test are seconds."""
    await asyncio.sleep(seconds)


async def test_the_board_shows_waiting_callers_and_agents_by_state(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        board = await (await cti.sign_in("sam")).opens()
        first = await pbx.call_in("8001", ZOE)
        pbx.phone(await first.ringing()).answer()
        second = await pbx.call_in("8001", NOBODY)
        await second.ringing()

        told = await board.until(
            "queue.figures",
            lambda message: any(one["queue"] == "support" and one["agents"]["talking"] for one in message["queues"]),
        )
        support = next(one for one in told["queues"] if one["queue"] == "support")
        if not support["agents"]["ringing"]:
            told = await board.until("queue.figures", lambda message: any(one["agents"]["ringing"] for one in message["queues"]))
            support = next(one for one in told["queues"] if one["queue"] == "support")

        assert (support["offered"], support["answered"], support["waiting"]) == (2, 1, 1)
        assert {state: count for state, count in support["agents"].items() if count} == {"talking": 1, "ringing": 1, "ready": 1}
        assert support["longest_waiting_since"] is not None


async def test_wrap_up_shows_after_the_call_until_the_agent_is_ready(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, screen, call, call_id = await in_talk(cti, pbx)
        call.hang_up()
        await screen.until_call("call.ended", call_id)

        wrapping = await screen.until("agent.state", lambda message: message["agents"][0]["activity"] == "wrap_up")
        await one.asks("PUT", "/agents/1001/state", {"status": "ready"})
        ready = await screen.until("agent.state", lambda message: message["agents"][0]["activity"] == "idle")

        assert (wrapping["agents"][0]["call_id"], ready["agents"][0]["call_id"]) == (call_id, None)
