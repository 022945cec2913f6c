"""The channels of one group of CEL rows, replayed: who was in which bridge, and who could hear whom, at each row.

Independent of cti_bridge.tracking on purpose: it checks the tracker. Membership is told by bridges, Local pairs and what CEL says
of transfers; Linkedid is used only for who dialled a leg. Pure; Asterisk 22.
"""

import re
from dataclasses import dataclass, field
from enum import Enum

from cti_bridge.record.rows import CelRow

_DEVICE = re.compile(r"(?:AsyncGoto/)?(?:PJSIP|SIP|IAX2|SCCP|DAHDI)/(.+?)(?:-[0-9a-f]{8})?(?:<ZOMBIE>)?", re.DOTALL)
_LOCAL = re.compile(r"(?:Local/(.+?)@.+)", re.DOTALL)
_DIALLING = frozenset({"Dial", "Queue", "Page", "RetryDial"})
PARKING = "holding_bridge"


class Kind(Enum):
    AGENT = "agent"
    TRUNK = "trunk"
    LOCAL = "local"
    OTHER = "other"


def classify(channel: str, internal: re.Pattern[str]) -> tuple[Kind, str]:
    """What a channel name stands for, and its endpoint: `PJSIP/1001-0000002a` is agent 1001."""
    if match := _DEVICE.fullmatch(channel):
        return (Kind.AGENT if internal.match(match[1]) else Kind.TRUNK), match[1]
    if match := _LOCAL.fullmatch(channel):
        return Kind.LOCAL, match[1]
    return Kind.OTHER, channel


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """One channel. `root` is the Linkedid it began with; `dialled`: the PBX called it, it did not call."""

    uid: str
    name: str
    kind: Kind
    endpoint: str
    began: float
    exten: str
    number: str
    caller_name: str
    root: str
    linkedid: str
    dialled: bool
    bridge: str = ""
    application: str = ""
    data: str = ""
    busy_since: float = 0.0
    """When the present application began."""
    queues: list[str] = field(default_factory=list)
    answered: float | None = None
    ended: float | None = None
    cause: int | None = None
    hung_up_by: str = ""
    dial_status: str = ""
    released: bool = False
    """Let go of the customer by a transfer; what it does after is no talk."""
    spying: bool = False
    number_dialled: str = ""
    shown_number: str = ""
    """The caller's number when last seen: of a click-to-call's phone, the number that it is to call."""
    twin: "Leg | None" = None
    met: "list[Leg]" = field(default_factory=list)
    """Whom it was bridged with, the latest last."""
    left_first: bool = False
    """Of its last bridge: it went while the others were still in it."""

    @property
    def is_second_half(self) -> bool:
        """The half of a Local channel that runs the dialplan."""
        return self.kind is Kind.LOCAL and self.name.endswith(";2")


class Legs:
    """All legs of a group, as they are after the rows fed so far."""

    def __init__(self, internal: re.Pattern[str]) -> None:
        self._internal = internal
        self.all: dict[str, Leg] = {}
        self._live: dict[str, Leg] = {}
        self.by_name: dict[str, Leg] = {}
        self._bridges: dict[str, list[Leg]] = {}
        self._parking: set[str] = set()

    def feed(self, row: CelRow) -> Leg | None:
        """Takes one row; returns its leg, None where the leg's beginning is not in the record."""
        leg = self.all.get(row.uniqueid)
        if leg is None:
            return self._begin(row) if row.type == "CHAN_START" else None
        leg.linkedid = row.linkedid or leg.linkedid
        if row.number:
            leg.shown_number = row.number
        match row.type:
            case "ANSWER":
                leg.answered = leg.answered or row.at
                leg.dialled = leg.dialled or row.application == "AppDial2"
            case "APP_START":
                self._application(leg, row)
            case "APP_END" if leg.application == row.application:
                leg.application = leg.data = ""
                leg.spying = False
            case "BRIDGE_ENTER":
                self._enter(leg, row)
            case "BRIDGE_EXIT":
                self._leave(leg)
            case "HANGUP":
                self._hang_up(leg, row)
            case "CHAN_END":
                self._leave(leg)
                leg.ended = leg.ended or row.at
                self._live.pop(leg.uid, None)
            case _:
                pass
        return leg

    def connected(self, leg: Leg) -> list[Leg]:
        """Everybody who hears `leg` now, through Local pairs too; nobody where it is parked."""
        seen = [leg.bridge] if leg.bridge and leg.bridge not in self._parking else []
        found: list[Leg] = []
        for bridge in seen:
            for member in self._bridges.get(bridge, ()):
                found.append(member)
                beyond = member.twin.bridge if member.twin is not None else ""
                if beyond and beyond not in seen and beyond not in self._parking:
                    seen.append(beyond)
        return [member for member in found if member is not leg]

    def dialler_of(self, leg: Leg) -> Leg | None:
        """Whose Dial() or Queue() began this leg: one that shares its first Linkedid, and names it where one does."""
        if leg.kind is Kind.LOCAL and leg.is_second_half:
            return leg.twin
        alive = (other for other in self._live.values() if other.ended is None and other is not leg)
        others = [other for other in alive if leg.root in {other.linkedid, other.root}]
        busy = [other for other in others if other.application in _DIALLING]
        named = [other for other in busy if other.application != "Queue" and _names(other.data, leg)]
        waiting = [other for other in busy if not other.bridge]
        for choice in (named, waiting, busy):
            if choice:
                return choice[-1]
        return None

    def _begin(self, row: CelRow) -> Leg:
        kind, endpoint = classify(row.channel, self._internal)
        called_by_pbx = kind is not Kind.TRUNK and row.uniqueid == row.linkedid and row.exten in {"", "s"}
        leg = Leg(
            uid=row.uniqueid,
            name=row.channel,
            kind=kind,
            endpoint=endpoint,
            began=row.at,
            exten=row.exten,
            number=row.number,
            caller_name=row.name,
            root=row.linkedid or row.uniqueid,
            linkedid=row.linkedid or row.uniqueid,
            dialled=row.uniqueid != row.linkedid or called_by_pbx or kind is Kind.LOCAL,
        )
        self.all[leg.uid] = self._live[leg.uid] = self.by_name[leg.name] = leg
        if kind is Kind.LOCAL:
            leg.twin = self.by_name.get(leg.name[:-1] + ("1" if leg.is_second_half else "2"))
            if leg.twin is not None:
                leg.twin.twin = leg
        return leg

    def _application(self, leg: Leg, row: CelRow) -> None:
        leg.application, leg.data, leg.busy_since = row.application, row.data, row.at
        if row.application == "Queue":
            leg.queues.append(row.data.partition(",")[0])
        elif row.application == "Dial":
            leg.number_dialled = number_in(row.data) or leg.number_dialled
        elif row.application == "ChanSpy":
            leg.spying = True

    def _enter(self, leg: Leg, row: CelRow) -> None:
        self._leave(leg)
        leg.bridge = str(row.extra.get("bridge_id") or "")
        if row.extra.get("bridge_technology") == PARKING:
            self._parking.add(leg.bridge)
        members = self._bridges.setdefault(leg.bridge, [])
        for other in members:
            other.met.append(leg)
        leg.met.extend(members)
        members.append(leg)
        leg.released = False

    def _leave(self, leg: Leg) -> None:
        if leg.bridge:
            self._bridges[leg.bridge].remove(leg)
            leg.left_first = bool(self._bridges[leg.bridge])
            leg.bridge = ""

    def _hang_up(self, leg: Leg, row: CelRow) -> None:
        self._leave(leg)
        leg.ended = row.at
        cause = row.extra.get("hangupcause")
        leg.cause = cause if isinstance(cause, int) else None
        leg.hung_up_by = str(row.extra.get("hangupsource") or "")
        leg.dial_status = str(row.extra.get("dialstatus") or "")
        leg.dialled = leg.dialled or row.application == "AppDial2"


def number_in(data: str) -> str:
    """`0698765432` of the dial string `PJSIP/0698765432@trunk,30` or `SIP/trunk/0698765432`; "" for an agent's `PJSIP/1001`."""
    dialled = data.partition(",")[0].partition("&")[0].partition("/")[2]
    number, at_sign, _ = dialled.partition("@")
    if at_sign:
        return number
    return dialled.rpartition("/")[2] if "/" in dialled else ""


def _names(data: str, leg: Leg) -> bool:
    destinations = data.partition(",")[0].split("&")
    return any(
        destination.partition("/")[2] in {leg.endpoint, leg.name.partition("/")[2].rpartition("-")[0]}
        or destination.endswith(f"@{leg.endpoint}")
        or destination.partition("/")[2].startswith(f"{leg.endpoint}/")
        for destination in destinations
    )
