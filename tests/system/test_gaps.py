"""A time without the PBX, as those who lead the floor see it: from the cut of the link to the audit that settles it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from config.settings import RecordSettings, Settings
from cti_bridge import gaps as gaps_module
from cti_bridge.ami.link import LinkState
from cti_bridge.record import auditor as auditor_module
from tests.support.record_samples import cel_of
from tests.support.running import ZOE, Screen, Service, call_centre, eventually, ready, service, serving, settings_for
from tests.support.simulated_pbx import a_pbx


async def closed(screen: Screen) -> dict[str, Any]:
    """Waits for a gap that is over."""
    told = await screen.until("gap.state", lambda message: message["gaps"][0]["until"] is not None)
    gap: dict[str, Any] = told["gaps"][0]
    return gap


async def figures(cti: Service) -> dict[str, bool]:
    """Which queues' figures are provisional."""
    sam = await cti.sign_in("sam")
    return {queue["queue"]: queue["provisional"] for queue in (await sam.sees("/queues"))["items"]}


async def test_a_cut_link_is_a_gap_that_says_what_became_of_the_calls(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        one, two, sam = [await cti.sign_in(name) for name in ("one", "two", "sam")]
        screen, second, board = await one.opens(), await two.opens(), await sam.opens()
        talking = await pbx.call_in("8001", ZOE)
        await screen.until("pop")
        pbx.phone("1001").answer()
        await screen.until("call.answered")
        over = await pbx.call_in("8001", ZOE)
        await second.until("pop")
        assert await figures(cti) == {"sales": False, "support": False}

        pbx.cut_clients()
        over.hang_up()
        unseen = await pbx.call_in("8002", ZOE)
        gap = await closed(board)

        assert gap["queues"] == ["sales", "support"]
        assert (gap["rebuilt"], gap["ended_unseen"], gap["appeared"]) == (1, 1, 1)
        assert (gap["cause"], gap["is_audited"], gap["settled_at"]) == ("link", False, None)
        assert (await cti.stored(f"main:{over.uniqueid}"))["call"]["estimated"]
        assert await figures(cti) == {"sales": True, "support": True}
        live = (await sam.sees("/calls"))["items"]
        assert {call["call_id"]: call["estimated"] for call in live} == {
            f"main:{talking.uniqueid}": False,
            f"main:{unseen.uniqueid}": True,
        }
        assert (await sam.sees("/gaps"))["items"] == [gap]
        pop = await second.until("pop")  # the phone rings for the new call now
        assert pop["call"]["call_id"] == f"main:{unseen.uniqueid}"
        assert len(screen.numbered("pop")) == 1


async def test_a_card_of_a_call_that_was_answered_unseen_comes_without_ringing(tmp_path, template):
    async with service(tmp_path, template) as (cti, pbx):
        screen = await (await cti.sign_in("one")).opens()
        pbx.cut_clients()
        call = await pbx.call_in("8100", ZOE)
        await pbx.phone("1001").rings()
        pbx.phone("1001").answer()

        pop = await screen.until("pop")

        assert pop["call"]["call_id"] == f"main:{call.uniqueid}"
        assert (pop["account"]["name"], pop["call"]["ringing"], pop["call"]["talking"]) == ("Zoë", [], ["1001"])


def with_record(settings: Settings, cel: Path) -> Settings:
    """The same, and the PBX's CEL can be read."""
    pbx = settings.pbx[0].model_copy(update={"record": RecordSettings(cel_csv=cel)})
    return settings.model_copy(update={"pbx": (pbx,)})


async def test_with_the_pbx_s_record_the_audit_settles_the_gap(tmp_path, template, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gaps_module, "AUDIT_AGAIN_SECONDS", (0.05,) * 20)
    monkeypatch.setattr(auditor_module, "SETTLING_SECONDS", 0.0)
    monkeypatch.setattr(auditor_module, "LATE_ROWS", timedelta(0))
    async with a_pbx(call_centre()) as pbx:
        settings = with_record(settings_for(tmp_path, template, pbx.port), cel_of("q_first_agent"))
        async with serving(settings) as cti:
            await ready(cti, agents=3)
            board = await (await cti.sign_in("sam")).opens()

            pbx.cut_clients()
            told = await board.until("gap.state", lambda message: message["gaps"][0]["settled_at"] is not None)

            assert told["gaps"][0]["is_audited"]
            audit = (await (await cti.sign_in("sam")).sees("/audits"))["items"][0]
            assert (audit["pbx"], audit["reason"], audit["left"], audit["error"]) == ("main", "gap", 0, None)
            assert set((await figures(cti)).values()) == {False}


async def test_a_gap_that_is_open_when_the_service_stops_is_closed_by_the_next_one(tmp_path, template):
    pbx = a_pbx(call_centre())
    async with pbx:
        port = pbx.port
        async with serving(settings_for(tmp_path, template, port)) as first:
            await ready(first, agents=3)
            board = await (await first.sign_in("sam")).opens()
            await pbx.stop()
            (opened,) = (await board.until("gap.state"))["gaps"]
            await first.link_is(LinkState.DISCONNECTED)
            await eventually(lambda: stored_gaps(first))
    async with a_pbx(call_centre()) as another, serving(settings_for(tmp_path, template, another.port)) as second:
        await ready(second, agents=3)

        (gap,) = await eventually(lambda: closed_gaps(second))

        assert (gap["gap_id"], gap["since"]) == (opened["gap_id"], opened["since"])


async def test_the_time_in_which_the_service_was_away_is_a_gap(tmp_path, template):
    async with a_pbx(call_centre()) as pbx:
        settings = settings_for(tmp_path, template, pbx.port)
        async with serving(settings) as first:
            await ready(first, agents=3)
            screen, other = [await (await first.sign_in(name)).opens() for name in ("one", "two")]
            talking = await pbx.call_in("8001", ZOE)
            await screen.until("pop")
            pbx.phone("1001").answer()
            await screen.until("call.answered")
            over = await pbx.call_in("8001", ZOE)
            await pbx.phone("1002").rings()
            await other.until("pop")
        over.hang_up()
        async with serving(settings) as second:
            await ready(second, agents=3)

            (gap,) = await eventually(lambda: closed_gaps(second))

            assert (gap["cause"], gap["rebuilt"], gap["ended_unseen"], gap["appeared"]) == ("service", 1, 1, 0)
            assert gap["queues"] == ["sales", "support"]
            assert (await second.stored(f"main:{over.uniqueid}"))["call"]["estimated"]
            again = await (await second.sign_in("one")).opens()
            (standing,) = again.welcome["snapshot"]["pops"]
            assert (standing["call"]["call_id"], standing["call"]["ringing"]) == (f"main:{talking.uniqueid}", [])


async def stored_gaps(cti: Service) -> list[dict[str, Any]]:
    sam = await cti.sign_in("sam")
    items: list[dict[str, Any]] = (await sam.sees("/gaps"))["items"]
    return items


async def closed_gaps(cti: Service) -> list[dict[str, Any]]:
    return [gap for gap in await stored_gaps(cti) if gap["until"] is not None]
