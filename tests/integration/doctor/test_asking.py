"""The doctor against PBXs that misbehave: it always ends, in time, with words and an exit code."""

import asyncio
import socket
import ssl
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from cti_bridge.doctor import ask, hearing
from cti_bridge.doctor.examination import Report, examine
from cti_bridge.doctor.finding import Finding, Severity
from cti_bridge.doctor.questions import example_number
from cti_bridge.domain.errors import ConfigError
from tests.support.crm import FANG, a_crm, says
from tests.support.fake_pbx import FakePbx

RULES = "default: {queue: support}\n"
QUEUE = ("Event: QueueParams\r\nQueue: support\r\nMax: 0\r\nStrategy: rrmemory",)
COMMANDS = (
    "Ping: Keepalive command.  (Priv: <none>)", "Hangup: Hangup channel.  (Priv: call,all)",
    "QueuePause: Makes a member unavailable.  (Priv: agent,all)", "Originate: Originate a call.  (Priv: originate,all)",
    "FAXStats: Responds with fax statistics  (Priv: reporting,all)",
    *(f"{name}: x  (Priv: system,call,reporting,all)" for name in (
        "CoreStatus", "CoreSettings", "CoreShowChannels", "ParkedCalls", "Redirect", "BlindTransfer", "Atxfer", "CancelAtxfer",
        "Park", "QueueAdd", "QueueRemove", "StopMixMonitor", "MixMonitorMute", "Getvar", "ShowDialPlan",
    )),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake PBX tells no late events."""
    monkeypatch.setattr(hearing, "GRACE_SECONDS", 0.0)


def a_sound_fake(**options: Any) -> FakePbx:
    pbx = FakePbx(**options)
    pbx.lists["QueueStatus"] = QUEUE
    pbx.facts["ListCommands"] = COMMANDS
    pbx.facts["Ping"] = ("Ping: Pong",)
    pbx.facts["CoreSettings"] = ("AsteriskVersion: 22.10.1", "SystemName: ", "CoreCDRenabled: Yes", "CoreHTTPenabled: No")
    return pbx


def settings_of(folder: Path, *ports: int, **pbx: Any) -> Settings:
    (folder / "routing.yaml").write_text(RULES)
    return Settings.model_validate(
        {
            "database": {"url": f"sqlite+aiosqlite:///{folder}/cti.db"},
            "journal": {"directory": str(folder)},
            "routing": {"file": str(folder / "routing.yaml")},
            "pbx": [
                {"name": f"pbx{number}", "port": port, "username": "cti", "secret": "s3cret"} | pbx
                for number, port in enumerate(ports)
            ],
        }
    )


async def look(folder: Path, *ports: int, **pbx: Any) -> Report:
    return await examine(settings_of(folder, *ports, **pbx), now=datetime.now(UTC), listen_seconds=0)


def wrong(report: Report) -> dict[str, Finding]:
    findings = (*(finding for pbx in report.pbxes for finding in pbx.findings), *report.together, *report.service)
    return {finding.code: finding for finding in findings if finding.severity is not Severity.OK}


async def test_pbx_that_answers_little_is_not_called_wrong(tmp_path: Path) -> None:
    async with a_sound_fake() as pbx:
        report = await look(tmp_path, pbx.port)

    assert wrong(report) == {}
    assert report.exit_code == 0


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("20.9.1", "version.cve-2024-42365"),
        ("22.10.0+dfsg", "version.ghsa-8jw3-ccr9-xrmf"),
        ("16.30.0", "version.old"),
    ],
)
async def test_old_version_is_found(tmp_path: Path, version: str, code: str) -> None:
    async with a_sound_fake() as pbx:
        pbx.facts["CoreSettings"] = (f"AsteriskVersion: {version}", "CoreHTTPenabled: No")
        report = await look(tmp_path, pbx.port)

    assert code in wrong(report)
    assert report.exit_code == 1


async def test_hostile_answers_are_told_plainly(tmp_path: Path) -> None:
    evil = "\x1b[2Jx\x07\u202e"
    async with a_sound_fake() as pbx:
        pbx.facts["CoreSettings"] = (f"AsteriskVersion: {evil}",)
        member = (
            f"Event: QueueMember\r\nQueue: support\r\nName: {evil}\r\nLocation: PJSIP/{evil}\r\nStateInterface: \r\n"
            "Membership: static\r\nPenalty: 0\r\nCallsTaken: 0\r\nLastCall: 0\r\nLastPause: 0\r\nLoginTime: 0\r\nInCall: 0\r\n"
            "Status: 4\r\nPaused: 0\r\nPausedReason: \r\nWrapuptime: 0"
        )
        pbx.lists["QueueStatus"] = (*QUEUE, member)
        pbx.refuses["ShowDialPlan"] = evil
        report = await look(tmp_path, pbx.port)

    texts = [text for pbx_ in report.pbxes for finding in pbx_.findings for text in (finding.what, str(finding.change))]
    assert "queues.invalid" in wrong(report)
    assert all(text.isprintable() for text in texts)


async def test_a_missing_class_shows_by_what_is_refused(tmp_path: Path) -> None:
    async with a_sound_fake() as pbx:
        pbx.refuses = dict.fromkeys(("ListCommands", "CoreSettings", "CoreStatus", "CoreShowChannels"), "Permission denied")
        report = await look(tmp_path, pbx.port)

    assert set(wrong(report)) == {"rights.write_reporting"}


# --- no PBX to ask


async def test_nothing_listens(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        report = await look(tmp_path, taken.getsockname()[1])

    assert (report.exit_code, set(wrong(report))) == (2, {"connection.away"})


async def test_something_else_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server waits for the client to speak first; AMI greets."""
    monkeypatch.setattr(ask, "LIMITS", ask.Limits(connect=1.0, login=0.3))

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        report = await look(tmp_path, server.sockets[0].getsockname()[1])

    (finding,) = wrong(report).values()
    assert (report.exit_code, finding.code) == (2, "connection.lost")
    assert "is this an Asterisk manager port?" in finding.what


async def test_pbx_that_falls_silent_after_the_login_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "ANSWER_SECONDS", 0.2)
    async with a_sound_fake() as pbx:
        pbx.unanswered = {"Ping"}
        report = await look(tmp_path, pbx.port)

    assert (report.exit_code, set(wrong(report))) == (2, {"connection.silent"})


async def test_questions_without_an_answer_cost_their_deadline_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "ANSWER_SECONDS", 0.2)
    async with a_sound_fake() as pbx:
        pbx.unanswered = {"CoreSettings", "ListCommands", "Getvar", "ShowDialPlan"}
        async with asyncio.timeout(5):
            report = await look(tmp_path, pbx.port)

    found = wrong(report)
    assert set(found) == {"connection.unanswered"}
    assert "CoreSettings, Getvar, ListCommands, ShowDialPlan" in found["connection.unanswered"].what


async def test_whole_examination_has_a_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ask, "PBX_SECONDS", 0.5)
    async with a_sound_fake() as pbx:
        pbx.unanswered = {"CoreShowChannels"}
        report = await look(tmp_path, pbx.port)

    assert (report.exit_code, set(wrong(report))) == (2, {"connection.silent"})


@pytest.mark.parametrize("both", [True, False], ids=["both links", "the one that asks"])
async def test_link_that_breaks_on_the_way_is_told(tmp_path: Path, *, both: bool) -> None:
    async with a_sound_fake() as pbx:
        looking = asyncio.create_task(look(tmp_path, pbx.port))
        await pbx.until(lambda: any(action["Action"] == "Getvar" for session in pbx.sessions for action in session.actions))
        for session in tuple(pbx.sessions)[: None if both else 1]:
            session.reset()
        report = await looking

    assert report.exit_code == 2
    assert set(wrong(report)) <= {"connection.lost", "connection.silent"}


async def test_one_pbx_away_does_not_hide_the_other(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        async with a_sound_fake() as pbx:
            report = await look(tmp_path, taken.getsockname()[1], pbx.port)

    assert [one.asked for one in report.pbxes] == [False, True]
    assert len(report.pbxes[1].findings) > 10
    assert report.exit_code == 2


async def test_wrong_secret_is_tried_once(tmp_path: Path) -> None:
    """Another try would take one of Asterisk's 50 places for sessions that are not signed in."""
    async with a_sound_fake() as pbx:
        report = await look(tmp_path, pbx.port, secret="wrong")

    assert (report.exit_code, set(wrong(report))) == (2, {"connection.refused"})
    assert pbx.attempts == 1


async def test_secret_that_cannot_be_read_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        await look(tmp_path, 5038, secret=None, secret_file=str(tmp_path / "none"))


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for localhost that ends in two days."""
    folder = tmp_path_factory.mktemp("tls")
    key, authority = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *name, "-keyout", str(key), "-out", str(authority)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, key)
    return context, authority


async def test_certificate_that_ends_soon_is_told(certificate: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    context, authority = certificate
    async with a_sound_fake(tls=context) as pbx:
        report = await look(tmp_path, pbx.port, host="localhost", tls=True, tls_ca=str(authority))

    (finding,) = wrong(report).values()
    assert finding.code == "connection.certificate_expires"
    assert "in 2 days" in finding.what


async def test_certificate_of_nobody_known_cannot_be_asked(certificate: tuple[ssl.SSLContext, Path], tmp_path: Path) -> None:
    async with a_sound_fake(tls=certificate[0]) as pbx:
        report = await look(tmp_path, pbx.port, host="localhost", tls=True)

    (finding,) = wrong(report).values()
    assert (report.exit_code, finding.code) == (2, "connection.away")
    assert "set tls_ca" in finding.what


# --- this service


@pytest.mark.parametrize(
    ("rules", "code"),
    [(None, "service.rules_unreadable"), ("rules: 7\n", "service.rules"), ("default: {queue: night}\n", "queues.missing")],
)
async def test_rules_are_read_as_the_service_reads_them(tmp_path: Path, rules: str | None, code: str) -> None:
    async with a_sound_fake() as pbx:
        settings = settings_of(tmp_path, pbx.port)
        pbx.facts["Getvar"] = ("Value: 0",)
        if rules is None:
            settings.routing.file.unlink()
        else:
            settings.routing.file.write_text(rules)
        report = await examine(settings, now=datetime.now(UTC), listen_seconds=0)

    assert code in wrong(report)


async def test_store_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cti.db").write_text("this is no database")
    async with a_sound_fake() as pbx:
        report = await look(tmp_path, pbx.port)

    assert set(wrong(report)) == {"service.store"}


@pytest.mark.parametrize(
    ("answer", "severity", "what"),
    [
        (says(FANG), Severity.OK, "crm answers (asked for +441212345678: found)"),
        (says("", status=404), Severity.OK, "crm answers (asked for +441212345678: not found)"),
        (says({"customer": {"no": 1, "name": []}}), Severity.WARNING, "crm: name is a list, not a text or number"),
        (says("", status=401), Severity.ERROR, "crm: it answered 401"),
    ],
    ids=["found", "nobody", "a wrong path", "refused"],
)
async def test_other_systems_are_asked_once(tmp_path: Path, answer: Any, severity: Severity, what: str) -> None:
    async with a_sound_fake() as pbx, a_crm(answer) as crm:
        settings = settings_of(tmp_path, pbx.port).model_copy(update={"external": (crm.settings(),)})
        report = await examine(settings, now=datetime.now(UTC), listen_seconds=0)

    (finding,) = (finding for finding in report.service if finding.code == "service.external")
    assert (finding.severity, finding.what, len(crm.asked)) == (severity, what, 1)


async def test_looking_makes_no_file(tmp_path: Path) -> None:
    async with a_sound_fake() as pbx:
        await look(tmp_path, pbx.port)

    assert [file.name for file in tmp_path.iterdir()] == ["routing.yaml"]


def test_example_number_is_of_the_region() -> None:
    assert (example_number("NL")[:3], example_number("ZZ")[:3]) == ("+31", "+44")
