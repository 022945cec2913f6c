"""Every way a websocket is refused or ends, while the others go on."""

import asyncio
import socket as sockets
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cti_bridge.domain.account import NotFound
from cti_bridge.domain.call import Extension
from screen_pop.pop import build_pop
from screen_pop.session import SessionLimits
from tests.support.stores import ADMIN, AGENT, NOW, OTHER_AGENT, SUPERVISOR, a_call
from tests.support.web import Browser, Web, running_web

EXTENSION = Extension("1001")


async def pop_for(web: Web, call_id: str, *, nth: int = 1, **changes: Any) -> str:
    call = a_call(call_id, ringing=("1001",), **changes)
    pop = build_pop(call, EXTENSION, nth, NotFound(), decision=None)
    await web.hub.pop(pop, at=NOW)
    return pop.pop_id


async def test_an_upgrade_while_the_store_is_away_is_refused_as_such(web: Web) -> None:
    token = await web.token_of(AGENT)
    web.sessions.is_away = True

    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await web.http.ws_connect(web.base + "/ws", protocols=("cti.v1",), headers={"Authorization": f"Bearer {token}"})

    assert refused.value.status == 503


async def test_a_browser_that_never_reads_again_is_cut_off(page_folder: Path) -> None:
    limits = SessionLimits(close_seconds=0.05)
    connector = aiohttp.TCPConnector(socket_factory=_small_socket)
    async with running_web(page_folder, max_behind=8, limits=limits) as web, aiohttp.ClientSession(connector=connector) as http:
        headers = {"Authorization": f"Bearer {await web.token_of(AGENT)}"}
        deaf = Browser(await http.ws_connect(web.base + "/ws", protocols=("cti.v1",), headers=headers, max_msg_size=0))
        await deaf.say({"type": "hello", "last_event_id": 0})
        await deaf.hear()
        connection = deaf.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.pause_reading()

        for number in range(64):
            await pop_for(web, f"main:{number}.1", customer_name="x" * 300_000)
            await web.call("GET", "/healthz")
        async with asyncio.timeout(10):
            while web.hub.present():
                await web.call("GET", "/healthz")

        assert web.counted("cti_ws_clients", role="agent") == 0
        await deaf.drop()


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ({"type": "dance"}, "unknown-type"),
        ({"type": ["ack"]}, "unknown-type"),
        ({}, "unknown-type"),
        ({"type": "ack"}, "wrong-shape"),
        ({"type": "ack", "id": "7"}, "wrong-shape"),
        ({"type": "ack", "id": -1}, "wrong-shape"),
        ({"type": "ack", "id": 2**53 - 1}, "wrong-shape"),
        ({"type": "ack", "id": True}, "wrong-shape"),
        ({"type": "shown", "pop_id": {"a": 1}}, "wrong-shape"),
        ({"type": "shown", "pop_id": "main:1.1/1002/1"}, "unknown-pop"),
        ({"type": "shown", "pop_id": "x", "role": "admin"}, "wrong-shape"),
        ({"type": "hello", "last_event_id": 0}, "wrong-shape"),
    ],
    ids=str,
)
async def test_a_wrong_message_is_refused_and_the_link_lives(web: Web, message: Any, kind: str) -> None:
    browser = await web.open(AGENT)

    await browser.say(message)
    refusal = await browser.hear()
    await pop_for(web, "main:1.1")

    assert (refusal["type"], refusal["kind"]) == ("error", kind)
    assert (await browser.hear())["type"] == "pop"


@pytest.mark.parametrize("user", [SUPERVISOR, ADMIN], ids=["supervisor", "admin"])
async def test_a_message_of_another_role_is_refused(web: Web, user: Any) -> None:
    browser = await web.open(user)

    await browser.say({"type": "shown", "pop_id": "main:1.1/1001/1"})

    assert (await browser.hear())["kind"] == "not-allowed"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", 4400),
        ("[1]", 4400),
        ('{"type":', 4400),
        ("[" * 3000, 4400),
        ('{"type":"ack","id":NaN}', 4400),
        ('{"type":"shown","pop_id":"' + "x" * 65_536 + '"}', 4409),
        ("x" * 3_000_000, 4409),
    ],
    ids=["text", "list", "cut off", "deep", "nan", "64 KiB", "3 MB"],
)
async def test_what_is_not_the_protocol_ends_the_link_with_its_code(web: Web, text: str, code: int) -> None:
    browser, other = await web.open(AGENT), await web.open(OTHER_AGENT)

    await browser.say(text)
    ended = await browser.hear_end()
    await web.hub.deliver(Extension("1002"), "call.changed", {"call": {}}, at=NOW)

    assert ended == code
    assert (await other.hear())["type"] == "call.changed"


async def test_binary_and_broken_utf8_are_not_the_protocol(web: Web) -> None:
    binary, broken = await web.open(AGENT), await web.open(AGENT)

    await binary.socket.send_bytes(b'{"type":"ack","id":0}')
    await broken.socket.send_frame(b'{"type":"\xff"}', aiohttp.WSMsgType.TEXT)

    assert [await binary.hear_end(), await broken.hear_end()] == [4400, 4400]


@pytest.mark.parametrize(
    "first", [{"type": "ack", "id": 0}, {"type": "hello", "last_event_id": -1}, {"type": "hello", "token": "x"}], ids=str
)
async def test_the_first_message_is_hello(web: Web, first: Any) -> None:
    browser = await web.connect(AGENT)

    await browser.say(first)

    assert await browser.hear_end() == 4400


async def test_no_hello_in_time_ends_the_link(page_folder: Path) -> None:
    async with running_web(page_folder, limits=SessionLimits(hello_seconds=0.05)) as web:
        assert await (await web.connect(AGENT)).hear_end() == 4400


async def test_refused_messages_without_end_are_not_the_protocol(web: Web) -> None:
    browser = await web.open(AGENT)

    for _ in range(11):
        await browser.say({"type": "dance"})

    assert await browser.hear_end() == 4400


async def test_a_flood_of_messages_ends_the_link(page_folder: Path) -> None:
    async with running_web(page_folder, limits=SessionLimits(message_burst=20, messages_per_second=1)) as web:
        browser = await web.open(AGENT)

        for _ in range(40):
            await browser.say({"type": "ack", "id": 0})

        assert await browser.hear_end() == 4429


async def test_a_browser_without_a_sign_of_life_is_closed_as_silent(page_folder: Path) -> None:
    async with running_web(page_folder, limits=SessionLimits(ping_seconds=0.05)) as web:
        mute = await web.connect(AGENT, autoping=False)
        await mute.say({"type": "hello", "last_event_id": 0})

        assert await mute.hear_end() == 4408


async def test_a_quiet_browser_that_answers_pings_stays(page_folder: Path) -> None:
    async with running_web(page_folder, limits=SessionLimits(ping_seconds=0.02)) as web:
        browser = await web.open(AGENT)
        heard = asyncio.create_task(browser.hear())
        await asyncio.wait([heard], timeout=0.2)  # ten silences long; its client answers pings meanwhile
        await pop_for(web, "main:1.1")

        assert (await heard)["type"] == "pop"


async def test_a_slow_browser_is_closed_with_4429_while_others_get_theirs(page_folder: Path) -> None:
    """The slow one's kernel takes little, so that the server notices soon; what it reads in the end is whole and in order."""
    name = "名" * 100_000
    connector = aiohttp.TCPConnector(socket_factory=_small_socket)
    async with running_web(page_folder, max_behind=32) as web, aiohttp.ClientSession(connector=connector) as http:
        headers = {"Authorization": f"Bearer {await web.token_of(AGENT)}"}
        slow = Browser(await http.ws_connect(web.base + "/ws", protocols=("cti.v1",), headers=headers, max_msg_size=0))
        await slow.say({"type": "hello", "last_event_id": 0})
        await slow.hear()
        quick = await web.open(AGENT)

        for number in range(64):
            await pop_for(web, f"main:{number}.1", customer_name=name)
            assert (await quick.hear())["call"]["call_id"] == f"main:{number}.1"

        assert await slow.hear_end() == 4429
        assert web.counted("cti_ws_closed_total", code="4429") == 1


def _small_socket(address: Any) -> sockets.socket:
    family, type_, proto, *_ = address
    socket = sockets.socket(family, type_, proto)
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 8192)
    socket.setblocking(False)
    return socket


async def test_signing_out_closes_the_websockets_of_that_session_only(web: Web) -> None:
    browser, other = await web.open(AGENT), await web.open(OTHER_AGENT)

    status, _ = await web.call("DELETE", "/api/v1/session", user=AGENT)

    assert status == 204
    assert await browser.hear_end() == 4401
    await web.hub.deliver(Extension("1002"), "call.changed", {"call": {}}, at=NOW)
    assert (await other.hear())["type"] == "call.changed"


@pytest.mark.parametrize("change", ["expired", "removed", "another role", "another phone"])
async def test_a_session_that_no_longer_holds_ends_the_link(page_folder: Path, change: str) -> None:
    async with running_web(page_folder, limits=SessionLimits(recheck_seconds=0.02)) as web:
        browser = await web.open(AGENT)

        match change:
            case "expired":
                web.clock.seconds += 12 * 3600 + 1
            case "removed":
                del web.users.users["ada"]
            case "another role":
                web.users.users["ada"] = replace(AGENT, role=SUPERVISOR.role)
            case _:
                web.users.users["ada"] = replace(AGENT, extension=Extension("1009"))

        assert await browser.hear_end() == 4401


async def test_the_link_lives_while_the_store_is_away(page_folder: Path) -> None:
    async with running_web(page_folder, limits=SessionLimits(recheck_seconds=0.01)) as web:
        browser = await web.open(AGENT)
        web.sessions.is_away = True
        heard = asyncio.create_task(browser.hear())
        await asyncio.wait([heard], timeout=0.1)  # several rechecks long
        await pop_for(web, "main:1.1")

        assert (await heard)["type"] == "pop"


async def test_a_browser_that_is_not_signed_in_is_told_4401(web: Web) -> None:
    for headers in ({}, {"Authorization": "Bearer made-up"}, {"Cookie": "cti_session=made-up", "Origin": web.base}):
        socket = await web.http.ws_connect(web.base + "/ws", protocols=("cti.v1",), headers=headers)
        assert await Browser(socket).hear_end() == 4401


async def test_another_subprotocol_is_not_ours(web: Web) -> None:
    headers = {"Authorization": f"Bearer {await web.token_of(AGENT)}"}

    socket = await web.http.ws_connect(web.base + "/ws", headers=headers)

    assert await Browser(socket).hear_end() == 4400


async def test_one_person_has_a_bounded_number_of_browsers(web: Web) -> None:
    browsers = [await web.open(AGENT) for _ in range(20)]

    one_more = await web.connect(AGENT)

    assert await one_more.hear_end() == 4429
    await pop_for(web, "main:1.1")
    assert (await browsers[0].hear())["type"] == "pop"


async def test_the_service_says_goodbye_when_it_stops(web: Web) -> None:
    browser = await web.open(AGENT)
    ended = asyncio.create_task(browser.hear_end())

    await web.runner.cleanup()

    assert await ended == 1001
