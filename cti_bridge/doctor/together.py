"""Judges several PBXs side by side: the same one twice, and names by which their calls can be told apart."""

from collections import defaultdict
from collections.abc import Sequence

from cti_bridge.doctor.facts import PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning


def judge_together(pbxes: Sequence[PbxFacts]) -> list[Finding]:
    """Nothing to say about one PBX."""
    if len(pbxes) < 2:
        return []
    return [*_twice(pbxes), *_system_names(pbxes)]


def have_own_names(pbxes: Sequence[PbxFacts]) -> bool:
    """Whether their Uniqueids cannot be the same: one PBX, or each with a systemname of its own."""
    names = [_system_name(facts) for facts in pbxes]
    return len(names) < 2 or (all(names) and len(set(names)) == len(names))


def _twice(pbxes: Sequence[PbxFacts]) -> list[Finding]:
    """The same process: entity id, start to the second, system name."""
    same: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for facts in pbxes:
        started = [(facts.status or {}).get(name, "") for name in ("CoreStartupDate", "CoreStartupTime")]
        if not all(started):
            continue
        same[facts.variables.get("ENTITYID", ""), *started, _system_name(facts)].append(facts.name)
    return [
        error(
            Subject.CONNECTION,
            "connection.same_pbx",
            f"{' and '.join(names)} are one and the same PBX (same EntityID, same start at {print_[2]})",
            lost="every call is shown, counted and stored twice",
            change=Change(file="cti.toml", section="pbx", line=f'take out one of the sections name = "{names[-1]}"'),
            judged_by="EntityID, CoreStartupTime and SystemName",
        )
        for print_, names in same.items()
        if len(names) > 1
    ]


def _system_names(pbxes: Sequence[PbxFacts]) -> list[Finding]:
    users: defaultdict[str, list[str]] = defaultdict(list)
    for facts in pbxes:
        if facts.core is not None:
            users[_system_name(facts)].append(facts.name)
    wrong = [(system, names) for system, names in users.items() if not system or len(names) > 1]
    if not wrong:
        return [fine(Subject.CONNECTION, "connection.system_names", "each PBX has a systemname of its own")]
    return [
        warning(
            Subject.CONNECTION,
            "connection.system_name",
            f"{', '.join(names)}: " + (f"systemname {system} is shared" if system else "no systemname is set"),
            lost="two PBXs' calls can have the same Uniqueid: this service keeps them apart, "
            "a shared CDR, CEL or queue_log table does not",
            change=Change(file="asterisk.conf", section="options", line=f"systemname = {names[0]} (then restart Asterisk)"),
            judged_by="CoreSettings",
        )
        for system, names in wrong
    ]


def _system_name(facts: PbxFacts) -> str:
    return (facts.core or {}).get("SystemName", "")
