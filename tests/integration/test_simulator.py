"""The AMI port of the simulated PBX over real sockets: signing in, listings, and the actions that the desktop uses."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from cti_bridge.simulator import sessions
from cti_bridge.simulator.pbx import CallHandle, CallOver, SimulatedPbx
from cti_bridge.simulator.phones import Phone
from tests.support.simulated_pbx import RawClient, a_pbx, recorded


@asynccontextmanager
async def connected(events: str = "on") -> AsyncIterator[tuple[SimulatedPbx, RawClient]]:
    async with a_pbx() as pbx:
        client = await RawClient.log_in(pbx.port, events)
        try:
            yield pbx, client
        finally:
            await client.close()


@asynccontextmanager
async def stranger() -> AsyncIterator[tuple[SimulatedPbx, RawClient]]:
    async with a_pbx() as pbx:
        client = await RawClient.connect(pbx.port)
        try:
            yield pbx, client
        finally:
            await client.close()


async def in_conversation(pbx: SimulatedPbx) -> tuple[CallHandle, Phone]:
    call = await pbx.call_in("8001", "02079460018", "Zoë")
    phone = pbx.phone(await call.ringing())
    phone.answer()
    await call.answered()
    return call, phone


def names(messages: list) -> list[str]:
    return [dict(message).get("Event", "") or "Response" for message in messages]


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


# -- listings


async def test_listings_have_the_headers_that_asterisk_sent():
    real = {dict(message)["Event"]: [key for key, _ in message] for message in recorded("ami_gap_start_in_gap")}
    async with connected() as (pbx, client):
        await in_conversation(pbx)
        second = await pbx.call_in("8001", "02079460121")
        await second.ringing()
        listings = {
            "CoreShowChannelsComplete": "CoreShowChannels",
            "BridgeListComplete": "BridgeList",
            "QueueStatusComplete": "QueueStatus",
            "ParkedCallsComplete": "ParkedCalls",
        }
        for complete, action in listings.items():
            await client.listing(complete, Action=action)

        told = [message for message in client.messages if dict(message).get("Event") in real]
        listed = {dict(message)["Event"]: [key for key, _ in message] for message in told if "ActionID" in dict(message)}
        assert set(listed) >= {"CoreShowChannel", "QueueParams", "QueueMember", "QueueEntry", *listings}
        for event, keys in listed.items():
            assert real[event] == keys, event


async def test_status_and_the_present_of_a_bridge():
    async with connected("off") as (pbx, client):
        call, phone = await in_conversation(pbx)

        (*legs, done) = await client.listing("StatusComplete", Action="Status")
        (bridge, _) = await client.listing("BridgeListComplete", Action="BridgeList")
        (*inside, info) = await client.listing("BridgeInfoComplete", Action="BridgeInfo", BridgeUniqueid=bridge["BridgeUniqueid"])

        assert {(leg["Channel"], leg["BridgeID"], leg["DNID"]) for leg in legs} == {
            (call.channel.name, bridge["BridgeUniqueid"], "8001"),
            (phone.talking.name, bridge["BridgeUniqueid"], ""),
        }
        assert done["Items"] == "2"
        assert [one["Channel"] for one in inside] == [phone.talking.name, call.channel.name]
        assert info["BridgeNumChannels"] == "2"


async def test_the_queues_summary_counts_callers_and_free_members():
    async with connected("off") as (pbx, client):
        await in_conversation(pbx)

        (summary, _) = await client.listing("QueueSummaryComplete", Action="QueueSummary", Queue="support")

        assert (summary["LoggedIn"], summary["Available"], summary["Callers"]) == ("3", "2", "0")


async def test_the_core_tells_its_version_and_start():
    async with connected() as (_, client):
        settings = dict(await client.act(Action="CoreSettings"))
        status = dict(await client.act(Action="CoreStatus"))

        assert (settings["AMIversion"], settings["AsteriskVersion"]) == ("11.0.0", "22.10.1")
        assert {"CoreStartupDate", "CoreStartupTime", "CoreCurrentCalls"} <= status.keys()


# -- the desktop's buttons


@pytest.mark.parametrize("by", ["Channel", "Endpoint"])
async def test_a_ringing_phone_is_answered_held_and_resumed_by_notify(by):
    async with connected() as (pbx, client):
        call = await pbx.call_in("8001", "02079460018")
        extension = await call.ringing()
        leg = pbx.phone(extension).ringing
        target = {"Channel": leg.name} if by == "Channel" else {"Endpoint": f"PJSIP/{extension}"}

        for sip_event, told in (("talk", "AgentConnect"), ("hold", "Hold"), ("talk", "Unhold")):
            answer = await client.act(Action="PJSIPNotify", **target, Variable=f"Event={sip_event}")
            assert dict(answer)["Message"] == "NOTIFY sent"
            await client.until(Event=told)

        assert await call.answered() == extension
        assert not leg.holding


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "PJSIPNotify requires either an endpoint name, a SIP URI, or a channel."),
        (
            {"Endpoint": "1001", "Channel": "PJSIP/1001-00000001"},
            "PJSIPNotify requires either an endpoint name, a SIP URI, or a channel.  You must use only one of them.",
        ),
        ({"Channel": "PJSIP/1001-00000099"}, "Channel not found"),
        ({"Endpoint": "2999"}, "Unable to retrieve endpoint 2999"),
    ],
    ids=["nobody", "two", "no channel", "no endpoint"],
)
async def test_a_notify_to_nobody_is_refused(headers, message):
    async with connected() as (_, client):
        answer = dict(await client.act(Action="PJSIPNotify", Variable="Event=talk", **headers))

        assert (answer["Response"], answer["Message"]) == ("Error", message)


async def test_a_blind_transfer_is_answered_before_its_events():
    async with connected() as (pbx, client):
        call, phone = await in_conversation(pbx)
        place = {"Context": "agents", "Exten": "1005"}

        client.send(Action="BlindTransfer", ActionID="t", Channel=phone.talking.name, **place)
        await client.until(Event="BlindTransfer", Result="Success", Extension="1005")

        after_bridging = names(client.messages)[names(client.messages).index("BridgeEnter") :]
        assert after_bridging.index("Response") < after_bridging.index("Unhold") < after_bridging.index("BlindTransfer")
        await pbx.phone("1005").rings()
        pbx.phone("1005").answer()
        await client.until(Event="DialEnd", DialStatus="ANSWER")
        assert await call.answered() == "1005"


async def test_transfers_that_asterisk_refuses():
    async with connected("off") as (pbx, client):
        _, phone = await in_conversation(pbx)
        channel = phone.talking.name

        async def refusal(action: str, **headers: str) -> str:
            answer = dict(await client.act(Action=action, **headers))
            assert answer["Response"] == "Error"
            return answer["Message"]

        assert await refusal("BlindTransfer", Channel=channel, Exten="777", Context="agents") == "Transfer invalid"
        assert await refusal("BlindTransfer", Channel="PJSIP/x-1", Exten="1005") == "Channel specified does not exist"
        assert await refusal("Atxfer", Channel=channel, Exten="1005") == "No attended transfer feature code found"
        assert await refusal("Redirect", Channel=channel, Exten="1005", Context="agents") == "Priority not specified"
        assert await refusal("Hangup", Channel="PJSIP/x-1") == "No such channel"
        assert phone.talking.name == channel


async def test_a_waiting_caller_is_redirected_into_another_queue():
    async with connected() as (pbx, client):
        call = await pbx.call_in("8001", "02079460018")
        await call.ringing()
        await client.act(Action="Redirect", Channel=call.channel.name, Context="agents", Exten="6002", Priority="1")

        await client.until(Event="QueueCallerAbandon", Queue="support")
        await client.until(Event="QueueCallerLeave", Queue="support", Count="0")
        await client.until(Event="QueueCallerJoin", Queue="sales", Uniqueid=call.uniqueid)


async def test_hangup_ends_the_call_without_a_request_from_the_phone():
    async with connected() as (pbx, client):
        call, phone = await in_conversation(pbx)
        answer = await client.act(Action="Hangup", Channel=phone.talking.name)

        assert dict(answer)["Message"] == "Channel Hungup"
        await client.until(Event="AgentComplete", Reason="agent")
        await client.until(Event="Hangup", Uniqueid=call.uniqueid)
        assert "HangupRequest" not in names(client.messages)


async def test_a_paused_member_is_not_rung_and_told_once_a_queue():
    async with connected() as (pbx, client):
        answer = await client.act(Action="QueuePause", Interface="PJSIP/1002", Paused="true", Reason="Lunch; 12:30")
        assert dict(answer)["Message"] == "Interface paused successfully"
        for queue in ("mixq", "support"):
            await client.until(Event="QueueMemberPause", Queue=queue, Paused="1", PausedReason="Lunch; 12:30")
        real = next(message for message in recorded("q_first_agent") if ("Event", "QueueMemberStatus") in message)
        assert [key for key, _ in client.messages[-1]] == [key for key, _ in real]

        pbx.exchange.queues.named("support").last_rung = "1001"
        call = await pbx.call_in("8001", "02079460018")
        assert await call.ringing() == "1003"

        missing = await client.act(Action="QueuePause", Interface="PJSIP/2999", Paused="true")
        assert dict(missing)["Message"] == "Interface not found"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Channel": ""}, "Channel not specified"),
        ({"Channel": "1001"}, "Invalid channel"),
        ({"Exten": "12;rm"}, "Extension does not exist."),
        ({"Context": "from-trunk"}, "Extension does not exist."),
        ({"ChannelId": "x" * 150}, "Uniqueid length exceeds maximum of 149"),
    ],
    ids=["no channel", "no technology", "no number", "wrong context", "long id"],
)
async def test_an_originate_that_cannot_be(change, message):
    order = {"Channel": "PJSIP/1001", "Context": "click2call", "Exten": "02079460018", "Priority": "1", "Async": "true"}
    async with connected() as (pbx, client):
        answer = dict(await client.act(Action="Originate", **(order | change)))

        assert (answer["Response"], answer["Message"]) == ("Error", message)
        assert pbx.exchange.switch.channels == {}


async def test_an_originate_to_no_endpoint_fails_by_event():
    async with connected() as (_, client):
        place = {"Context": "click2call", "Exten": "02079460018", "Priority": "1"}
        await client.act(Action="Originate", Channel="PJSIP/2999", Async="true", **place)

        failed = dict(await client.until(Event="OriginateResponse"))
        assert (failed["Response"], failed["Reason"], failed["Uniqueid"]) == ("Failure", "0", "<unknown>")


# -- the handles


async def test_a_call_that_ends_unanswered_says_so_to_who_waits_for_the_answer():
    async with a_pbx() as pbx:
        call = await pbx.call_in("8001", "02079460018")
        await call.ringing()
        call.hang_up()

        with pytest.raises(CallOver):
            await call.answered()


async def test_a_phone_with_a_call_answers_busy_to_another():
    async with connected() as (pbx, client):
        pbx.phone("1002").dial("1005")
        await pbx.phone("1005").rings()
        pbx.phone("1003").dial("1005")

        await client.until(Event="DialEnd", DialStatus="BUSY")
        ended = dict(await client.until(Event="Hangup", CallerIDNum="1003"))
        assert (ended["Cause"], ended["TechCause"]) == ("17", "486")


async def test_stopping_ends_calls_and_links():
    async with a_pbx() as pbx:
        client = await RawClient.log_in(pbx.port)
        await pbx.call_in("8001", "02079460018")
    try:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.until(Event="never")
    finally:
        client.writer.close()
