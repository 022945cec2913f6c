"""Judges the queues: those that the rules name, the seats in them, and how callers are served."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from cti_bridge.doctor.facts import TRUE_WORDS, Member, PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning
from cti_bridge.tracking.channels import extension_of

_HERE: Final = Subject.QUEUES
MAX_NAMED: Final = 8
"""Names in one finding; the rest is counted."""
_INVALID, _UNKNOWN, _UNAVAILABLE = "4", "0", "5"


def judge_queues(
    facts: PbxFacts, *, ruled: Mapping[str, int], internal: re.Pattern[str], elsewhere: Collection[str]
) -> list[Finding]:
    """`ruled`: queues of the routing file with their line; `elsewhere`: queues that another PBX has."""
    if facts.queues is None:
        why = facts.unasked.get("QueueStatus", "no answer")
        return [
            error(
                _HERE,
                "queues.none_told",
                f"the PBX lists no queues: {why}",
                lost="every figure and every seat: no queue calls, no agents",
                change=None
                if "QueueStatus" in facts.unanswered
                else Change(file="modules.conf", section="modules", line="load = app_queue"),
            )
        ]
    findings = [_unknown(facts, queue, line, elsewhere) for queue, line in ruled.items() if _is_missing(facts, queue)]
    findings += _seats(facts, internal)
    findings += _autofill(facts)
    if not findings:
        findings.append(fine(_HERE, "queues.all", _summary(facts)))
    findings += _unregistered(facts)
    return findings


def _is_missing(facts: PbxFacts, queue: str) -> bool:
    return queue not in (facts.queues or {}) and not facts.queue_exists.get(queue, False)


def _unknown(facts: PbxFacts, queue: str, line: int, elsewhere: Collection[str]) -> Finding:
    what = f"the routing file sends calls to {queue} (line {line}), which this PBX does not have"
    change = Change(file="queues.conf", section=queue, line="strategy = rrmemory (then: queue reload all)")
    if queue in elsewhere:
        return warning(_HERE, "queues.not_here", f"{what}; another PBX has it", lost="those rules on this PBX", change=change)
    return error(_HERE, "queues.missing", what, lost="those rules: their calls go to the dialplan's default queue", change=change)


def _seats(facts: PbxFacts, internal: re.Pattern[str]) -> list[Finding]:
    """Seats whose agent is not recognised, whose phone does not exist, or whose state the queue does not see."""
    findings = []
    strange = [member for member in facts.members if not internal.match(_agent(member))]
    if strange:
        findings.append(
            warning(
                _HERE,
                "queues.not_internal",
                f"{_named(strange)}: these members' endpoints do not match numbers.internal ({internal.pattern})",
                lost="they are taken for customers: no pops, no figures for them",
                change=Change(
                    file="cti.toml", section="numbers", line='internal = "…" (a pattern that all agents\' endpoints match)'
                ),
            )
        )
    invalid = [member for member in facts.members if member.status == _INVALID]
    if invalid:
        findings.append(
            warning(
                _HERE,
                "queues.invalid",
                f"{_named(invalid)}: the PBX knows no such phone (state invalid)",
                lost="the queue never rings these seats",
                change=Change(
                    file="queues.conf",
                    section=invalid[0].queue,
                    line=f"member => {invalid[0].interface},0,{invalid[0].name} (take it out, or define the phone in pjsip.conf)",
                ),
            )
        )
    blind = [member for member in facts.members if _shows_no_state(member) and member not in invalid]
    if blind:
        findings.append(
            warning(
                _HERE,
                "queues.no_state",
                f"{_named(blind)}: the PBX does not know whether the phone is busy",
                lost="the queue rings agents who are talking, and the board shows them as free",
                change=_member_line(blind[0]),
            )
        )
    return findings


def _shows_no_state(member: Member) -> bool:
    return member.status == _UNKNOWN or (member.state_interface or member.interface).startswith("Local/")


def _agent(member: Member) -> str:
    return extension_of(member.state_interface or member.interface)


def _member_line(member: Member) -> Change:
    line = f"member => {member.interface},0,{member.name},PJSIP/{_agent(member)}"
    return Change(file="queues.conf", section=member.queue, line=f"{line} (the last part is the state interface)")


def _named(members: list[Member]) -> str:
    names = sorted({f"{member.interface} in {member.queue}" for member in members})
    return ", ".join(names[:MAX_NAMED]) + (f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else "")


def _autofill(facts: PbxFacts) -> list[Finding]:
    everywhere = facts.is_on("queues.conf", "general", "autofill", default=False)
    if everywhere is None:
        return []
    serial = [queue for queue in facts.queues or {} if _is_serial(facts, queue, everywhere=everywhere)]
    if not serial:
        return []
    return [
        warning(
            _HERE,
            "queues.autofill",
            f"{', '.join(sorted(serial)[:MAX_NAMED])}: autofill is off",
            lost="one waiting caller is served at a time, even while several agents are free",
            change=Change(file="queues.conf", section="general", line="autofill = yes"),
            judged_by="queues.conf as it stands now",
        )
    ]


def _is_serial(facts: PbxFacts, queue: str, *, everywhere: bool) -> bool:
    own = facts.setting("queues.conf", queue, "autofill")
    return own.strip().lower() not in TRUE_WORDS if own else not everywhere


def _summary(facts: PbxFacts) -> str:
    seats = {queue: sum(member.queue == queue for member in facts.members) for queue in facts.queues or {}}
    told = [
        f"{queue} ({strategy}, {seats[queue]} seats{_wrap(facts, queue)})" for queue, strategy in (facts.queues or {}).items()
    ]
    return f"{len(told)} queues: {', '.join(told[:MAX_NAMED])}" + (" …" if len(told) > MAX_NAMED else "")


def _wrap(facts: PbxFacts, queue: str) -> str:
    value = facts.setting("queues.conf", queue, "wrapuptime")
    return f", wrapuptime {value} s" if value and value.isdecimal() and value != "0" else ""


def _unregistered(facts: PbxFacts) -> list[Finding]:
    away = {_agent(member) for member in facts.members if member.status == _UNAVAILABLE}
    everybody = {_agent(member) for member in facts.members}
    if not away:
        return []
    return [fine(_HERE, "queues.unregistered", f"{len(away)} of {len(everybody)} agents' phones are not registered now")]
