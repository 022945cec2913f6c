"""The simulated PBX over a real AMI connection: its listings, the actions that the desktop uses, and the handles for tests."""

import asyncio

import pytest

from cti_bridge.simulator.pbx import CallOver
from tests.support.simulated_pbx import RawClient, a_pbx, connected, in_conversation, names, recorded

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
