"""The client against a real socket server: sign-in, resync, loss of the link, a consumer that lags, refusals."""

import asyncio
import time
from pathlib import Path

import pytest
import structlog

from cti_bridge.ami import actions
from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.connection import Limits
from cti_bridge.ami.link import LinkState
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import Connected, Disconnected, Opened, Overflowed, PbxIdentity, Received, Resynced, StreamItem
from cti_bridge.domain.errors import AmiDisconnected, AmiRefused, AmiTimeout
from tests.support.ami import a_client, event_named, item_of, resynced, running, settings_of, state_is, until
from tests.support.fake_pbx import FakePbx

MEMBER_PAUSE = (
    b"Event: QueueMemberPause\r\nPrivilege: agent,all\r\nQueue: support\r\nMemberName: Zo\xc3\xab\r\nInterface: PJSIP/1001\r\n"
    b"StateInterface: PJSIP/1001\r\nMembership: static\r\nPenalty: 0\r\nCallsTaken: 0\r\nLastCall: 0\r\n"
    b"LastPause: 0\r\nLoginTime: 1\r\nInCall: 0\r\nStatus: 1\r\nPaused: 1\r\n"
    b"PausedReason: tea\r\nRinginuse: 0\r\nWrapuptime: 0\r\n\r\n"
)


async def test_after_the_login_the_present_state_comes_by_itself() -> None:
    async with FakePbx() as pbx:
        pbx.lists["QueueStatus"] = ("Event: QueueParams\r\nQueue: support\r\nMax: 0\r\nStrategy: ringall",)
        async with running(a_client(pbx)) as client:
            opened = await item_of(client, Opened)
            told = await resynced(client)

            assert opened.conn == 1
            assert [news.name if isinstance(news, AmiEvent) else news for news in told] == [
                Connected(banner="Asterisk Call Manager/11.0.0"),
                "FullyBooted",
                PbxIdentity(started="2026-11-22 02:41:28", version="22.10.1"),
                "BridgeListComplete",
                "CoreShowChannelsComplete",
                "QueueParams",
                "QueueStatusComplete",
                "ParkedCallsComplete",
                Resynced(refused=()),
            ]
            status = client.status()
            assert (status.state, status.detail, status.version) == (
                LinkState.CONNECTED,
                "events and listings are complete",
                "22.10.1",
            )


@pytest.mark.parametrize("cut", range(1, len(MEMBER_PAUSE), 37))
async def test_an_event_cut_anywhere_is_thrown_away_and_the_next_connection_is_whole(cut: int) -> None:
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await resynced(client)
        pbx.tell(MEMBER_PAUSE[:cut])
        pbx.listeners[0].close()
        await item_of(client, Disconnected)
        told = await resynced(client)
        pbx.tell(MEMBER_PAUSE)

        assert not [news for news in told if isinstance(news, AmiEvent) and news.name == "QueueMemberPause"]
        assert (await event_named(client, "QueueMemberPause")).get("PausedReason") == "tea"


async def test_two_connections_one_for_events_and_one_for_actions() -> None:
    async with FakePbx() as pbx, running(a_client(pbx)):
        await pbx.until(lambda: len(pbx.sessions) == 2 and all(session.signed_in for session in pbx.sessions))

        assert [session.events for session in pbx.sessions] == ["call,agent,user,system", "off"]


async def test_the_stream_holds_every_byte_in_order() -> None:
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await resynced(client)
        for cut in (1, 7, 120, 400):
            pbx.tell(MEMBER_PAUSE[:cut])
            await asyncio.sleep(0)
            pbx.tell(MEMBER_PAUSE[cut:])
        pbx.tell(b"Event: Shutdown")

        read = b""
        while not read.endswith(b"Event: Shutdown"):
            item = await item_of(client, Received)
            read += item.data
        assert read == MEMBER_PAUSE * 4 + b"Event: Shutdown"


async def test_a_reset_in_mid_event_is_told_and_the_state_asked_again() -> None:
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await resynced(client)
        pbx.tell(MEMBER_PAUSE + MEMBER_PAUSE[:100])
        paused = await event_named(client, "QueueMemberPause")
        pbx.listeners[0].reset()
        lost = await item_of(client, Disconnected)
        again = await item_of(client, Opened)
        await resynced(client)

        assert paused.get("MemberName") == "Zoë"
        assert (lost.conn, lost.reason) == (1, "the connection was reset")
        assert again.conn == 2
        assert client.status().counters["connections"] == 2


async def test_the_pbx_goes_and_comes_back_on_its_port() -> None:
    pbx = FakePbx()
    async with pbx:
        client = a_client(pbx)
        run = running(client)
        await run.__aenter__()
        await resynced(client)
    assert (await item_of(client, Disconnected)).reason == "the PBX closed the connection"
    await until(lambda: "nothing listens at" in client.status().detail)
    async with pbx:
        await resynced(client)
        await state_is(client, LinkState.CONNECTED)
        await run.__aexit__(None, None, None)


async def test_an_idle_link_is_pinged_and_lives() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, limits=Limits(idle=0.02, dead=5))) as client:
        await resynced(client)
        await pbx.until(
            lambda: all(sum(a["Action"] == "Ping" for a in s.actions) >= 3 for s in pbx.sessions) and len(pbx.sessions) == 2
        )

        assert client.status().state is LinkState.CONNECTED
        assert client.status().counters["connections"] == 1


async def test_a_link_without_a_sign_of_life_is_given_up() -> None:
    """A half-open TCP connection gives no error; the silence does. With the default limits this takes 8 seconds."""
    async with FakePbx() as pbx, running(a_client(pbx, limits=Limits(idle=0.05, dead=0.2))) as client:
        await resynced(client)
        pbx.silent = True
        before = time.monotonic()
        lost = await item_of(client, Disconnected)

        assert lost.reason == "no bytes for 0.2 s"
        assert time.monotonic() - before < 2
        assert Limits().dead <= 8


async def test_a_loop_that_was_blocked_does_not_take_a_live_link_for_dead() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, limits=Limits(idle=0.1, dead=0.3))) as client:
        await resynced(client)
        await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)
        pbx.tell(MEMBER_PAUSE)
        pbx.sessions[1].write(b"Event: Reload\r\nPrivilege: system,all\r\n\r\n")
        time.sleep(0.4)  # noqa: ASYNC251 - the point
        pause = await event_named(client, "QueueMemberPause")

        assert pause.get("Queue") == "support"
        assert client.status().counters["connections"] == 1


async def test_each_change_is_logged_once_however_often_it_is_tried() -> None:
    async with FakePbx() as pbx:
        gone = a_client(pbx)
    with structlog.testing.capture_logs() as lines:
        async with running(gone) as client:
            await state_is(client, LinkState.DISCONNECTED)
            await asyncio.sleep(0.5)  # at least two more attempts

    assert [(line["event"], line["link"], line["log_level"]) for line in lines] == [("ami.disconnected", "events", "warning")]


async def test_a_wrong_secret_is_told_plainly_and_not_hammered() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, secret="wrong")) as client:
        lost = await item_of(client, Disconnected)
        await state_is(client, LinkState.REFUSED)
        await asyncio.sleep(0.3)  # a tight loop would try hundreds of times

        assert lost.reason == "login refused: Authentication failed"
        assert pbx.attempts == 1
        detail = client.status().detail
        assert "check username and secret against [cti] in manager.conf" in detail
        assert "wrong" not in detail


async def test_a_user_signed_in_elsewhere_is_told_plainly() -> None:
    async with FakePbx() as pbx:
        pbx.refusal = "Login Already In Use"
        async with running(a_client(pbx, secret="wrong")) as client:
            await state_is(client, LinkState.REFUSED)

            assert "allowmultiplelogin" in client.status().detail


async def test_a_missing_right_is_named_with_the_line_to_change() -> None:
    async with FakePbx() as pbx:
        pbx.refuses = {"CoreShowChannels": "Permission denied", "ParkedCalls": "Permission denied"}
        async with running(a_client(pbx)) as client:
            told = await resynced(client)

            assert told[-1] == Resynced(refused=(("CoreShowChannels", "Permission denied"), ("ParkedCalls", "Permission denied")))
            assert client.status().state is LinkState.CONNECTED
            assert client.status().detail.startswith(
                "the PBX refused CoreShowChannels, ParkedCalls: add call, reporting to write= of [cti] in manager.conf"
            )


async def test_a_server_that_does_not_greet_is_told_plainly() -> None:
    async with FakePbx() as pbx:
        pbx.banner = "SSH-2.0-OpenSSH_9.2"
        async with running(a_client(pbx, limits=Limits(login=0.1))) as client:
            lost = await item_of(client, Disconnected)

            assert lost.reason == "the login waits for the greeting since 0.1 s: is this an Asterisk manager port?"


async def test_listings_that_never_end_make_the_link_anew() -> None:
    async with FakePbx() as pbx:
        pbx.unanswered = {"QueueStatus"}
        async with running(a_client(pbx, limits=Limits(resync=0.2))) as client:
            lost = await item_of(client, Disconnected)

            assert lost.reason == "the PBX did not answer QueueStatus within 0.2 s"


async def test_the_channels_are_listed_again_and_again_on_the_standing_link() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, limits=Limits(sweep=0.02))) as client:
        await resynced(client)

        for _ in range(2):
            await event_named(client, "CoreShowChannelsComplete")

        (listener,) = pbx.listeners
        assert [action["Action"] for action in listener.actions].count("CoreShowChannels") >= 3
        assert [action["Action"] for action in listener.actions].count("QueueStatus") == 1


async def test_channels_that_may_not_be_listed_are_not_asked_for_again() -> None:
    async with FakePbx() as pbx:
        pbx.refuses["CoreShowChannels"] = "Permission denied"
        async with running(a_client(pbx, limits=Limits(sweep=0.01, idle=0.05))) as client:
            await resynced(client)
            (listener,) = pbx.listeners
            await until(lambda: [action["Action"] for action in listener.actions].count("Ping") >= 2)

            assert [action["Action"] for action in listener.actions].count("CoreShowChannels") == 1


async def test_reading_goes_on_while_the_consumer_is_blocked() -> None:
    """Asterisk cuts a client 100 ms after its socket buffers are full."""
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await resynced(client)
        for _ in range(20_000):
            pbx.tell(MEMBER_PAUSE)
        await pbx.listeners[0]._writer.drain()
        total = 20_000 * len(MEMBER_PAUSE)
        await until(lambda: client.events.buffered_bytes >= total)

        assert client.status().counters.get("overflows", 0) == 0
        read = 0
        while read < total:
            read += len((await item_of(client, Received)).data)
        assert read == total


async def test_a_consumer_too_far_behind_costs_the_link_on_purpose_and_loses_nothing_silently() -> None:
    async with FakePbx() as pbx, running(a_client(pbx, max_buffered_bytes=200_000)) as client:
        await resynced(client)
        for _ in range(2_000):
            pbx.tell(MEMBER_PAUSE)
        await pbx.until(lambda: not pbx.listeners)
        held = client.events.buffered_bytes
        await asyncio.sleep(0.3)  # longer than the first waits of the backoff
        assert not pbx.listeners, "no new connection before the consumer has caught up"

        lost = await item_of(client, Disconnected)
        await resynced(client)

        assert held < 200_000 + 300_000
        assert "behind: dropped on purpose" in lost.reason
        assert client.status().counters["overflows"] == 1


async def test_the_tap_is_given_each_item_before_the_consumer_and_the_bytes_of_an_overflow_too() -> None:
    tapped: list[StreamItem | Overflowed] = []
    async with FakePbx() as pbx, running(a_client(pbx, tap=tapped.append, max_buffered_bytes=100_000)) as client:
        opened = await anext(client.events)
        await resynced(client)
        first = list(tapped)
        for _ in range(2_000):
            pbx.tell(MEMBER_PAUSE)
        await pbx.until(lambda: not pbx.listeners)
        consumed = [opened]
        while not isinstance(consumed[-1], Disconnected):
            consumed.append(await anext(client.events))

    assert isinstance(opened, Opened)
    assert first[0] is opened
    assert opened.ids
    assert [one for one in tapped if not isinstance(one, Overflowed)][len(first) :][: len(consumed) - 1] == consumed[1:]


async def test_an_action_is_answered() -> None:
    async with FakePbx() as pbx, running(a_client(pbx)) as client:
        await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)
        response = await client.control.send(actions.ping())

        assert response.keys["Ping"] == "Pong"
        assert response.keys["ActionID"] == pbx.sessions[1].actions[-1]["ActionID"]


async def test_a_listing_can_be_asked_for() -> None:
    async with FakePbx() as pbx:
        pbx.lists["QueueStatus"] = ("Event: QueueParams\r\nQueue: support\r\nMax: 0\r\nStrategy: ringall",)
        async with running(a_client(pbx)) as client:
            await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)
            items = await client.control.list_of(actions.queue_status())

            assert [item.get("Queue") for item in items] == ["support"]


async def test_a_refused_action_names_the_right_it_needs() -> None:
    async with FakePbx() as pbx:
        pbx.refuses = {
            "Hangup": "Permission denied",
            "Park": "Channel does not exist",
            "PJSIPNotify": "Invalid/unknown command: PJSIPNotify. Use Action: ListCommands to show available commands.",
        }
        async with running(a_client(pbx)) as client:
            await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)

            with pytest.raises(AmiRefused, match=r"Permission denied: Hangup needs call in write= of \[cti\]"):
                await client.control.send(actions.hangup("PJSIP/1001-1"))
            with pytest.raises(AmiRefused, match=r"^Channel does not exist$"):
                await client.control.send(actions.park("PJSIP/trunk-1", announce_to="PJSIP/1001-1"))
            with pytest.raises(AmiRefused, match=r"^the PBX has no action PJSIPNotify: load res_pjsip_notify"):
                await client.control.send(actions.phone_talk("PJSIP/1001-1"))


async def test_an_unanswered_action_is_unknown_and_never_sent_again() -> None:
    async with FakePbx() as pbx:
        pbx.unanswered = {"Originate"}
        async with running(a_client(pbx)) as client:
            await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)
            call = actions.originate(channel="PJSIP/1001", context="click2call", exten="600", caller_id="1001", channel_id="c1")
            sent_on = pbx.sessions[1]

            with pytest.raises(AmiTimeout, match="may or may not have been done"):
                await client.control.send(call, timeout_seconds=0.05)
            waiting = asyncio.create_task(client.control.send(call))
            await pbx.until(lambda: sum(a["Action"] == "Originate" for a in sent_on.actions) == 2)
            sent_on.reset()
            with pytest.raises(AmiTimeout, match="the connection was reset before the answer"):
                await waiting
            await pbx.until(lambda: len(pbx.sessions) == 2 and pbx.sessions[1].signed_in)

            assert [a["Action"] for a in pbx.sessions[1].actions] == ["Challenge", "Login"]


async def test_an_action_without_a_link_is_not_sent() -> None:
    async with FakePbx() as pbx:
        with pytest.raises(AmiDisconnected, match="Ping was not sent"):
            await a_client(pbx).control.send(actions.ping())


async def test_the_certificate_is_verified(server_tls, tmp_path: Path) -> None:
    context, authority = server_tls
    async with FakePbx(tls=context) as pbx:
        trusting = AmiClient(settings_of(pbx, tls=True, tls_ca=authority), "s3cret")
        async with running(trusting) as client:
            await resynced(client)

        doubting = AmiClient(settings_of(pbx, tls=True), "s3cret")
        async with running(doubting) as client:
            await state_is(client, LinkState.DISCONNECTED)
            assert "is not accepted: self-signed certificate; set tls_ca" in client.status().detail


async def test_tls_to_a_plain_port_is_told_plainly() -> None:
    async with FakePbx() as pbx, running(AmiClient(settings_of(pbx, tls=True), "s3cret")) as client:
        await state_is(client, LinkState.DISCONNECTED)
        assert client.status().detail.startswith("no TLS with localhost:")
