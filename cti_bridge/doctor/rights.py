"""Judges what the account may do: too little costs features, too much hands the PBX to whoever gets the secret.

`write` is told by Asterisk itself (ListCommands shows exactly the permitted actions). `read` it tells nobody: that is read from
manager.conf where the account may, and checked against what came: FullyBooted at the login, and the events heard.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Final

from cti_bridge.ami.actions import MODULE, WRITE_CLASS
from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning

_HERE: Final = Subject.RIGHTS
READ_CLASSES: Final = ("system", "call", "agent", "user", "dialplan")
_LOST_BY_READ: Final = {
    "call": "no calls at all: nobody's phone pops, nothing is recorded",
    "agent": "no queues: waiting callers, offers to agents and agents' states are not seen",
    "system": "a start or stop of Asterisk is not told; it is noticed only when the link breaks",
    "user": "a dialplan of yours cannot tell this service something by UserEvent()",
}
_ESSENTIAL: Final = frozenset({"call", "agent"})
_LOST_BY_WRITE: Final = {
    "call": "no hang-up and no transfer from the desktop, no parked calls after a reconnect",
    "agent": "agents cannot pause, or sign in to or out of a queue",
    "originate": "no click-to-call",
    "reporting": "no picture of the running calls after a reconnect, no version",
}
_TOO_MUCH: Final = {
    "system": "loads modules, reloads, lifts the limits of Originate",
    "command": "runs any command of the console",
    "config": "reads and writes the PBX's configuration files",
    "dialplan": "rewrites the dialplan",
    "agi": "runs AGI commands on calls",
}
_NEVER_READ: Final = frozenset({"all", "command", "config", "log", "verbose", "dtmf", "security", "agi", "originate"})
_OPTIONAL: Final = {"PJSIPNotify": "the buttons Answer and Hold", "MixMonitor": "starting a recording from the desktop"}


def judge_rights(facts: PbxFacts) -> list[Finding]:
    return [*_writes(facts), *_reads(facts)]


def held_classes(facts: PbxFacts) -> frozenset[str] | None:
    """The write classes of the account: those that alone permit an action it may send."""
    if facts.commands is None:
        return None
    return frozenset(next(iter(classes)) for classes in facts.commands.values() if len(classes) == 1)


def missing_reads(facts: PbxFacts) -> frozenset[str]:
    """Read classes that the account surely lacks."""
    read = _granted_reads(facts)
    missing = set() if read is None else {name for name in _LOST_BY_READ if name not in read and "all" not in read}
    if facts.heard is not None:
        if not facts.heard.booted and read is None:
            missing.add("system")
        if facts.heard.booted:
            missing.discard("system")
        missing -= {event_class(event.name) for event in facts.heard.events}
    return frozenset(missing)


def event_class(name: str) -> str:
    """The class of an event that the service acts upon."""
    if name in {"VarSet", "Newexten"}:
        return "dialplan"
    return "agent" if name.startswith(("Queue", "Agent")) else "call"


def _granted_reads(facts: PbxFacts) -> frozenset[str] | None:
    written = facts.setting("manager.conf", facts.settings.username, "read")
    return _classes(written) if written else None


def _classes(text: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in text.split(",") if part.strip())


def _reads(facts: PbxFacts) -> list[Finding]:
    user, read, missing = facts.settings.username, _granted_reads(facts), missing_reads(facts)
    judged_by = "manager.conf as it stands now" if read is not None else "FullyBooted did not come with the login"
    findings = [
        (error if name in _ESSENTIAL else warning)(
            _HERE,
            f"rights.read_{name}",
            f"[{user}] may not read class {name}",
            lost=_LOST_BY_READ[name],
            change=_line(user, "read", read if read is not None else READ_CLASSES, missing),
            judged_by=judged_by,
        )
        for name in _LOST_BY_READ
        if name in missing
    ]
    findings += _not_in_force(facts, read)
    if read is None:
        by = "judged by the events heard only" if facts.heard is not None and facts.heard.events else "not judged"
        return [
            *findings,
            fine(
                _HERE,
                "rights.read_not_judged",
                f"read classes: {by}; Asterisk does not tell them, and manager.conf could not be asked",
                judged_by=_why_no_config(facts),
            ),
        ]
    surplus = read & _NEVER_READ
    if surplus:
        findings.append(
            warning(
                _HERE,
                "rights.read_too_much",
                f"[{user}] may read {', '.join(sorted(surplus))}: more than this service needs",
                lost="who gets the secret also reads sign-ins, digits that callers type, or the console",
                change=_line(user, "read", READ_CLASSES, ()),
                judged_by=judged_by,
            )
        )
    if not findings:
        findings.append(fine(_HERE, "rights.read", f"read = {','.join(sorted(read))}", judged_by=judged_by))
    if "dialplan" not in read and "all" not in read:
        findings.append(
            fine(
                _HERE,
                "rights.read_dialplan",
                "class dialplan is not read (optional)",
                lost="why a caller left a queue unserved: join_empty and leave_empty show as timeout or failed",
                change=_line(user, "read", read, (*missing, "dialplan")),
            )
        )
    return findings


def _not_in_force(facts: PbxFacts, read: frozenset[str] | None) -> list[Finding]:
    if read is None or facts.heard is None or facts.heard.booted or not read & {"system", "all"}:
        return []
    return [
        warning(
            _HERE,
            "rights.not_in_force",
            "manager.conf grants class system, but the PBX did not say FullyBooted at the login",
            lost="rights that stand in the file only: a start or stop of Asterisk is not told",
            change=Change(file="the Asterisk console", line="manager reload (or wait, where Asterisk is still starting)"),
            judged_by="FullyBooted did not come with the login",
        )
    ]


def _writes(facts: PbxFacts) -> list[Finding]:
    user, held = facts.settings.username, held_classes(facts)
    written = facts.setting("manager.conf", user, "write")
    now = _classes(written) if written else (held or frozenset())
    absent = WRITE_CLASS.keys() & facts.denied if facts.commands is None else WRITE_CLASS.keys() - facts.commands.keys()
    missing = sorted({WRITE_CLASS[action] for action in absent} - (held or frozenset()) - {"system"})
    findings = [
        error(
            _HERE,
            f"rights.write_{name}",
            f"[{user}] may not write class {name}: refused are {', '.join(sorted(a for a in absent if WRITE_CLASS[a] == name))}",
            lost=_LOST_BY_WRITE[name],
            change=_line(user, "write", now, missing),
            judged_by="ListCommands" if facts.commands is not None else "the PBX said: Permission denied",
        )
        for name in missing
    ]
    if held is None:
        why = facts.unasked.get("ListCommands", "")
        return [*findings, fine(_HERE, "rights.write_not_judged", f"write classes: not judged ({why})")]
    findings += _modules(facts, held)
    findings += _too_much(facts, held, now)
    if not findings:
        findings.append(fine(_HERE, "rights.write", f"write = {','.join(sorted(held))}", judged_by="ListCommands"))
    optional = [text for action, text in _OPTIONAL.items() if action in absent and WRITE_CLASS[action] not in held]
    if optional:
        findings.append(fine(_HERE, "rights.optional", f"off, because class system is not granted: {', '.join(optional)}"))
    return findings


def _modules(facts: PbxFacts, held: Collection[str]) -> list[Finding]:
    """Actions for which the right is there and a module is missing."""
    gone: defaultdict[str, list[str]] = defaultdict(list)
    for action, name in WRITE_CLASS.items():
        if name in held and action in MODULE and action not in (facts.commands or {}):
            gone[MODULE[action]].append(action)
    return [
        warning(
            _HERE,
            f"rights.no_module_{module.partition(' ')[0]}",
            f"the PBX does not know the actions {', '.join(sorted(names))}",
            lost="what the desktop does by them",
            change=Change(file="modules.conf", section="modules", line=f"load = {module}"),
            judged_by="ListCommands",
        )
        for module, names in gone.items()
    ]


def _too_much(facts: PbxFacts, held: frozenset[str], now: frozenset[str]) -> list[Finding]:
    surplus = sorted((held & _TOO_MUCH.keys()) | (now & {"all"}))
    if not surplus:
        return []
    powers = "; ".join(f"{name} {_TOO_MUCH[name]}" for name in surplus if name in _TOO_MUCH)
    keep = " (keep system only where the buttons Answer and Hold are wanted)" if "system" in surplus else ""
    return [
        warning(
            _HERE,
            "rights.write_too_much",
            f"[{facts.settings.username}] may write {', '.join(surplus)}: more than this service needs{keep}",
            lost=f"who gets the secret gets the PBX: {powers}",
            change=_line(facts.settings.username, "write", ("call", "agent", "originate", "reporting"), ()),
            judged_by="ListCommands",
        )
    ]


def _line(user: str, name: str, now: Collection[str], added: Iterable[str]) -> Change:
    """The whole line, with the classes in a fixed order: those of now and the added ones."""
    order = (*READ_CLASSES, "originate", "reporting")
    wanted = {*now, *added}
    classes = [*(one for one in order if one in wanted), *sorted(wanted - set(order))]
    return Change(file="manager.conf", section=user, line=f"{name} = {','.join(classes)}")


def _why_no_config(facts: PbxFacts) -> str:
    if "Getvar" in facts.unasked:
        return facts.unasked["Getvar"]
    return "the PBX's module func_config is not loaded" if facts.modules.get("func_config") is False else ""
