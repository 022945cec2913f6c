"""`cti-bridge doctor` on a real Asterisk: a sound PBX is called sound, and each misconfiguration is found and named."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from cti_bridge.ami.stream import EVENT_CLASSES
from cti_bridge.doctor.ask import signed_in
from cti_bridge.doctor.events import judge_events
from cti_bridge.doctor.examination import PbxReport, Report, examine
from cti_bridge.doctor.facts import Heard, PbxFacts
from cti_bridge.doctor.finding import Finding, Severity
from cti_bridge.doctor.hearing import Hearing
from tests.support.pbx import SERVICE, Pbx
from tests.support.pbx_config import changed
from tests.support.pbx_lab import Lab
from tests.support.shifting_proxy import shifting_proxy

pytestmark = pytest.mark.pbx

RULES = "rules:\n  - {name: sales, when: {did: '8002'}, queue: sales}\ndefault: {queue: support}\n"
RIGHTS = {"read": "system,call,agent,user,dialplan", "write": "call,agent,originate,reporting", "writetimeout": "5000"}
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


def settings_of(pbx: Pbx, folder: Path, *accounts: str, **changes: Any) -> Settings:
    """A service for this PBX; one [[pbx]] for each account, named after it."""
    (folder / "routing.yaml").write_text(changes.pop("rules", RULES))
    record = {"cel_csv": str(pbx.cel_csv), "cdr_csv": str(pbx.cdr_csv), "queue_log": str(pbx.queue_log)}
    given = {
        "database": {"url": f"sqlite+aiosqlite:///{folder}/cti.db"},
        "journal": {"directory": str(folder / "journal")},
        "routing": {"file": str(folder / "routing.yaml")},
        "fastagi": {"host": pbx.network.service},
    }
    pbxes = [
        {"name": name, "host": pbx.network.pbx, "username": name, "secret": "cti-secret", "record": record}
        | changes.get("each_pbx", {})
        for name in accounts or (SERVICE.username,)
    ]
    return Settings.model_validate(given | {key: value for key, value in changes.items() if key != "each_pbx"} | {"pbx": pbxes})


def look(settings: Settings, *, listen: float = 0.0) -> Report:
    return asyncio.run(examine(settings, now=datetime.now(UTC), listen_seconds=listen))


def wrong(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    """By code, what is not well."""
    return {finding.code: finding for finding in findings if finding.severity is not Severity.OK}


# --- a sound PBX


async def test_sound_pbx_is_found_sound(lab: Lab, tmp_path: Path) -> None:
    report = await examine(settings_of(lab.pbx, tmp_path), now=datetime.now(UTC), listen_seconds=0.5)

    assert wrong(report.pbxes[0].findings) == {}
    assert wrong(report.service) == {}
    assert (report.exit_code, report.together) == (0, ())
    assert report.pbxes[0].version.startswith("22.")


async def test_busy_pbx_gives_no_false_finding(lab: Lab, tmp_path: Path) -> None:
    """Calls come, wait, ring, are refused and end while the doctor listens: every change was told by an event."""
    carrier = await lab.carrier()
    waiting = [carrier.call("8001", number=f"020794600{number}") for number in range(10, 15)]
    await lab.driver.event("QueueCallerJoin", Queue="support", Position="5")
    looking = asyncio.create_task(examine(settings_of(lab.pbx, tmp_path), now=datetime.now(UTC), listen_seconds=2))
    async with asyncio.timeout(10):
        while not looking.done():
            waiting.append(carrier.call("8002", number="02079460020"))
            await lab.driver.event("QueueCallerJoin", Queue="sales")
            waiting.pop(0).hang_up()
            lab.driver.events.clear()
            await asyncio.wait({looking}, timeout=0.1)
    report = await looking

    assert wrong(report.pbxes[0].findings) == {}
    (heard,) = [finding for finding in report.pbxes[0].findings if finding.code == "events.heard"]
    assert "and all were told" in heard.judged_by


async def test_program_says_it_in_words_and_for_programs(lab: Lab, tmp_path: Path) -> None:
    settings = settings_of(lab.pbx, tmp_path)
    config = tmp_path / "cti.toml"
    config.write_text(toml_of(settings, secret="cti-secret"))

    for_people = await doctor("--config", str(config), "--listen", "0")
    for_programs = await doctor("--config", str(config), "--listen", "0", "--json")

    assert (for_people.code, for_people.err) == (0, "")
    assert for_people.out.endswith("All well.\n")
    assert "\x1b" not in for_people.out
    document = json.loads(for_programs.out)
    assert (for_programs.code, document["exit_code"], document["errors"], document["warnings"]) == (0, 0, 0, 0)
    assert {finding["severity"] for finding in document["pbx"][0]["findings"]} == {"ok"}


async def test_looking_leaves_no_trace_on_the_pbx(lab: Lab, tmp_path: Path) -> None:
    """No channel, no queue event, no session left; nothing changed in its files."""
    listing = [await lab.driver.action(name) for name in ("CoreShowChannels", "QueueStatus", "DeviceStateList")]
    files = {file: file.read_bytes() for file in (lab.pbx.folder / "etc").iterdir()}
    began = len(lab.driver.events)

    await examine(settings_of(lab.pbx, tmp_path), now=datetime.now(UTC), listen_seconds=0)
    after = [await lab.driver.action(name) for name in ("CoreShowChannels", "QueueStatus", "DeviceStateList")]

    assert [without_ids(items) for items in listing] == [without_ids(items) for items in after]
    assert {file: file.read_bytes() for file in (lab.pbx.folder / "etc").iterdir()} == files
    assert await lab.sessions_of(SERVICE) == []
    told = {event["Event"] for event in lab.driver.events[began:] if event.get("ActionID", "").startswith("probe") is False}
    assert told <= {"SuccessfulAuth", "ChallengeSent", "TestEvent"}


def without_ids(items: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: value for key, value in item.items() if key != "ActionID"} for item in items]


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


def enable_events(pbx: Pbx) -> None:
    with changed(pbx, {"manager.conf": {"timestampevents = yes": "timestampevents = yes\ndisabledevents ="}}):
        pass


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


# --- what does not let anybody ask


@pytest.mark.parametrize(
    ("change", "code", "told"),
    [
        ({"secret": "not-the-secret"}, "connection.refused", "check username and secret against [cti] in manager.conf"),
        ({"username": "nobody"}, "connection.refused", "[nobody] in manager.conf"),
        ({"port": 5039}, "connection.away", "nothing listens at"),
        ({"port": 5039, "tls": True}, "connection.away", "nothing listens at"),
    ],
)
def test_pbx_that_cannot_be_asked_is_said_to_be_so(
    pbx: Pbx, tmp_path: Path, change: dict[str, Any], code: str, told: str
) -> None:
    report = look(settings_of(pbx, tmp_path, each_pbx=change))

    (finding,) = report.pbxes[0].findings
    assert (report.exit_code, finding.code, finding.severity) == (2, code, Severity.ERROR)
    assert told in finding.what
    assert "not-the-secret" not in json.dumps(report.document())


# --- the PBX's files, all wrong at once


MESS = {
    "manager.conf": {"timestampevents = yes": "timestampevents = no\ndisabledevents = Hangup,RTCPSent"},
    "cel.conf": {"enable = yes": "enable = no"},
    "cdr.conf": {"loguniqueid = yes": "", "newcdrcolumns = yes": "", "unanswered = yes": "unanswered = no"},
    "logger.conf": {"queue_log = yes": "queue_log = no"},
    "queues.conf": {
        "autofill = yes": "autofill = no",
        "[empty]": "[empty]\nmember => PJSIP/4999,0,Nobody\nmember => Local/1003@agents/n,0,Ben\nmember => PJSIP/trunk,0,Trunk",
    },
    "extensions.conf": {
        "exten => T,1,Goto(chosen,1)\n": "",
        "exten => _100X,1,Dial": "exten => _100[1-3],1,Dial",
        "[click2call]": "[click-to-call]",
    },
}
EXPECTED = {
    "events.timestamps": ("manager.conf", "timestampevents = yes"),
    "events.hidden_hangup": ("manager.conf", "disabledevents = RTCPSent"),
    "record.cel_off": ("cel.conf", "enable = yes"),
    "record.cdr_uniqueid": ("cdr.conf", "loguniqueid = yes"),
    "record.cdr_linkedid": ("cdr.conf", "newcdrcolumns = yes"),
    "record.cdr_unanswered": ("cdr.conf", "unanswered = yes"),
    "record.queue_log_off": ("logger.conf", "queue_log = yes"),
    "queues.autofill": ("queues.conf", "autofill = yes"),
    "queues.invalid": ("queues.conf", "member => PJSIP/4999"),
    "queues.no_state": ("queues.conf", "member => Local/1003@agents/n,0,Ben,PJSIP/1003"),
    "queues.not_internal": ("cti.toml", "internal = "),
    "queues.missing": ("queues.conf", "strategy = "),
    "dialplan.agi_not_caught": ("extensions.conf", "exten => T,1,Goto(chosen,1)"),
    "dialplan.no_click_to_call": ("extensions.conf", "exten => _[+0-9]X."),
    "dialplan.no_extension": ("extensions.conf", "exten => 1004,1,Dial"),
}


@pytest.fixture(scope="module")
def messy(pbx: Pbx, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finding]:
    rules = RULES.replace("queue: sales", "queue: night")
    try:
        with changed(pbx, MESS):
            return wrong(look(settings_of(pbx, tmp_path_factory.mktemp("mess"), rules=rules)).pbxes[0].findings)
    finally:
        enable_events(pbx)


@pytest.mark.parametrize("code", EXPECTED)
def test_each_wrong_line_is_found_with_the_line_to_write(messy: dict[str, Finding], code: str) -> None:
    file, line = EXPECTED[code]
    change = messy[code].change

    assert change is not None
    assert (change.file, change.line[: len(line)]) == (file, line)
    assert messy[code].lost


def test_nothing_else_is_called_wrong(messy: dict[str, Finding]) -> None:
    assert set(messy) == set(EXPECTED)


def test_dialplan_that_could_hold_callers_is_an_error(pbx: Pbx, tmp_path: Path) -> None:
    with changed(pbx, {"extensions.conf": {" same => n,Set(TIMEOUT(absolute)=0.5)\n": ""}}):
        found = wrong(look(settings_of(pbx, tmp_path)).pbxes[0].findings)

    assert found["dialplan.agi_without_limit"].severity is Severity.ERROR


def test_dialplan_that_asks_another_address_is_an_error(pbx: Pbx, tmp_path: Path) -> None:
    found = wrong(look(settings_of(pbx, tmp_path, fastagi={"host": pbx.network.service, "port": 4999})).pbxes[0].findings)

    assert set(found) == {"dialplan.agi_address"}


# --- clocks, and two PBXs


@pytest.mark.parametrize(("shift", "is_found"), [(-300.0, True), (2.5, True), (1.5, False)])
async def test_clock_that_differs_is_measured(lab: Lab, tmp_path: Path, shift: float, is_found: bool) -> None:
    async with shifting_proxy(lab.network.pbx, 5038, seconds=shift) as port:
        settings = settings_of(lab.pbx, tmp_path, each_pbx={"host": "127.0.0.1", "port": port})
        report = await examine(settings, now=datetime.now(UTC), listen_seconds=0)

    found = wrong(report.pbxes[0].findings)
    assert ("clock.differs" in found) is is_found
    if is_found:
        side = "ahead of" if shift > 0 else "behind"
        assert f"{side} this machine's by {abs(shift):.1f}" in found["clock.differs"].what[:60]


def test_one_pbx_under_two_names_is_found(pbx: Pbx, tmp_path: Path) -> None:
    added = manager_conf()
    with changed(pbx, {}, {"manager.conf": added}):
        report = look(settings_of(pbx, tmp_path, "no-dialplan", "cti"))

    found = wrong(report.together)
    assert found["connection.same_pbx"].severity is Severity.ERROR
    assert "no-dialplan and cti" in found["connection.same_pbx"].what
    assert "connection.system_name" in found


# --- the program


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


async def doctor(*arguments: str) -> Done:
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti_bridge", "doctor", *arguments, stdout=PIPE, stderr=PIPE
    )
    out, err = await asyncio.wait_for(program.communicate(), 40)
    assert program.returncode is not None
    return Done(program.returncode, out.decode(), err.decode())


def toml_of(settings: Settings, *, secret: str) -> str:
    pbx = settings.pbx[0]
    return f"""
[database]
url = "{settings.database.url}"
[journal]
directory = "{settings.journal.directory}"
[routing]
file = "{settings.routing.file}"
[fastagi]
host = "{settings.fastagi.host}"
[[pbx]]
name = "{pbx.name}"
host = "{pbx.host}"
username = "{pbx.username}"
secret = "{secret}"
"""
