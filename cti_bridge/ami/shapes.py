r"""The shape of every event that is acted upon, and the repair of events that a caller tried to break.

Asterisk writes caller numbers, dialled numbers and account codes into events without escaping, and a SIP caller can put `%0D%0A`
into the user part of From: header lines and whole events forged by anybody who can dial in (measured on 22.10.1). The budget of
such an injection is 79 bytes a value. Four rules make it inert:

1. An event is acted upon only if it has all headers of its shape in Asterisk's own order. The shortest shape is far longer than
   79 bytes (a test counts it), so no injected text can be a whole event.
2. An event that was split by an injection is put together again: the forged text becomes what it is, a strange number.
3. Text between a head and its tail is never taken as an event of its own.
4. An event that ends within a value (a dialled number has room for `Priority`, `Uniqueid` and `Linkedid`) is known by the genuine
   end behind it, in the same read; only a read that is cut exactly there would show the forged end.

Header order is fixed by Asterisk's code (manager_channels.c, manager_bridges.c, app_queue.c; 16 to 22); headers that newer
versions append are tolerated.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

INJECTION_BUDGET = 79
"""Bytes that a caller can place in one value: `char[80]` in res_pjsip.c set_id_from_hdr (22.10.1)."""

_PREAMBLE = r"(?:(?:SequenceNumber|File|Line|Func|Timestamp|SystemName):.*\r\n)*"
_SNAPSHOT = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName",
    "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip
"""Headers of a channel snapshot in Asterisk's order."""
_UNESCAPED = ("CallerIDNum", "ConnectedLineNum", "AccountCode", "Exten")
"""Headers of a snapshot whose values Asterisk writes as the caller sent them."""
_CAPTURED = frozenset(
    {
        "Channel", "ChannelState", "CallerIDNum", "CallerIDName", "Exten", "Uniqueid", "Linkedid", "BridgeUniqueid", "BridgeType",
        "BridgeCreator", "BridgeNumChannels", "Queue", "DialStatus", "MemberName", "Name", "Interface", "Location",
        "StateInterface", "Penalty", "Status", "Paused", "PausedReason", "Application", "AppData",
    }
)  # fmt: skip
"""Headers that the tracker asks for most: taken while the structure is checked, which costs less than to look for them again."""
_PREFIXES = (
    "", "Dest", "LocalOne", "LocalTwo", "Transferer", "Transferee", "OrigTransferer", "SecondTransferer", "TransferTarget",
    "Target", "Parkee", "Retriever", "Spyer", "Spyee", "To", "Orig", "Second",
)  # fmt: skip
CAPTURED = frozenset(prefix + key for prefix in _PREFIXES for key in _CAPTURED)
_BRIDGE = ("BridgeUniqueid", "BridgeType", "BridgeTechnology", "BridgeCreator", "BridgeName", "BridgeNumChannels")
_ASTERISKS_OWN = frozenset(_SNAPSHOT) - frozenset(_UNESCAPED) | frozenset(_BRIDGE)
"""Headers whose values Asterisk makes, escapes, or reads from its own configuration."""


class Step(NamedTuple):
    """One header of a shape: `key` with its colon; `unescaped`: its value may hold injected lines; `any_number`: none to many."""

    key: bytes
    unescaped: bool = False
    any_number: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some headers in a row: a channel's snapshot, a bridge's, or single ones; `extra` ones come in some versions or cases."""

    keys: tuple[str, ...]
    extra: tuple[str, ...] = ()
    prefix: str = ""
    optional: bool = False

    def steps(self) -> tuple[Step, ...]:
        bare = {self.prefix + key for key in _UNESCAPED}
        return tuple(Step(key.encode() + b":", unescaped=key in bare) for key in self.keys) + tuple(
            Step(key.encode(), any_number=True) for key in self.extra
        )

    def pattern(self, *, last: bool) -> str:
        """The last header of a block has no line end any more."""
        steps = [step for step in self.steps() if not (last and step.any_number)]
        text = "".join(self._line(step, ends=not (last and step is steps[-1])) for step in steps)
        return f"(?:{text})?" if self.optional else text

    def _line(self, step: Step, *, ends: bool) -> str:
        """A header is one line, so no value holds a line feed (`.` stops there too); where nobody can place one, the quicker
        pattern does not look for it.
        """
        key = step.key[:-1].decode()
        bare = key.removeprefix(self.prefix)
        if step.any_number:
            return rf"(?:{re.escape(step.key.decode())}.*\r\n)*"
        value = r"[^\r]*+" if bare in _ASTERISKS_OWN else ".*"
        if not ends:
            value = r"[^\r\n]*+"
        end = r"\r\n" if ends else ""
        if bare in _CAPTURED:
            return f"{re.escape(key)}: ?(?P<{key}>{value}){end}"
        return f"{re.escape(key)}:{value}{end}"


@dataclass(frozen=True, slots=True)
class Shape:
    """`strict` matches the beginning of genuine events, as text; `parts` say the same for the repair.
    `only_with`: skip the event at once unless it holds one of these, two at most (dialplan events are many, few matter).
    """

    name: str
    strict: re.Pattern[str]
    parts: tuple[Part, ...]
    only_with: tuple[bytes, ...] = ()

    @property
    def no_more(self) -> str:
        """What must not stand behind the match: a dialled number that ends its snapshot by itself leaves the genuine end there.
        Empty: there is no snapshot.
        """
        ends = [f"\r\n{part.prefix}Linkedid: " for part in self.parts if part.keys[-1:] == (f"{part.prefix}Linkedid",)]
        return ends[-1] if ends else ""

    def orders(self) -> Iterator[tuple[Step, ...]]:
        """The header orders this event may have: with each optional part and without it."""
        choices = [(part.steps(), ()) if part.optional else (part.steps(),) for part in self.parts]
        for chosen in itertools.product(*choices):
            yield tuple(itertools.chain.from_iterable(chosen))


def _channel(prefix: str = "", *, optional: bool = False) -> Part:
    keys = tuple(prefix + key for key in _SNAPSHOT)
    return Part(keys, extra=(prefix + "Tenantid", prefix + "ChanVariable"), prefix=prefix, optional=optional)


def _headers(*keys: str) -> Part:
    return Part(keys)


def _bridge(prefix: str = "", *, optional: bool = False) -> Part:
    keys = tuple(prefix + key for key in _BRIDGE)
    return Part(keys, extra=(prefix + "BridgeVideoSource",), prefix=prefix, optional=optional)


def _member(name: str, interface: str) -> tuple[Part, ...]:
    """A seat as events and listings write it (app_queue.c, Asterisk 16 to 22; LoginTime and InCall came later)."""
    return (
        _headers("Queue", name, interface, "StateInterface", "Membership", "Penalty", "CallsTaken", "LastCall"),
        Part((), extra=("LastPause:", "LoginTime:", "InCall:")),
        _headers("Status", "Paused", "PausedReason"),
    )


def _shape(name: str, *parts: Part, only_with: tuple[bytes, ...] = (), listed: bool = False) -> tuple[str, Shape]:
    # Items of a list carry the ActionID instead of a Privilege (QueueStatus: at their end).
    head = r"(?:ActionID:.*\r\n)?" if listed else r"Privilege: [a-z,]+\r\n" + _PREAMBLE
    pattern = "".join(part.pattern(last=part is parts[-1]) for part in parts)
    return name, Shape(name, re.compile(f"Event: {name}\r\n{head}{pattern}"), parts, only_with)


_APPLICATIONS = (b"\r\nApplication: Queue\r\n", b"\r\nApplication: VoiceMail\r\n")
_PLAIN = (
    "Newchannel", "Newstate", "Hangup", "HangupRequest", "SoftHangupRequest",
    "Hold", "Unhold", "MixMonitorStart", "MessageWaiting",
)  # fmt: skip
_MEMBER_EVENTS = (
    "QueueMemberStatus", "QueueMemberPause", "QueueMemberPenalty", "QueueMemberAdded", "QueueMemberRemoved",
)  # fmt: skip

HINTS = {"FullyBooted": ("Uptime",), "Shutdown": ("Shutdown", "Restart")}
"""Events so short that a caller could forge them whole: they are hints, and nothing is done on their word alone."""

SHAPES: dict[bytes, Shape] = {
    name.encode(): shape
    for name, shape in (
        *(_shape(name, _channel()) for name in _PLAIN),
        _shape("VarSet", _channel(), _headers("Variable"), only_with=(b"\r\nVariable: QUEUESTATUS\r\n",)),
        _shape("Newexten", _channel(), _headers("Extension", "Application", "AppData"), only_with=_APPLICATIONS),
        _shape("UserEvent", _channel(), _headers("UserEvent", "Score"), only_with=(b"\r\nUserEvent: CtiSurvey\r\n",)),
        _shape("DialBegin", _channel(optional=True), _channel("Dest"), _headers("DialString")),
        *(
            _shape(name, _channel(optional=True), _channel("Dest"), Part((), extra=("Forward:",)), _headers("DialStatus"))
            for name in ("DialState", "DialEnd")
        ),
        *(_shape(name, _channel(), _headers("Queue", "Position")) for name in ("QueueCallerJoin", "QueueCallerAbandon")),
        _shape("QueueCallerLeave", _channel(), _headers("Queue", "Position")),
        *(
            _shape(name, _channel(), _channel("Dest", optional=True), _headers("Queue", "Interface", "MemberName"))
            for name in ("AgentCalled", "AgentConnect", "AgentRingNoAnswer")
        ),
        *(_shape(name, _bridge(), _channel()) for name in ("BridgeEnter", "BridgeLeave")),
        _shape("ConfbridgeJoin", _headers("Conference"), _bridge(), _channel()),
        _shape("LocalBridge", _channel("LocalOne"), _channel("LocalTwo")),
        _shape(
            "BlindTransfer",
            _headers("Result"),
            _channel("Transferer"),
            _channel("Transferee", optional=True),
            _bridge(),
            _headers("IsExternal", "Context", "Extension"),
        ),
        _shape(
            "AttendedTransfer",
            _headers("Result"),
            _channel("OrigTransferer"),
            _bridge("Orig", optional=True),
            _channel("SecondTransferer"),
            _bridge("Second", optional=True),
            _channel("Transferee", optional=True),
            _channel("TransferTarget", optional=True),
            _headers("IsExternal", "DestType"),
        ),
        _shape("Pickup", _channel(), _channel("Target")),
        _shape("ParkedCall", _channel("Parkee")),
        _shape(
            "UnParkedCall",
            _channel("Parkee"),
            _channel("Retriever", optional=True),
            _headers("ParkerDialString", "Parkinglot", "ParkingSpace", "ParkingTimeout", "ParkingDuration"),
        ),
        *(_shape(name, _channel("Spyer"), _channel("Spyee", optional=True)) for name in ("ChanSpyStart", "ChanSpyStop")),
        _shape("OriginateResponse", _headers("ActionID", "Response", "Channel", "Context", "Exten", "Reason", "Uniqueid")),
        *(_shape(name, *_member("MemberName", "Interface")) for name in _MEMBER_EVENTS),
        *(_shape(name, _headers(*keys)) for name, keys in HINTS.items()),
    )
}
"""Events of the live stream that are acted upon, by name."""

LISTED: dict[bytes, Shape] = {
    name.encode(): shape
    for name, shape in (
        _shape("CoreShowChannel", _channel(), listed=True),
        _shape("BridgeListItem", _bridge(), listed=True),
        _shape("QueueParams", _headers("Queue", "Max"), listed=True),
        _shape("QueueMember", *_member("Name", "Location"), listed=True),
        _shape("QueueEntry", _headers("Queue", "Position", "Channel", "Uniqueid"), listed=True),
        _shape("ParkedCall", _channel("Parkee"), listed=True),
        _shape("ListDialplan", _headers("Context"), listed=True),
        *(
            _shape(name, _headers("EventList"), listed=True)
            for name in (
                "CoreShowChannelsComplete", "BridgeListComplete", "QueueStatusComplete", "ParkedCallsComplete",
                "ShowDialPlanComplete",
            )
        ),
    )
}  # fmt: skip
"""Items of the resync listings, by name; taken only with the ActionID of a listing that we asked for."""


def restored(shape: Shape, block: bytes) -> bytes | None:
    """The event with the line breaks in its unescaped values C-escaped; None where it is not this shape even so.

    Each value that may hold injected text is read up to the last line, within the budget, from which the rest of the shape goes
    on: the caller's text always stands before the genuine next header.
    """
    lines = block.split(b"\r\n")
    for order in shape.orders():
        start = next((at for at, line in enumerate(lines) if line.startswith(order[0].key)), None)
        if start is None:
            continue
        budget = [_MAX_STEPS]
        ends = _walk(lines, order, 0, start, budget)
        if ends is not None:
            return _joined(lines, start, ends)
    return None


_MAX_STEPS = 2000
"""Tries before a block is given up as no event at all: bounds the work that a hostile block can cause."""


def _walk(lines: list[bytes], order: tuple[Step, ...], step: int, at: int, budget: list[int]) -> tuple[int, ...] | None:
    """For each step from `step` on the index behind its last line, or None where the order cannot be met from line `at`."""
    ends: list[int] = []
    while step < len(order):
        budget[0] -= 1
        key, unescaped, any_number = order[step]
        if any_number:
            while at < len(lines) and lines[at].startswith(key):
                at += 1
                ends.append(at)
            step += 1
            continue
        if budget[0] < 0 or at >= len(lines) or not lines[at].startswith(key):
            return None
        if unescaped and step + 1 < len(order):
            for end in reversed(_candidates(lines, at, order[step + 1].key)):
                rest = _walk(lines, order, step + 1, end, budget)
                if rest is not None:
                    return (*ends, end, *rest)
            return None
        at += 1
        ends.append(at)
        step += 1
    return tuple(ends)


def _candidates(lines: list[bytes], at: int, following: bytes) -> list[int]:
    """Lines behind `at`, within the injection budget, that may be the header after it."""
    found: list[int] = []
    length = 0
    for index in range(at + 1, len(lines)):
        if lines[index].startswith(following):
            found.append(index)
        length += len(lines[index]) + 2
        if length > INJECTION_BUDGET + len(following) + 2:
            break
    return found


def _joined(lines: list[bytes], start: int, ends: tuple[int, ...]) -> bytes:
    out = list(lines[:start])
    at = start
    for end in ends:
        value = b"\r\n".join(lines[at:end])
        if end - at > 1 or b"\n" in value or b"\r" in value:
            value = value.replace(b"\\", b"\\\\").replace(b"\r", b"\\r").replace(b"\n", b"\\n")
        out.append(value)
        at = end
    return b"\r\n".join(out + lines[at:])
