"""Judges the PBX's own record, which audit and backfill read: is it written, with what, and can it be read from here?"""

from collections.abc import Sequence
from typing import Final

from config.settings import RecordSettings
from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, fine, warning

_HERE: Final = Subject.RECORD
CEL_WRITERS: Final = ("cel_custom", "cel_odbc", "cel_pgsql", "cel_sqlite3_custom", "cel_tds")
CDR_WRITERS: Final = ("cdr_csv", "cdr_custom", "cdr_adaptive_odbc", "cdr_odbc", "cdr_pgsql", "cdr_sqlite3_custom")
CEL_EVENTS: Final = (
    "CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "APP_START", "APP_END", "BRIDGE_ENTER", "BRIDGE_EXIT", "PARK_START", "PARK_END",
    "BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "LINKEDID_END", "LOCAL_OPTIMIZE",
)  # fmt: skip
"""What a call is put together from; docs/asterisk.md asks for ALL, which is simpler to write."""
CEL_APPS: Final = ("dial", "queue")
_JUDGED_BY: Final = "the PBX's files as they stand now"


def judge_record(facts: PbxFacts) -> list[Finding]:
    record = facts.settings.record
    return [*_named(record), *_cel(facts), *_cdr(facts), *_queue_log(facts)]


def _named(record: RecordSettings) -> list[Finding]:
    named = [
        record.cel_csv or record.cel_url,
        record.cdr_csv or record.cdr_url,
        record.queue_log or record.queue_log_url,
    ]
    if any(named):
        return []
    return [
        fine(
            _HERE,
            "record.not_named",
            "the settings do not say where the PBX keeps its record",
            lost="audit, and the calls of a time when this service was away",
            change=Change(file="cti.toml", section="pbx.record", line='cel_csv = "/var/log/asterisk/cel-custom/Master.csv"'),
        )
    ]


def _cel(facts: PbxFacts) -> list[Finding]:
    enabled = facts.is_on("cel.conf", "general", "enable", default=False)
    if enabled is None:
        return [fine(_HERE, "record.cel_not_judged", "CEL: not judged (cel.conf could not be asked)")]
    if not enabled:
        return [
            warning(
                _HERE,
                "record.cel_off",
                "CEL is off",
                lost="the best record of what happened while this service was away: transfers, talks, pick-ups",
                change=Change(file="cel.conf", section="general", line="enable = yes"),
                judged_by=_JUDGED_BY,
            )
        ]
    findings = _cel_contents(facts)
    if facts.modules and not any(facts.modules.get(module, True) for module in CEL_WRITERS):
        findings.append(
            warning(
                _HERE,
                "record.cel_not_written",
                "CEL is on, but no module writes it",
                lost="the record of what happened while this service was away",
                change=Change(file="modules.conf", section="modules", line="load = cel_custom (and docs/asterisk.md, section 6)"),
                judged_by="IFMODULE on the PBX",
            )
        )
    return findings or [fine(_HERE, "record.cel", "CEL is on, with the events that calls are put together from")]


def _cel_contents(facts: PbxFacts) -> list[Finding]:
    events = _words(facts.setting("cel.conf", "general", "events"))
    apps = _words(facts.setting("cel.conf", "general", "apps"))
    lacking = [] if "ALL" in events else [name for name in CEL_EVENTS if name not in events]
    unnamed = [] if "ALL" in apps else [name for name in CEL_APPS if name.upper() not in apps]
    findings = []
    if lacking:
        findings.append(
            warning(
                _HERE,
                "record.cel_events",
                f"CEL does not write {', '.join(lacking)}",
                lost="parts of calls in audit and backfill",
                change=Change(file="cel.conf", section="general", line="events = ALL"),
                judged_by=_JUDGED_BY,
            )
        )
    if unnamed and not {"APP_START", "ALL"}.isdisjoint(events):
        findings.append(
            warning(
                _HERE,
                "record.cel_apps",
                f"CEL does not write the applications {', '.join(unnamed)}",
                lost="in audit and backfill: which queue a caller waited in, and who was dialled",
                change=Change(
                    file="cel.conf",
                    section="general",
                    line="apps = dial,queue,park,parkedcall,confbridge,voicemail,pickup,chanspy,mixmonitor",
                ),
                judged_by=_JUDGED_BY,
            )
        )
    return findings


def _cdr(facts: PbxFacts) -> list[Finding]:
    core = (facts.core or {}).get("CoreCDRenabled", (facts.core or {}).get("CoreCDRenabled".lower(), ""))
    if core.lower() == "no":
        return [
            warning(
                _HERE,
                "record.cdr_off",
                "CDR is off",
                lost="the record of calls that every report of the PBX uses; audit has one witness less",
                change=Change(file="cdr.conf", section="general", line="enable = yes"),
                judged_by="CoreSettings",
            )
        ]
    if not core:
        return [fine(_HERE, "record.cdr_not_judged", "CDR: not judged (CoreSettings was not answered)")]
    findings = _cdr_columns(facts)
    if facts.is_on("cdr.conf", "general", "unanswered", default=False) is False:
        findings.append(
            warning(
                _HERE,
                "record.cdr_unanswered",
                "CDR leaves out calls that nobody took",
                lost="abandoned calls in the CDR: audit cannot find them there",
                change=Change(file="cdr.conf", section="general", line="unanswered = yes"),
                judged_by=_JUDGED_BY,
            )
        )
    return findings or [fine(_HERE, "record.cdr", "CDR is on, with unanswered calls, uniqueid and linkedid")]


def _cdr_columns(facts: PbxFacts) -> list[Finding]:
    """Of cdr_csv only; others have the columns that the site gave them."""
    if facts.modules.get("cdr_csv") is not True or facts.config is None:
        return []
    lacking: Sequence[tuple[str, str]] = [
        (name, column)
        for name, column in (("loguniqueid", "uniqueid"), ("newcdrcolumns", "linkedid"))
        if not facts.is_on("cdr.conf", "csv", name, default=False)
    ]
    return [
        warning(
            _HERE,
            f"record.cdr_{column}",
            f"the CDR file has no column {column}",
            lost="audit cannot tell which record belongs to which call",
            change=Change(file="cdr.conf", section="csv", line=f"{name} = yes"),
            judged_by=_JUDGED_BY,
        )
        for name, column in lacking
    ]


def _queue_log(facts: PbxFacts) -> list[Finding]:
    if facts.is_on("logger.conf", "general", "queue_log", default=True) is not False:
        return []
    return [
        warning(
            _HERE,
            "record.queue_log_off",
            "queue_log is off",
            lost="the PBX's own word on who waited, who gave up and who answered",
            change=Change(file="logger.conf", section="general", line="queue_log = yes"),
            judged_by=_JUDGED_BY,
        )
    ]


def _words(text: str | None) -> frozenset[str]:
    return frozenset(word.strip().upper() for word in (text or "").split(","))
