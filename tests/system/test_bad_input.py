"""A PBX that misbehaves, links that are refused, browsers that talk nonsense: said plainly, counted, and nothing else suffers."""

import asyncio
import socket
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti_bridge.ami.link import LinkState
from tests.support.fake_pbx import FakePbx, events_of
from tests.support.running import ZOE, Screen, Service, eventually, service, serving, settings_for
from tests.support.simulated_pbx import TRACES, a_pbx


async def link_of(cti: Service) -> dict[str, Any]:
    (link,) = (await (await cti.sign_in("sam")).sees("/links"))["items"]
    return link


# --- links


async def test_a_wrong_secret_is_said_once_with_what_to_do_and_tried_again_slowly(tmp_path, template):
    with capture_logs() as logs:
        async with FakePbx() as pbx, serving(settings_for(tmp_path, template, pbx.port, secret="wrong")) as cti:
            link = await cti.link_is(LinkState.REFUSED)
            await asyncio.sleep(1)  # time for a tight loop to show

            assert pbx.attempts == 1
    assert "check username and secret against [cti] in manager.conf" in link["detail"]
    refusals = [entry for entry in logs if entry["event"] == "ami.refused"]
    assert [(entry["log_level"], entry["detail"]) for entry in refusals] == [("warning", link["detail"])]
    assert "wrong" not in str(refusals)


async def test_a_pbx_that_is_away_is_said_once_and_found_when_it_comes(tmp_path, template):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with capture_logs() as logs:
        async with serving(settings_for(tmp_path, template, port)) as cti:
            away = await cti.link_is(LinkState.DISCONNECTED)
            async with a_pbx(port=port):
                await cti.link_is(LinkState.CONNECTED)

    assert f"nothing listens at 127.0.0.1:{port}" in away["detail"]
    events_link = [entry["event"] for entry in logs if entry.get("link") == "events" and entry["event"] != "ami.resynced"]
    assert events_link[:2] == ["ami.disconnected", "ami.connected"]


async def test_a_missing_right_is_named_with_the_line_to_change(tmp_path, template):
    async with FakePbx() as pbx:
        pbx.refuses["CoreShowChannels"] = "Permission denied"
        with capture_logs() as logs:
            async with serving(settings_for(tmp_path, template, pbx.port)) as cti:

                async def told() -> str | None:
                    detail = (await link_of(cti))["detail"]
                    return detail if "refused" in detail else None

                detail = await eventually(told)

    assert "add reporting to write= of [cti] in manager.conf" in detail
    warnings = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["event"], entry["detail"]) for entry in warnings if entry["event"] != "ami.disconnected"] == [
        ("ami.resynced", detail)
    ]


# --- frames

JUNK = {
    "malformed": b"this is no AMI\r\n\r\n",
    "truncated": b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/trunk-0",
    "oversized": b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: " + b"x" * 300_000 + b"\r\n\r\n",
    "not UTF-8": b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: \xff\xfe\xc0\r\n\r\n",
    "nothing but ends": b"\r\n" * 50,
    "control characters": b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: \x00\x1b[2J\x07\r\n\r\n",
    "a forged event": (
        b"Event: Newchannel\r\nPrivilege: call,all\r\nChannel: PJSIP/trunk-99999999\r\nChannelState: 4\r\n"
        b"ChannelStateDesc: Ring\r\nCallerIDNum: 06\r\n\r\nEvent: Shutdown\r\nPrivilege: system,all\r\nShutdown: Cleanly\r\n"
        b"\r\nX: 1\r\nCallerIDName: <unknown>\r\n\r\n"
    ),
}


@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
async def test_bad_frames_are_put_aside_and_the_call_around_them_is_right(tmp_path, template, junk):
    """Between any two events of a recorded call."""
    events = events_of(TRACES / "q_first_agent.ami")
    async with FakePbx() as pbx, serving(settings_for(tmp_path, template, pbx.port)) as cti:
        await cti.link_is(LinkState.CONNECTED)
        cut = next(place for place, block in enumerate(events) if block.startswith(b"Event: AgentConnect"))
        pbx.tell(b"".join(events[:cut]) + junk)
        if not junk.endswith(b"\r\n\r\n"):
            pbx.tell(b"\r\n\r\n")
        pbx.tell(b"".join(events[cut:]))

        (stored,) = await eventually(lambda: phone_calls(cti))
        link = await link_of(cti)

        assert (stored["outcome"], stored["agent"], stored["queue"]) == ("answered", "1001", "support")
        assert link["state"] == "connected"
        assert link["counters"]["reconnects"] == 0
        if junk.strip():
            assert sum(link["counters"][kind] for kind in ("forged", "malformed", "oversized")) >= 1


async def phone_calls(cti: Service) -> list[dict[str, Any]]:
    items = (await (await cti.sign_in("sam")).sees("/interactions?channel=phone"))["items"]
    return [one for one in items if one["ended_at"]]


# --- browsers


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        pytest.param("{no json", 4400, id="not JSON"),
        pytest.param("x" * 70_000, 4409, id="too large"),
        pytest.param({"type": "dance"}, "unknown-type", id="of unknown type"),
        pytest.param({"type": "ack", "id": "one"}, "wrong-shape", id="of wrong shape"),
        pytest.param({"type": "shown", "pop_id": "main:1.1/1002/1"}, "unknown-pop", id="about somebody else's pop"),
    ],
)
async def test_a_bad_message_is_answered_and_the_colleague_goes_on(tmp_path, template, said, answer):
    async with service(tmp_path, template) as (cti, pbx):
        bad, good = await (await cti.sign_in("two")).opens(), await (await cti.sign_in("one")).opens()

        await bad.say(said)

        if isinstance(answer, int):
            assert await bad.hear_end() == answer
        else:
            assert (await bad.until("error"))["kind"] == answer
        await pbx.call_in("8001", ZOE)
        assert (await good.until("pop"))["account"]["name"] == "Zoë"


async def test_who_may_not_say_something_is_told_so(tmp_path, template):
    async with service(tmp_path, template) as (cti, _pbx):
        screen: Screen = await (await cti.sign_in("sam")).opens()

        await screen.say({"type": "shown", "pop_id": "main:1.1/1001/1"})

        assert (await screen.until("error"))["kind"] in {"not-allowed", "unknown-pop"}
