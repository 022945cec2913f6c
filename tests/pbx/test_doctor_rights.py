"""`cti-bridge doctor` on a real Asterisk, through accounts that are not right: missing rights, events that are kept back."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.settings import Settings
from cti_bridge.ami.stream import EVENT_CLASSES
from cti_bridge.doctor.ask import signed_in
from cti_bridge.doctor.events import judge_events
from cti_bridge.doctor.examination import PbxReport, Report, examine
from cti_bridge.doctor.facts import Heard, PbxFacts
from cti_bridge.doctor.finding import Finding
from cti_bridge.doctor.hearing import Hearing
from tests.support.doctor_lab import RIGHTS, enable_events, settings_of, wrong
from tests.support.pbx import Pbx
from tests.support.pbx_config import changed
from tests.support.pbx_lab import Lab

pytestmark = pytest.mark.pbx

ACCOUNTS: dict[str, dict[str, str]] = {
    "no-call": {"read": "system,agent,user,dialplan"},
    "no-agent": {"read": "system,call,user,dialplan"},
    "no-system": {"read": "call,agent,user,dialplan"},
    "no-user": {"read": "system,call,agent,dialplan"},
    "no-dialplan": {"read": "system,call,agent,user"},
    "no-write-call": {"write": "agent,originate,reporting"},
    "no-write-agent": {"write": "call,originate,reporting"},
    "no-originate": {"write": "call,agent,reporting"},
    "no-reporting": {"write": "call,agent,originate"},
    "no-write": {"write": ""},
    "everything": {"read": "all", "write": "all"},
    "with-system": {"write": "call,agent,originate,reporting,system"},
    "one-session": {"allowmultiplelogin": "no"},
    "impatient": {"writetimeout": "100"},
    "no-hangup": {"eventfilter(action(exclude),name(Hangup))": ""},
    "no-agentcalled": {"eventfilter": "!Event: AgentCalled"},
    "only-newchannel": {"eventfilter": "Event: Newchannel"},
    "by-contents": {"eventfilter": "!Channel: PJSIP/trunk"},
}


def manager_conf() -> str:
    sections = []
    for name, given in ACCOUNTS.items():
        lines = {"secret": "cti-secret", "deny": "0.0.0.0/0.0.0.0", "permit": "127.0.0.0/255.0.0.0"} | RIGHTS | given
        lines = {key: value or ("Event" if key.startswith("eventfilter(") else "") for key, value in lines.items()}
        sections.append(f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()))
    return "\n" + "\n".join(sections)


# --- rights and filters: one look at the PBX through every account


@pytest.fixture(scope="module")
def by_account(pbx: Pbx, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PbxReport]:
    folder = tmp_path_factory.mktemp("accounts")

    async def all_at_once() -> list[Report]:
        every = [settings_of(pbx, folder, name) for name in ACCOUNTS]
        return await asyncio.gather(*(examine(settings, now=datetime.now(UTC), listen_seconds=0) for settings in every))

    with changed(pbx, {}, {"manager.conf": manager_conf()}):
        return {report.pbxes[0].name: report.pbxes[0] for report in asyncio.run(all_at_once())}


@pytest.mark.parametrize(
    ("account", "codes", "line"),
    [
        ("no-call", {"rights.read_call"}, "read = system,call,agent,user,dialplan"),
        ("no-agent", {"rights.read_agent"}, "read = system,call,agent,user,dialplan"),
        ("no-system", {"rights.read_system"}, "read = system,call,agent,user,dialplan"),
        ("no-user", {"rights.read_user"}, "read = system,call,agent,user,dialplan"),
        ("no-dialplan", set(), ""),
        ("no-write-call", {"rights.write_call"}, "write = call,agent,originate,reporting"),
        ("no-write-agent", {"rights.write_agent"}, "write = call,agent,originate,reporting"),
        ("no-originate", {"rights.write_originate"}, "write = call,agent,originate,reporting"),
        ("no-reporting", {"rights.write_reporting"}, "write = call,agent,originate,reporting"),
        (
            "no-write",
            {"rights.write_call", "rights.write_agent", "rights.write_originate", "rights.write_reporting"},
            "write = call,agent,originate,reporting",
        ),
        ("everything", {"rights.read_too_much", "rights.write_too_much"}, "read = system,call,agent,user,dialplan"),
        ("with-system", {"rights.write_too_much"}, "write = call,agent,originate,reporting"),
        ("one-session", {"connection.one_session"}, "allowmultiplelogin = yes"),
        ("impatient", {"connection.write_timeout"}, "writetimeout = 5000"),
        ("no-hangup", {"events.hidden_hangup"}, "(take out) eventfilter(action(exclude),name(Hangup)) = Event"),
        ("no-agentcalled", {"events.hidden_agentcalled"}, "(take out) eventfilter = !Event: AgentCalled"),
        ("by-contents", {"events.filter"}, "(take out) eventfilter = !Channel: PJSIP/trunk"),
    ],
)
def test_account_that_is_not_right_is_found(by_account: dict[str, PbxReport], account: str, codes: set[str], line: str) -> None:
    found = wrong(by_account[account].findings)

    assert set(found) == codes
    if codes:
        changes = [finding.change for finding in found.values()]
        assert all(change and change.file == "manager.conf" and change.section in {account, "general"} for change in changes)
        assert line in [change.line for change in changes if change]
        assert all(finding.lost for finding in found.values())


def test_filters_that_let_one_event_through_hide_all_others(by_account: dict[str, PbxReport]) -> None:
    hidden = {code for code in wrong(by_account["only-newchannel"].findings) if code.startswith("events.hidden_")}

    assert "events.hidden_hangup" in hidden
    assert "events.hidden_agentcalled" in hidden
    assert "events.hidden_newchannel" not in hidden


async def test_filter_that_no_question_finds_shows_when_a_call_ends(lab: Lab, tmp_path: Path) -> None:
    """A regular expression on a header, in the newer form: only listening can tell."""
    added = "\n[sly]\nsecret = cti-secret\n" + "".join(f"{key} = {value}\n" for key, value in RIGHTS.items())
    added += "eventfilter(action(exclude),name(Hangup),header(Channel),method(starts_with)) = PJSIP/trunk\n"
    with changed(lab.pbx, {}, {"manager.conf": added}):
        heard, found = await heard_of_a_call(lab, settings_of(lab.pbx, tmp_path, "sly"))

    assert set(found) == {"events.hidden_hangup"}
    assert "PJSIP/trunk-" in found["events.hidden_hangup"].what
    assert "two listings compared" in found["events.hidden_hangup"].judged_by
    assert {"HangupRequest", "DialEnd"} <= {event.name for event in heard.events}


async def test_disabled_events_that_are_gone_from_the_file_show_when_a_call_ends(lab: Lab, tmp_path: Path) -> None:
    """Asterisk 22.10.1 keeps the old list when the line is taken out; an empty line clears it."""
    with changed(lab.pbx, {"manager.conf": DISABLED}):
        pass
    try:
        _, while_gone = await heard_of_a_call(lab, settings_of(lab.pbx, tmp_path))
    finally:
        enable_events(lab.pbx)
    _, once_cleared = await heard_of_a_call(lab, settings_of(lab.pbx, tmp_path))

    assert (set(while_gone), set(once_cleared)) == ({"events.hidden_hangup"}, set())


DISABLED = {"timestampevents = yes": "timestampevents = yes\ndisabledevents = Hangup"}


async def heard_of_a_call(lab: Lab, settings: Settings) -> tuple[Heard, dict[str, Finding]]:
    """What is heard, and found, while a call that rings is given up by its caller."""
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    (account,) = settings.pbx
    hearing = Hearing(account.username)
    customer = carrier.call("8100", number="02079460018")
    await phone.next_call()
    async with signed_in(account, "cti-secret", EVENT_CLASSES, hearing):
        await hearing.begin()
        customer.hang_up()
        async with asyncio.timeout(10):
            while await lab.driver.channels():
                pass
        heard = await hearing.end()
    return heard, wrong(tuple(judge_events(PbxFacts(settings=account, banner="", heard=heard))))
