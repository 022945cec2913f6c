"""A service that is started anew knows what it knew: calls, cards, what was not stored. Nobody is told anything twice."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cti_bridge import app as app_module
from cti_bridge import pipeline as pipeline_module
from cti_bridge.ami.link import LinkState
from cti_bridge.app import Application
from storage.recorder import Recorder
from tests.support.running import ZOE, Service, call_centre, eventually, ready, serving, settings_for
from tests.support.simulated_pbx import a_pbx


async def shown_to(service: Service, username: str, last_event_id: int = 0):
    person = await service.sign_in(username)
    return await person.opens(last_event_id)


async def test_cards_come_back_with_the_snapshot_before_the_pbx_is_heard_again(tmp_path, template):
    """One agent talks, another's phone rings; the PBX cannot be reached after the start, so all there is is the journal."""
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            one, two = await shown_to(first, "one"), await shown_to(first, "two")
            talking = await pbx.call_in("8001", ZOE)
            pop_one = await one.until("pop")
            pbx.phone("1001").answer()
            await one.until_call("call.answered", f"main:{talking.uniqueid}")
            await pbx.call_in("8001", ZOE)
            pop_two = await two.until("pop")
    away = settings_for(tmp_path, template, pbx.port)
    async with serving(away) as second:
        screens = [await shown_to(second, "one", one.heard[-1]["id"]), await shown_to(second, "two", two.heard[-1]["id"])]
        metrics = await (await second.http.get(f"{second.base}/metrics")).text()

        cards = [screen.welcome["snapshot"]["pops"] for screen in screens]
        assert [[card["pop_id"] for card in held] for held in cards] == [[pop_one["pop_id"]], [pop_two["pop_id"]]]
        assert [[card["account"]["name"] for card in held] for held in cards] == [["Zoë"], ["Zoë"]]
        assert [held[0]["call"]["state"] for held in cards] == ["talking", "offered"]
        assert [screen.welcome["resumed"] for screen in screens] == [False, False]
        assert [screen.numbered("pop") for screen in screens] == [[], []]
        assert 'cti_pops_total{stage="sent"}' not in metrics


async def test_a_call_that_goes_on_over_a_restart_is_recorded_as_if_there_had_been_none(tmp_path, template):
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            screen = await shown_to(first, "one")
            call = await pbx.call_in("8001", ZOE)
            await screen.until("pop")
            pbx.phone("1001").answer()
            await screen.until("call.answered")
        async with serving(settings) as second:
            await ready(second, agents=3)
            screen = await shown_to(second, "one")
            call.hang_up()
            stored = await second.stored(f"main:{call.uniqueid}")

    record = stored["call"]
    assert (stored["outcome"], record["answered_by"], record["offered_to"]) == ("answered", ["1001"], ["1001"])
    assert (record["estimated"], record["did"], record["queue"]) == (False, "8001", "support")
    assert record["started_at"] < record["answered_at"] < record["ended_at"]


async def test_a_call_that_ends_while_the_service_is_down_is_closed_and_marked(tmp_path, template):
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            screen = await shown_to(first, "one")
            call = await pbx.call_in("8001", ZOE)
            await screen.until("pop")
            pbx.phone("1001").answer()
            await screen.until("call.answered")
        call.hang_up()
        await call.ended()
        async with serving(settings) as second:
            stored = await second.stored(f"main:{call.uniqueid}")
            screen = await shown_to(second, "one")

            assert (stored["outcome"], stored["agent"], stored["call"]["estimated"]) == ("answered", "1001", True)
            assert screen.welcome["snapshot"]["pops"] == []


async def test_calls_that_the_store_did_not_take_before_the_end_are_stored_after_the_next_start(
    tmp_path, template, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(app_module, "DRAIN_SECONDS", 0.1)
    monkeypatch.setattr(app_module, "FLUSH_SECONDS", 0.1)
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        ended = []
        with capture_logs() as logs, closing(sqlite3.connect(tmp_path / "cti.db", isolation_level=None)) as other:
            async with serving(settings) as first:
                await ready(first, agents=3)
                screen = await shown_to(first, "one")
                other.execute("BEGIN IMMEDIATE")
                for _ in range(3):
                    call = await pbx.call_in("8100", ZOE)
                    await screen.until("pop")
                    call.hang_up()
                    await screen.until("pop.withdrawn")
                    ended.append(f"main:{call.uniqueid}")
                first.app.stop()
                await first.task
            other.execute("ROLLBACK")
        assert "shutdown.not_flushed" in {entry["event"] for entry in logs}
        assert stored_in(tmp_path) == []
        async with serving(settings) as second:
            stored = [await second.stored(call_id) for call_id in ended]

    assert [one["outcome"] for one in stored] == ["abandoned"] * 3
    assert [one["account_id"] is not None for one in stored] == [True] * 3
    assert sorted(stored_in(tmp_path)) == sorted(ended)


def stored_in(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "cti.db")) as store:
        return [row[0] for row in store.execute("SELECT call_id FROM interactions WHERE call_id IS NOT NULL")]


async def test_calls_that_find_no_room_in_the_recorder_are_read_from_the_journal_again(
    tmp_path, template, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pipeline_module, "CATCH_UP_SECONDS", 0.05)

    def make_small(app: Application) -> None:
        app._recorder = Recorder(app.database, capacity=2)

    async with a_pbx(call_centre()) as pbx, serving(settings_for(tmp_path, template, pbx.port), prepare=make_small) as cti:
        await ready(cti, agents=3)
        screen = await shown_to(cti, "one")
        ended = []
        with closing(sqlite3.connect(tmp_path / "cti.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(6):
                call = await pbx.call_in("8100", ZOE)
                await screen.until("pop")
                call.hang_up()
                await screen.until("pop.withdrawn")
                ended.append(f"main:{call.uniqueid}")

            async def all_told() -> bool:
                return cti.app._recorder.counters["refused"] >= 4

            await eventually(all_told)
            other.execute("ROLLBACK")

        stored = [await cti.stored(call_id) for call_id in ended]
        sam = await cti.sign_in("sam")

        assert [one["outcome"] for one in stored] == ["abandoned"] * 6
        assert len((await sam.sees("/interactions?channel=phone"))["items"]) == 6
        assert len(screen.numbered("pop")) == 6


async def test_a_disk_that_takes_no_journal_stops_no_pop_and_is_said(tmp_path, template):
    (tmp_path / "journal").write_text("a file where the folder should be")
    async with a_pbx(call_centre()) as pbx, serving(settings_for(tmp_path, template, pbx.port)) as cti:
        await ready(cti, agents=3)
        screen = await shown_to(cti, "one")
        await pbx.call_in("8001", ZOE)

        await screen.until("pop")
        async with cti.http.get(f"{cti.base}/readyz") as answer:
            status, readiness = answer.status, await answer.json()
        metrics = await (await cti.http.get(f"{cti.base}/metrics")).text()

    (check,) = [check for check in readiness["checks"] if check["name"] == "journal main"]
    assert (status, readiness["status"], check["ok"]) == (200, "degraded", False)
    assert "pops go on" in check["detail"]
    assert 'cti_journal_total{kind="errors"} 1.0' in metrics


async def test_a_restarted_pbx_is_recognised_over_a_restart_of_the_service(tmp_path, template):
    """Its calls are over, though nobody saw them end."""
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            screen = await shown_to(first, "one")
            call = await pbx.call_in("8001", ZOE)
            await screen.until("pop")
    async with a_pbx(call_centre()) as anew, serving(settings_for(tmp_path, template, anew.port)) as second:
        await second.link_is(LinkState.CONNECTED)
        stored = await second.stored(f"main:{call.uniqueid}")

    assert (stored["outcome"], stored["call"]["estimated"]) == ("lost", True)
