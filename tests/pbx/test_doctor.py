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
from cti_bridge.doctor.examination import examine
from cti_bridge.doctor.finding import Finding, Severity
from tests.support.doctor_lab import RULES, enable_events, look, settings_of, wrong
from tests.support.pbx import SERVICE, SERVICE_WITH_PHONES, Pbx
from tests.support.pbx_config import changed
from tests.support.pbx_lab import Lab
from tests.support.shifting_proxy import shifting_proxy

pytestmark = pytest.mark.pbx


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
    report = look(settings_of(pbx, tmp_path, SERVICE.username, SERVICE_WITH_PHONES.username))

    found = wrong(report.together)
    assert found["connection.same_pbx"].severity is Severity.ERROR
    assert "cti and cti-phones" in found["connection.same_pbx"].what
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
