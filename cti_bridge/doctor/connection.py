"""Judges how the PBX is reached: TLS, who may sign in from where, how long Asterisk waits for a slow reader, a second session."""

from datetime import UTC, datetime, timedelta
from typing import Final

from config.settings import PbxSettings
from cti_bridge.ami.connection import Limits
from cti_bridge.doctor.facts import ANY_ADDRESS, NotAsked, PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning

CERTIFICATE_DAYS: Final = 21
"""Time enough to get another one signed."""
WRITE_TIMEOUT_MS: Final = 1000
"""Asterisk's own default is 100 ms, which a busy moment of this machine exceeds."""
_HERE: Final = Subject.CONNECTION


def judge_not_asked(asked: NotAsked) -> Finding:
    return error(
        _HERE,
        asked.code,
        asked.why,
        lost="everything: no calls, no pops, no figures of this PBX",
        change=_where_to_look(asked),
    )


def _where_to_look(asked: NotAsked) -> Change | None:
    settings = asked.settings
    match asked.code:
        case "connection.refused":
            return Change(file="manager.conf", section=settings.username, line="secret = …, and permit = this machine's address")
        case "connection.away" if "listens" in asked.why:
            return Change(file="manager.conf", section="general", line="enabled = yes")
        case _:
            return None


def judge_connection(facts: PbxFacts, *, now: datetime) -> list[Finding]:
    settings = facts.settings
    return [
        fine(
            _HERE, "connection.up", f"{settings.host}:{settings.port} answers and signs {settings.username} in ({facts.banner})"
        ),
        _encryption(facts, now),
        *_sessions(facts),
        *_access(facts),
        *_slow_reader(facts),
        *_unanswered(facts),
        fine(
            _HERE,
            "connection.keepalive",
            f"an idle link is pinged after {Limits().idle:g} s, a silent one is given up after {Limits().dead:g} s",
        ),
    ]


def _encryption(facts: PbxFacts, now: datetime) -> Finding:
    settings, certificate = facts.settings, facts.certificate
    if certificate is None:
        if is_loopback(settings):
            return fine(_HERE, "connection.loopback", "no TLS: the link does not leave this machine")
        return warning(
            _HERE,
            "connection.clear_text",
            f"AMI with {settings.host} is not encrypted (allow_insecure = true)",
            lost="whoever listens on the way reads every number, and may send commands in this service's name",
            change=Change(file="cti.toml", section="pbx", line="tls = true, and tlsenable = yes in manager.conf [general]"),
        )
    if certificate.expires is not None and certificate.expires < now + timedelta(days=CERTIFICATE_DAYS):
        days = (certificate.expires - now) / timedelta(days=1)
        return warning(
            _HERE,
            "connection.certificate_expires",
            f"the PBX's certificate ends on {certificate.expires.astimezone(UTC):%Y-%m-%d}, in {days:.0f} days",
            lost="from then on this service refuses the PBX",
            change=Change(
                file="manager.conf", section="general", line="tlscertfile = (a renewed certificate), then manager reload"
            ),
        )
    until = f" until {certificate.expires:%Y-%m-%d}" if certificate.expires else ""
    return fine(_HERE, "connection.tls", f"{certificate.protocol}, the certificate is accepted{until}")


def is_loopback(settings: PbxSettings) -> bool:
    return settings.host in {"localhost", "::1"} or settings.host.startswith("127.")


def _sessions(facts: PbxFacts) -> list[Finding]:
    user = facts.settings.username
    per_user = facts.is_on("manager.conf", user, "allowmultiplelogin", default=True)
    everybody = facts.is_on("manager.conf", "general", "allowmultiplelogin", default=True)
    written = facts.setting("manager.conf", user, "allowmultiplelogin")
    refused = bool(facts.deaf_because)
    if not refused and (per_user if written else everybody) is not False:
        return []
    section = user if written else "general"
    return [
        error(
            _HERE,
            "connection.one_session",
            f"[{user}] may have one session at a time" + (f": {facts.deaf_because}" if refused else ""),
            lost="click-to-call, transfers and pauses: the service needs one session for events and one for actions",
            change=Change(file="manager.conf", section=section, line="allowmultiplelogin = yes"),
            judged_by="a second login was tried" if refused else "manager.conf",
        )
    ]


def _access(facts: PbxFacts) -> list[Finding]:
    """Only where manager.conf could be read, and the manager listens beyond its own machine."""
    user = facts.settings.username
    bind = facts.setting("manager.conf", "general", "bindaddr")
    if bind is None or (bind and bind.rpartition(":")[0] not in ANY_ADDRESS and bind not in ANY_ADDRESS):
        return []
    limits = [facts.setting("manager.conf", user, name) for name in ("deny", "acl")]
    if any(limits):
        return []
    return [
        warning(
            _HERE,
            "connection.open_to_all",
            f"[{user}] may sign in from any address, and AMI listens on all (bindaddr = {bind or 'not set'})",
            lost="whoever guesses the secret commands the PBX",
            change=Change(file="manager.conf", section=user, line="deny = 0.0.0.0/0.0.0.0 and permit = ADDRESS OF THIS MACHINE"),
            judged_by="manager.conf as it stands now",
        )
    ]


def _slow_reader(facts: PbxFacts) -> list[Finding]:
    user = facts.settings.username
    told = [facts.setting("manager.conf", section, "writetimeout") for section in (user, "general")]
    if told[0] is None:
        return []
    value = told[0] or told[1] or "100"
    if not value.isdecimal() or int(value) >= WRITE_TIMEOUT_MS:
        return []
    return [
        warning(
            _HERE,
            "connection.write_timeout",
            f"Asterisk cuts the link when it cannot write to it for {int(value)} ms",
            lost="a busy moment of this machine costs the link, and what happens until it is up again",
            change=Change(file="manager.conf", section=user, line="writetimeout = 5000"),
            judged_by="manager.conf as it stands now",
        )
    ]


def _unanswered(facts: PbxFacts) -> list[Finding]:
    if not facts.unanswered:
        return []
    return [
        warning(
            _HERE,
            "connection.unanswered",
            f"no answer in time to {', '.join(sorted(facts.unanswered))}",
            lost="what these would have told; a PBX this slow also tells its events late",
            change=Change(file="the Asterisk console", line="core show taskprocessors; core show threads"),
        )
    ]
