"""The AMI accounts that docs/asterisk.md asks for hold what the service needs, and no more."""

import pytest

from tests.support.ami_probe import AmiProbe, AmiRefusal
from tests.support.pbx import DRIVER, SERVICE, SERVICE_WITH_PHONES, AmiAccount
from tests.support.pbx_lab import Lab
from tests.support.sip_call import CallState

pytestmark = pytest.mark.pbx

NEEDED = (
    *("Ping", "CoreStatus", "CoreSettings", "CoreShowChannels", "BridgeList", "ParkedCalls", "QueueStatus", "DeviceStateList"),
    *("Originate", "Hangup", "Redirect", "BlindTransfer", "Atxfer", "CancelAtxfer", "Park"),
    *("QueueAdd", "QueueRemove", "QueuePause"),
)
DANGEROUS = (
    "Command",
    "GetConfig",
    "UpdateConfig",
    "ModuleLoad",
    "Reload",
    "DBPut",
    "MixMonitor",
    "PJSIPNotify",
    "AGI",
    "MessageSend",
)


async def test_service_account_may_do_what_the_service_does_and_nothing_dangerous(lab: Lab) -> None:
    """`ListCommands` names what the account may send."""
    session = await lab.session(SERVICE, events="off")

    (allowed,) = await session.action("ListCommands")

    assert [action for action in NEEDED if action not in allowed] == []
    assert [action for action in DANGEROUS if action in allowed] == []


async def test_refused_action_says_so(lab: Lab) -> None:
    session = await lab.session(SERVICE, events="off")

    (answer,) = await session.action("Command", Command="core show version")

    assert (answer["Response"], answer["Message"]) == ("Error", "Permission denied")


async def test_wrong_secret_is_refused(lab: Lab) -> None:
    with pytest.raises(AmiRefusal, match="Authentication failed"):
        await lab.session(AmiAccount(username="cti", secret="wrong"))


async def test_service_account_reads_calls_without_the_dialplan_noise(lab: Lab) -> None:
    reader, everything = await lab.session(SERVICE), await lab.session(DRIVER)
    carrier, phone = await lab.carrier(), await lab.phone("1001")

    customer = carrier.call("8100", number="0612345678")
    agent = await phone.next_call()
    agent.answer()
    await customer.answered()
    customer.hang_up()
    for session in (reader, everything):
        await session.event("Hangup", ChannelStateDesc="Up", CallerIDNum="0612345678")

    read = {event["Event"] for event in reader.events}
    assert {"FullyBooted", "Newchannel", "DialBegin", "Newstate", "DialEnd", "BridgeEnter", "HangupRequest", "Hangup"} <= read
    assert read & {"Newexten", "VarSet", "RTCPSent", "TestEvent"} == set()
    assert {"Newexten", "VarSet"} <= {event["Event"] for event in everything.events}


async def test_of_the_dialplan_only_queues_and_voicemail_are_read(lab: Lab) -> None:
    """The event filters of docs/asterisk.md: of dozens of dialplan events of a queue call, the few that tell an outcome."""
    reader, everything = await lab.session(SERVICE), await lab.session(DRIVER)
    carrier, phone = await lab.carrier(), await lab.phone("1001")

    await (carrier.call("8015", number="0612345671")).ended()  # a queue without agents
    customer = carrier.call("8300", number="0612345672")  # voicemail after 5 s; a rejection is quicker
    (await phone.next_call()).reject()
    await everything.event("Newexten", Application="VoiceMail")
    customer.hang_up()
    for session in (reader, everything):
        await session.event("Hangup", CallerIDNum="0612345672")

    def dialplan(session: AmiProbe) -> list[tuple[str, str]]:
        events = [event for event in session.events if event["Event"] in {"VarSet", "Newexten"}]
        return [(event["Event"], event.get("Variable") or event["Application"]) for event in events]

    assert dialplan(reader) == [("Newexten", "Queue"), ("VarSet", "QUEUESTATUS"), ("Newexten", "VoiceMail")]
    assert len(dialplan(everything)) > 10 * len(dialplan(reader))


async def test_click_to_call_needs_no_more_than_the_service_account(lab: Lab) -> None:
    session = await lab.session(SERVICE)
    carrier, phone = await lab.carrier(), await lab.phone("1001")

    answer = await session.action(
        "Originate", Channel="PJSIP/1001", Context="click2call", Exten="0698765432", Priority="1", Timeout="8000", Async="true"
    )
    agent = await phone.next_call()
    agent.answer()
    customer = await carrier.next_call()
    customer.answer()

    assert answer[0]["Response"] == "Success"
    assert (await session.event("OriginateResponse"))["Response"] == "Success"
    assert agent.state is CallState.TALKING


async def test_phone_answers_holds_and_resumes_when_told_by_notify(lab: Lab) -> None:
    """AMI has no answer and no hold; the phone does both on NOTIFY `Event: talk` and `hold`, which takes class system."""
    session = await lab.session(SERVICE_WITH_PHONES)
    carrier, phone = await lab.carrier(), await lab.phone("1001")

    customer = carrier.call("8100", number="0612345678")
    agent = await phone.next_call()
    # Before Asterisk has the phone's 180 there is no dialog that a NOTIFY could be sent in.
    channel = (await session.event("Newstate", ChannelStateDesc="Ringing"))["Channel"]
    await session.action("PJSIPNotify", Channel=channel, Variable="Event=talk")
    await customer.answered()
    await session.action("PJSIPNotify", Channel=channel, Variable="Event=hold")
    await session.event("Hold", Channel=channel)
    await session.action("PJSIPNotify", Channel=channel, Variable="Event=talk")
    await session.event("Unhold", Channel=channel)

    assert (agent.state, customer.state) == (CallState.TALKING, CallState.TALKING)


async def test_without_class_system_the_phone_is_not_told(lab: Lab) -> None:
    session = await lab.session(SERVICE)

    (answer,) = await session.action("PJSIPNotify", Channel="PJSIP/1001-00000000", Variable="Event=talk")

    assert answer["Message"] == "Permission denied"
