"""Judges whether the events that matter arrive: what the configuration keeps back, and what was missed while listening.

Three things hide events: a read class (see `rights`), `disabledevents` for everybody, `eventfilter` for the account. The first
form of a filter, a regular expression over the whole event, is tried on the event's first lines; the newer form
`eventfilter(action(exclude),name(X))` is looked for in its usual spellings. Whatever else there may be shows by listening: a
channel that is gone from the second listing must have been told by a Hangup.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from cti_bridge.doctor.facts import ConfigKey, Heard, PbxFacts
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning
from cti_bridge.doctor.questions import FILTER_FORMS, FILTERED, MAX_FILTERS
from cti_bridge.doctor.rights import event_class, missing_reads

_HERE: Final = Subject.EVENTS
_LOST: Final = {
    "Newchannel": "calls are not seen when they come in",
    "Hangup": "calls never end: they stay on the board, and agents stay busy, until the next resync",
    "Newstate": "phones that ring are not seen",
    "DialBegin": "who is called is not seen: no pop for direct calls and transfers",
    "DialEnd": "rings are not seen to end",
    "BridgeEnter": "who talks with whom is not seen: no talk times, no answered calls",
    "BridgeLeave": "talks are not seen to end",
    "QueueCallerJoin": "waiting callers are not seen",
    "QueueCallerLeave": "callers wait for ever on the board",
    "QueueCallerAbandon": "abandoned calls are not told from others",
    "AgentCalled": "offers to agents are not seen: no pop for calls from a queue",
    "AgentConnect": "the agent who took a queue's call is not seen",
    "QueueMemberStatus": "agents' states on the board do not change",
    "QueueMemberPause": "pauses on the board do not change",
    "AttendedTransfer": "attended transfers are not recorded",
    "BlindTransfer": "blind transfers are not recorded",
    "Hold": "hold times are not recorded",
}
_EMPTY: Final = "(empty: without the line Asterisk keeps the old list until it is restarted)"
"""Seen on 22.10.1: a reload of a manager.conf that has no such line does not clear what the line said before."""
_ESSENTIAL: Final = frozenset(
    {"Newchannel", "Hangup", "Newstate", "DialBegin", "DialEnd", "BridgeEnter", "BridgeLeave", "QueueCallerJoin"}
    | {"QueueCallerLeave", "QueueCallerAbandon", "AgentCalled", "AgentConnect", "QueueMemberStatus"}
)


class Hidden(NamedTuple):
    """An event that does not arrive, why, and the line that does it (or is to be looked for)."""

    name: str
    how: str
    change: Change


class Missed(NamedTuple):
    """An event that must have happened between the listings and was not told."""

    name: str
    example: str


def judge_events(facts: PbxFacts) -> list[Finding]:
    hidden = list(hidden_by_configuration(facts))
    known = {one.name for one in hidden}
    unread = missing_reads(facts)
    missed = {one.name: one for one in missed_events(facts.heard)} if facts.heard is not None else {}
    findings = [_finding(one.name, one.how, one.change, "manager.conf as it stands now") for one in hidden]
    findings += [
        _finding(
            one.name,
            f"it was not told: {one.example}",
            Change(
                file="manager.conf",
                section=facts.settings.username,
                line=f"(take out the eventfilter that keeps {one.name} back; or add {event_class(one.name)} to read; or, where "
                f"[general] once disabled it, write an empty `disabledevents =`; then manager reload)",
            ),
            f"two listings compared over {facts.heard.seconds:.1f} s" if facts.heard is not None else "",
        )
        for one in missed.values()
        if one.name not in known and event_class(one.name) not in unread
    ]
    findings += _unjudged_filters(facts)
    if facts.heard is not None and not findings:
        findings.append(_all_told(facts, facts.heard))
    return [*findings, *_timestamps(facts)]


def _finding(name: str, how: str, change: Change, judged_by: str) -> Finding:
    return (error if name in _ESSENTIAL else warning)(
        _HERE,
        f"events.hidden_{name.lower()}",
        f"{name} does not arrive: {how}",
        lost=_LOST.get(name, "a part of some calls is not seen"),
        change=change,
        judged_by=judged_by,
    )


def hidden_by_configuration(facts: PbxFacts) -> Iterator[Hidden]:
    """What manager.conf keeps back for sure."""
    user = facts.settings.username
    disabled = (facts.setting("manager.conf", "general", "disabledevents") or "").split(",")
    lower = {name.strip().lower() for name in disabled}
    left = ",".join(name.strip() for name in disabled if name.strip() and name.strip().lower() not in _lower(FILTERED))
    for name in FILTERED:
        if name.lower() in lower:
            yield Hidden(
                name,
                "disabledevents drops it for everybody",
                Change(file="manager.conf", section="general", line=f"disabledevents = {left}{'' if left else _EMPTY}"),
            )
    includes, excludes = _plain_filters(facts)
    for name in FILTERED:
        sample = f"Event: {name}\r\nPrivilege: {event_class(name)},all\r\n"
        by = next((text for text in excludes if _matches(text[1:], sample)), None)
        if by is not None:
            line = f"(take out) eventfilter = {by}"
            yield Hidden(name, f"eventfilter = {by}", Change(file="manager.conf", section=user, line=line))
        elif includes and all(_by_name_only(text) and not _matches(text, sample) for text in includes):
            line = f"eventfilter = Event: {name}"
            yield Hidden(name, "no eventfilter lets it through", Change(file="manager.conf", section=user, line=line))
    for form in FILTER_FORMS:
        for name in FILTERED:
            key = form.format(name)
            value = facts.setting("manager.conf", user, key)
            if value is not None and value != "":
                line = f"(take out) {key} = {value}"
                yield Hidden(name, key, Change(file="manager.conf", section=user, line=line))


def _lower(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _plain_filters(facts: PbxFacts) -> tuple[list[str], list[str]]:
    """The account's filters of the older form: those that let through, those (with `!`) that keep back."""
    user = facts.settings.username
    config = facts.config or {}
    texts = [config.get(ConfigKey("manager.conf", user, "eventfilter", index), "") for index in range(MAX_FILTERS)]
    told = [text for text in dict.fromkeys(texts) if text]
    return [text for text in told if not text.startswith("!")], [text for text in told if text.startswith("!")]


def _matches(expression: str, sample: str) -> bool:
    """As Asterisk's regexec would, for expressions that Python reads alike; others match nothing here."""
    try:
        return re.search(expression, sample) is not None
    except re.error:
        return False


def _by_name_only(expression: str) -> bool:
    """An expression about another header may let any event through."""
    return "Event" in expression


def _unjudged_filters(facts: PbxFacts) -> list[Finding]:
    includes, excludes = _plain_filters(facts)
    others = [text for text in (*includes, *excludes) if "Event" not in text]
    return [
        warning(
            _HERE,
            "events.filter",
            f"eventfilter = {text}",
            lost="events that this line keeps back; it looks at their contents, so only listening shows which",
            change=Change(file="manager.conf", section=facts.settings.username, line=f"(take out) eventfilter = {text}"),
            judged_by="manager.conf as it stands now",
        )
        for text in others
    ]


def missed_events(heard: Heard) -> Iterator[Missed]:
    """What two listings differ in and no event told. One example for each event's name."""
    if heard.before is None or heard.after is None:
        return
    told = {(event.name, event.subject) for event in heard.events}
    before, after = heard.before, heard.after
    found: dict[str, Missed] = {}

    def must_have(name: str, subject: str, what: str) -> None:
        if (name, subject) not in told:
            found.setdefault(name, Missed(name, what))

    for uniqueid, channel in before.channels.items():
        if uniqueid not in after.channels:
            must_have("Hangup", uniqueid, f"{channel} has ended")
    for uniqueid, channel in after.channels.items():
        if uniqueid not in before.channels:
            must_have("Newchannel", uniqueid, f"{channel} has begun")
    for queue, uniqueid in before.waiting - after.waiting:
        must_have("QueueCallerLeave", uniqueid, f"a caller has left {queue}")
    for queue, uniqueid in after.waiting - before.waiting:
        must_have("QueueCallerJoin", uniqueid, f"a caller has come to {queue}")
    for seat, (status, paused) in after.members.items():
        was = before.members.get(seat)
        if was is None:
            continue
        queue, interface = seat
        if was[1] != paused:
            must_have("QueueMemberPause", interface, f"{interface} was paused or unpaused in {queue}")
        elif was[0] != status:
            must_have("QueueMemberStatus", interface, f"{interface} changed its state in {queue}")
    yield from found.values()


def _all_told(facts: PbxFacts, heard: Heard) -> Finding:
    counted = Counter(event.name for event in heard.events)
    what = ", ".join(f"{count} {name}" for name, count in counted.most_common(5)) or "none: the PBX is quiet"
    compared = _changes(heard)
    seen = (
        "no filter in manager.conf keeps back what is needed" if facts.config is not None else "manager.conf was not to be read"
    )
    return fine(
        _HERE,
        "events.heard",
        f"events heard in {heard.seconds:.1f} s: {what}",
        judged_by=f"{seen}; {compared}",
    )


def _changes(heard: Heard) -> str:
    if heard.before is None or heard.after is None:
        return "the listings to compare with were not to be had"
    ended = len(heard.before.channels.keys() - heard.after.channels.keys())
    begun = len(heard.after.channels.keys() - heard.before.channels.keys())
    if not ended + begun:
        return "no channel began or ended meanwhile: a filter by contents would show only with calls (--listen 15)"
    return f"{begun} channels began and {ended} ended meanwhile, and all were told"


def _timestamps(facts: PbxFacts) -> list[Finding]:
    told = facts.heard.timestamped if facts.heard is not None else None
    is_on = told if told is not None else facts.is_on("manager.conf", "general", "timestampevents", default=False)
    judged_by = "the events heard" if told is not None else "manager.conf as it stands now"
    if is_on is None:
        return []
    if is_on:
        return [fine(_HERE, "events.timestamps", "events carry the PBX's own time", judged_by=judged_by)]
    return [
        warning(
            _HERE,
            "events.timestamps",
            "events carry no time",
            lost="times are those of receipt: a slow moment of the network shows in waits, and a trace needs its .ts file",
            change=Change(file="manager.conf", section="general", line="timestampevents = yes"),
            judged_by=judged_by,
        )
    ]
