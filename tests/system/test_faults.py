"""What breaks around the service while calls go on: the store, the PBX link, browsers, the service itself."""

import asyncio
import sqlite3
from contextlib import closing

from structlog.testing import capture_logs

from cti_bridge.ami.link import LinkState
from cti_bridge.app import Application
from cti_bridge.domain.account import Candidate
from cti_bridge.lookup import DEADLINE_SECONDS, Lookup
from storage.accounts import Accounts
from tests.support.running import ZOE, call_centre, eventually, ready, service, serving, settings_for
from tests.support.simulated_pbx import a_pbx


class SlowAccounts:
    """The real accounts behind a store that answers only when it is let."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.gate = asyncio.Event()

    async def of_caller(self, e164: str | None, entered: str | None) -> tuple[Candidate, ...]:
        await self.gate.wait()
        return await self._accounts.of_caller(e164, entered)


async def test_a_slow_store_delays_the_pop_by_its_deadline_and_the_customer_follows(tmp_path, template):
    slow: list[SlowAccounts] = []

    def slow_down(app: Application) -> None:
        slow.append(SlowAccounts(app.accounts))
        app._lookup = Lookup(slow[0], "GB")

    async with service(tmp_path, template, prepare=slow_down) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        loop = asyncio.get_running_loop()
        called_at = loop.time()
        await pbx.call_in("8001", ZOE)

        pop = await screen.until("pop")
        waited = loop.time() - called_at
        slow[0].gate.set()
        update = await screen.until("pop.update")

        assert (pop["lookup"], pop["account"]) == ("pending", None)
        assert waited < DEADLINE_SECONDS + 0.5
        assert (update["pop_id"], update["lookup"], update["account"]["name"]) == (pop["pop_id"], "found", "Zoë")
        assert [contact["subject"] for contact in update["history"]] == ["A complaint"]


async def test_a_cut_link_in_mid_call_rings_nobody_twice_and_records_once(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, two, sam = [await cti.sign_in(name) for name in ("one", "two", "sam")]
        screen, second = await one.opens(), await two.opens()
        talking, ringing = await pbx.call_in("8001", ZOE), None
        await screen.until("pop")
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        ringing = await pbx.call_in("8001", ZOE)
        await second.until("pop")

        pbx.cut_clients()
        await cti.link_is(LinkState.DISCONNECTED)
        link = await cti.link_is(LinkState.CONNECTED)

        assert link["counters"]["reconnects"] == 1
        live = await eventually(lambda: two_calls(sam))
        assert [call["call_id"] for call in live] == [f"main:{talking.uniqueid}", f"main:{ringing.uniqueid}"]
        pbx.phone("1002").answer()
        await second.until_call("call.answered", f"main:{ringing.uniqueid}")
        talking.hang_up()
        ringing.hang_up()
        stored = [await cti.stored(f"main:{call.uniqueid}") for call in (talking, ringing)]
        assert [one["outcome"] for one in stored] == ["answered", "answered"]
        assert [one["call"]["estimated"] for one in stored] == [False, False]
        assert [len(browser.numbered("pop")) for browser in (screen, second)] == [1, 1]
        assert len((await sam.sees("/interactions?channel=phone"))["items"]) == 2


async def two_calls(person) -> list[dict] | None:
    calls = (await person.sees("/calls"))["items"]
    return calls if len(calls) == 2 else None


async def test_what_ended_while_the_link_was_down_is_closed_and_marked(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        call = await pbx.call_in("8001", ZOE)
        await screen.until("pop")
        pbx.phone("1001").answer()
        await screen.until("call.answered")

        pbx.cut_clients()
        call.hang_up()

        stored = await cti.stored(f"main:{call.uniqueid}")
        assert (stored["outcome"], stored["agent"], stored["call"]["estimated"]) == ("answered", "1001", True)
        await screen.until("call.ended")


async def test_a_browser_that_comes_back_is_told_all_that_it_missed(tmp_path, template):
    async with service(tmp_path, template, world=call_centre(ring_seconds=0.3)) as (cti, pbx):
        one = await cti.sign_in("one")
        before = await one.opens()
        await pbx.call_in("8001", ZOE)
        pop = await before.until("pop")
        await before.drop()
        await pbx.phone("1002").rings()
        pbx.phone("1002").answer()
        await cti_knows_talk(cti)

        after = await one.opens(last_event_id=pop["id"])
        withdrawn = await after.until("pop.withdrawn")

        assert (after.welcome["resumed"], after.welcome["event_id"]) == (True, pop["id"])
        ids = [message["id"] for message in after.numbered()]
        assert ids == list(range(pop["id"] + 1, pop["id"] + 1 + len(ids)))
        assert (withdrawn["pop_id"], withdrawn["why"]) == (pop["pop_id"], "ring_no_answer")
        assert after.numbered("pop") == []


async def cti_knows_talk(cti) -> None:
    sam = await cti.sign_in("sam")

    async def talking() -> bool:
        return any(call["state"] == "talking" for call in (await sam.sees("/calls"))["items"])

    await eventually(talking)


async def test_calls_go_on_while_another_process_locks_the_database_and_are_stored_after(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        with closing(sqlite3.connect(tmp_path / "cti.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ended = []
            for _ in range(3):
                call = await pbx.call_in("8100", ZOE)
                pop = await screen.until("pop", lambda pop, call=call: pop["call"]["call_id"] == f"main:{call.uniqueid}")
                assert pop["account"]["name"] == "Zoë"
                call.hang_up()
                await screen.until("pop.withdrawn")
                ended.append(f"main:{call.uniqueid}")
            assert cti.app._recorder.waiting == 3
            other.execute("ROLLBACK")

        for call_id in ended:
            assert (await cti.stored(call_id))["outcome"] == "abandoned"


# --- the end of the service


async def test_a_stop_says_goodbye_to_browsers_and_stores_the_call_that_has_just_ended(tmp_path, template):
    with capture_logs() as logs:
        async with service(tmp_path, template) as (cti, pbx):
            screen, board = await (await cti.sign_in("one")).opens(), await (await cti.sign_in("sam")).opens()
            over, live = await pbx.call_in("8001", ZOE), None
            await screen.until("pop")
            live = await pbx.call_in("8002", ZOE)
            await board.until_call("call.changed", f"main:{live.uniqueid}")
            over.hang_up()
            await board.until_call("call.ended", f"main:{over.uniqueid}")
            began = asyncio.get_running_loop().time()

            ends = asyncio.gather(screen.hear_end(), board.hear_end())
            await cti.stop()

            assert asyncio.get_running_loop().time() - began < 5
            assert await ends == [1001, 1001]
        with closing(sqlite3.connect(tmp_path / "cti.db")) as store:
            rows = store.execute("SELECT call_id, outcome FROM interactions WHERE call_id IS NOT NULL").fetchall()
    assert rows == [(f"main:{over.uniqueid}", "abandoned")]
    assert [entry for entry in logs if entry["log_level"] in {"warning", "error"} and entry["event"] != "ami.disconnected"] == []


async def test_a_call_that_outlives_the_service_is_recorded_once_by_the_next_one(tmp_path, template):
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            screen = await (await first.sign_in("one")).opens()
            call = await pbx.call_in("8001", ZOE)
            await screen.until("pop")
            pbx.phone("1001").answer()
            await screen.until("call.answered")
        async with serving(settings) as second:
            await ready(second, agents=3)
            one = await second.sign_in("one")
            screen = await one.opens()
            assert [live["call_id"] for live in screen.welcome["snapshot"]["calls"]] == [f"main:{call.uniqueid}"]
            call.hang_up()

            stored = await second.stored(f"main:{call.uniqueid}")
            assert (stored["outcome"], stored["agent"]) == ("answered", "1001")
            assert stored["account_id"] is not None


async def test_a_page_that_is_loaded_anew_in_mid_call_still_knows_the_customer(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one = await cti.sign_in("one")
        screen = await one.opens()
        call = await pbx.call_in("8001", ZOE)
        pop = await screen.until("pop")
        pbx.phone("1001").answer()
        await screen.until_call("call.answered", f"main:{call.uniqueid}")

        anew = await one.opens()

        (standing,) = anew.welcome["snapshot"]["pops"]
        assert (standing["pop_id"], standing["account"]["name"]) == (pop["pop_id"], "Zoë")
        assert (standing["call"]["state"], standing["call"]["ringing"]) == ("talking", [])
