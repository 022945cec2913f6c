"""The AMI port of the simulated PBX over real sockets: signing in, the classes of events, limits, and clients that fail."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cti_bridge.simulator import sessions
from cti_bridge.simulator.pbx import SimulatedPbx
from tests.support.simulated_pbx import RawClient, a_pbx, connected, in_conversation, names


@asynccontextmanager
async def stranger() -> AsyncIterator[tuple[SimulatedPbx, RawClient]]:
    async with a_pbx() as pbx:
        client = await RawClient.connect(pbx.port)
        try:
            yield pbx, client
        finally:
            await client.close()


# -- signing in


async def test_md5_login_proves_the_secret_without_sending_it():
    async with stranger() as (_, client):
        challenge = dict(await client.act(Action="Challenge", AuthType="MD5"))["Challenge"]
        key = hashlib.md5(f"{challenge}s3cret".encode(), usedforsecurity=False).hexdigest()
        answer = await client.act(Action="Login", AuthType="MD5", Username="cti", Key=key, Events="call,system")

        assert answer == [("Response", "Success"), ("ActionID", "act"), ("Message", "Authentication accepted")]
        booted = await client.next()
        assert [key for key, _ in booted] == ["Event", "Privilege", "Uptime", "LastReload", "Status"]


@pytest.mark.parametrize(
    "attempt",
    [
        {"Username": "cti", "Secret": "wrong"},
        {"Username": "nobody", "Secret": "s3cret"},
        {"Username": "cti", "AuthType": "MD5", "Key": "ÿ" * 32},
        {"Username": "cti"},
    ],
    ids=["secret", "user", "key", "nothing"],
)
async def test_a_wrong_login_is_told_after_a_pause_and_the_link_closed(attempt, monkeypatch):
    monkeypatch.setattr(sessions, "REFUSAL_SECONDS", 0.05)
    async with stranger() as (_, client):
        answer = await client.act(Action="Login", **attempt)

        assert dict(answer)["Message"] == "Authentication failed"
        assert await client.reader.read() == b""


async def test_nothing_is_done_for_who_has_not_signed_in():
    async with stranger() as (_, client):
        for action in ("CoreShowChannels", "Ping", "Hangup"):
            assert dict(await client.act(Action=action))["Message"] == "Permission denied"


async def test_events_come_by_the_classes_asked_for():
    async with connected("agent") as (pbx, client):
        call, _ = await in_conversation(pbx)
        call.hang_up()
        await call.ended()
        await client.act(Action="Ping")

        events = {dict(message)["Privilege"] for message in client.messages if "Event" in dict(message)}
        assert events == {"agent,all"}


async def test_events_off_is_silence_until_switched_on():
    async with connected("off") as (pbx, client):
        await in_conversation(pbx)
        assert dict(await client.act(Action="Ping"))["Ping"] == "Pong"
        assert "Newchannel" not in names(client.messages)

        assert dict(await client.act(Action="Events", EventMask="call"))["Events"] == "On"
        await pbx.call_in("8002", None)
        await client.until(Event="Newchannel", CallerIDNum="anonymous", CallerIDName="Anonymous")


async def test_logoff_says_goodbye():
    async with connected() as (_, client):
        client.send(Action="Logoff")

        await client.until(Response="Goodbye", Message="Thanks for all the fish.")
        assert await client.reader.read() == b""


# -- what is sent wrongly


async def test_an_unknown_action_is_refused_in_asterisks_words():
    async with connected() as (_, client):
        answer = dict(await client.act(Action="Dance"))

        assert answer["Message"] == "Invalid/unknown command: Dance. Use Action: ListCommands to show available commands."


async def test_what_can_be_asked_is_listed():
    async with connected() as (_, client):
        commands = dict(await client.act(Action="ListCommands"))

        assert commands["PJSIPNotify"].endswith("(Priv: system,all)")
        assert {"Originate", "QueuePause", "BlindTransfer", "Ping"} <= commands.keys()


async def test_limits_of_lines_are_kept_and_the_link_lives():
    async with connected() as (_, client):
        long = await client.act(Action="Ping", X="y" * 1100)
        assert dict(long)["Message"] == "Failed to parse message: line too long"
        many = await client.act(Action="Ping", **{f"X{n}": "y" for n in range(130)})
        assert dict(many)["Response"] == "Error"
        assert dict(await client.act(Action="Ping"))["Ping"] == "Pong"


async def test_bytes_that_are_no_text_and_bare_line_feeds_are_read_as_asterisk_reads_them():
    async with connected() as (_, client):
        client.send_raw(b"\n\nAction: Ping\nActionID: \xff\xfe\n\n")

        await client.until(Ping="Pong", ActionID="\udcff\udcfe")


async def test_a_client_that_does_not_read_is_cut(monkeypatch):
    monkeypatch.setattr(sessions, "UNREAD_BYTES", 1 << 14)
    async with connected() as (pbx, client):
        client.writer.transport.pause_reading()
        call, phone = await in_conversation(pbx)
        while not pbx.clients_cut:
            phone.hold()
            phone.resume()
            await asyncio.sleep(0)

        call.hang_up()
        await call.ended()


async def test_a_cut_link_leaves_the_calls_alone():
    async with connected() as (pbx, client):
        call, _ = await in_conversation(pbx)
        pbx.cut_clients()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.until(Event="never")

        again = await RawClient.log_in(pbx.port)
        channels = await again.listing("CoreShowChannelsComplete", Action="CoreShowChannels")
        assert channels[0]["Channel"] == call.channel.name
        await again.close()
