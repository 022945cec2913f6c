"""A sound PBX's answers, for tests of the doctor's judgement: change one thing, see one finding."""

from collections.abc import Mapping
from typing import Any

from config.settings import PbxSettings
from cti_bridge.ami.actions import WRITE_CLASS
from cti_bridge.doctor.facts import ClockReading, ConfigKey, Heard, Listing, Member, PbxFacts, Step
from cti_bridge.doctor.finding import Finding, Severity

EXAMPLE = "+441212345678"
CONFIG = {
    ("manager.conf", "general", "enabled"): "yes",
    ("manager.conf", "general", "timestampevents"): "yes",
    ("manager.conf", "general", "bindaddr"): "127.0.0.1",
    ("manager.conf", "cti", "read"): "system,call,agent,user,dialplan",
    ("manager.conf", "cti", "write"): "call,agent,originate,reporting",
    ("manager.conf", "cti", "writetimeout"): "5000",
    ("cel.conf", "general", "enable"): "yes",
    ("cel.conf", "general", "events"): "ALL",
    ("cel.conf", "general", "apps"): "dial,queue",
    ("cdr.conf", "general", "unanswered"): "yes",
    ("cdr.conf", "csv", "loguniqueid"): "yes",
    ("cdr.conf", "csv", "newcdrcolumns"): "yes",
    ("queues.conf", "general", "autofill"): "yes",
}
MENTIONED = (
    ("manager.conf", "general", "disabledevents"), ("manager.conf", "general", "allowmultiplelogin"),
    ("manager.conf", "general", "writetimeout"), ("manager.conf", "cti", "allowmultiplelogin"), ("manager.conf", "cti", "deny"),
    ("manager.conf", "cti", "acl"), ("logger.conf", "general", "queue_log"), ("queues.conf", "support", "autofill"),
)  # fmt: skip
"""Lines that were asked for and are not there."""
STEPS = (
    Step("cti-route", "_X.", "1", "Set", "AGIEXITONHANGUP=yes"),
    Step("cti-route", "_X.", "2", "Set", "TIMEOUT(absolute)=0.5"),
    Step("cti-route", "_X.", "3", "AGI", "${CTI_AGI}/route?did=${EXTEN}"),
    Step("cti-route", "_X.", "4", "Goto", "chosen,1"),
    Step("cti-route", "T", "1", "Goto", "chosen,1"),
)
QUIET = Listing(channels={}, waiting=frozenset(), members={})


def a_pbx(**settings: Any) -> PbxSettings:
    return PbxSettings.model_validate({"name": "main", "username": "cti", "secret": "s3cret"} | settings)


def facts(config: Mapping[tuple[str, str, str], str] | None = None, **changes: Any) -> PbxFacts:
    """A sound PBX, with these configuration lines and answers instead."""
    lines = dict.fromkeys(MENTIONED, "") | CONFIG | dict(config or {})
    sound: dict[str, Any] = {
        "settings": a_pbx(),
        "banner": "Asterisk Call Manager/11.0.0",
        "commands": {
            "Ping": frozenset(),
            **{action: frozenset({name}) for action, name in WRITE_CLASS.items() if name != "system"},
        },
        "core": {"AsteriskVersion": "22.10.1", "SystemName": "", "CoreCDRenabled": "Yes", "CoreHTTPenabled": "No"},
        "status": {"CoreStartupDate": "2026-11-22", "CoreStartupTime": "08:57:26"},
        "config": {ConfigKey(*place): value for place, value in lines.items()},
        "modules": {"cdr_csv": True, "cel_custom": True, "cel_pgsql": False, "cel_tds": False, "func_config": True},
        "variables": {"ENTITYID": "02:fc:00:00:00:01", "CTI_AGI": "agi://127.0.0.1:4573"},
        "utc_offset": "+0000",
        "queues": {"support": "rrmemory"},
        "members": (Member("support", "PJSIP/1001", "PJSIP/1001", "Alice", "1"),),
        "dialplan": {("agents", None): True, ("click2call", None): True, ("click2call", EXAMPLE): True, ("agents", "1001"): True},
        "steps": STEPS,
        "clock": ClockReading(ahead_seconds=0.01, round_trip_seconds=0.002),
        "heard": Heard(seconds=3.0, events=(), booted=True, timestamped=None, before=QUIET, after=QUIET),
    }
    return PbxFacts(**(sound | changes))


def wrong(findings: list[Finding]) -> set[str]:
    """The codes of what is not well."""
    return {finding.code for finding in findings if finding.severity is not Severity.OK}
