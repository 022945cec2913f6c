"""Channels and bridges as the PBX has them: who is connected to whom, through Local pairs too.

Linkedid is a hint only: it merges silently and glues two customers' calls after a transfer (AMI.md, Asterisk 22). What counts is
who dialled whom and who shares a bridge.
"""

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cti_bridge.tracking.draft import CallDraft, OfferDraft

_DEVICE: Final = re.compile(r"(?:AsyncGoto/)?(?:PJSIP|SIP|IAX2|SCCP|DAHDI)/(.+?)(?:-[0-9a-f]{8})?(?:<ZOMBIE>)?\Z")
_LOCAL: Final = re.compile(r"Local/(.+?)@(.+?)(?:-[0-9a-f]{8};[12])?\Z")
_INTERFACE: Final = re.compile(r"(?:PJSIP|SIP|IAX2|SCCP|Local)/([^@/;-]+)")


class Kind(Enum):
    AGENT = "agent"
    TRUNK = "trunk"
    LOCAL = "local"
    OTHER = "other"


PHONES: Final = (Kind.AGENT, Kind.TRUNK)
"""Whoever may have the customer; the rest only stands in between."""

RING: Final = "4"
RINGING: Final = "5"
UP: Final = "6"
BUSY: Final = "7"
"""ChannelState of an incoming call that is not answered, of a phone that rings, of one that is answered, of a refused one."""


class Channel:
    """One channel of the PBX. `call` is the call it is a leg of; `consults` the customer's call its agent asks advice for;
    `target` whom it dialled last, `dialler` who dials it, as the last event about the pair said;
    `heir` who stands in its place after a transfer, while it is there in name only.

    `seen_at` is when the stream first told of it, which for one found by a listing is later than `created_at`.
    """

    __slots__ = (
        "bridge", "call", "cause", "consults", "created_at", "dialled", "dialler", "endpoint", "exten", "hangup_at",
        "heir", "kind", "left_bridge", "linkedid", "name", "number", "offer", "originating", "queue", "released",
        "ringing_at", "seen_at", "soft_hangup_at", "spying", "state", "target", "twin", "uid", "unheld_at", "up_at",
    )  # fmt: skip

    def __init__(self, uid: str, name: str, kind: Kind, endpoint: str, at: float) -> None:
        self.uid = uid
        self.name = name
        self.kind = kind
        self.endpoint = endpoint
        self.created_at = at
        self.seen_at = at
        self.state = "0"
        self.exten = ""
        self.linkedid = uid
        self.number: str | None = None
        self.call: CallDraft | None = None
        self.consults: CallDraft | None = None
        self.offer: OfferDraft | None = None
        self.twin: Channel | None = None
        self.bridge: Bridge | None = None
        self.left_bridge = ""
        self.cause = ""
        self.dialled = False
        self.originating = False
        self.target: Channel | None = None
        self.dialler: Channel | None = None
        self.heir: Channel | None = None
        self.queue: str | None = None
        self.spying = False
        self.released = False
        self.ringing_at: float | None = None
        self.up_at: float | None = None
        self.hangup_at: float | None = None
        self.soft_hangup_at: float | None = None
        self.unheld_at: float | None = None

    def made_before(self, other: "Channel") -> bool:
        """By the counter at the end of a Uniqueid, which Asterisk raises with each channel."""
        mine, theirs = self.uid.rpartition(".")[2], other.uid.rpartition(".")[2]
        return (len(mine), mine) < (len(theirs), theirs)

    @property
    def owner(self) -> "CallDraft | None":
        """The call that whatever this channel dials belongs to."""
        return self.call or self.consults


class Bridge:
    """`entered_at`: when the last of its members came."""

    __slots__ = ("conference", "entered_at", "members", "parking", "uid")

    def __init__(self, uid: str, at: float, *, parking: bool, conference: bool) -> None:
        self.uid = uid
        self.parking = parking
        self.conference = conference
        self.members: list[Channel] = []
        self.entered_at = at


class Channels:
    """All live channels and bridges of one PBX. `internal` tells agents' phones from trunks by endpoint name."""

    def __init__(self, internal: re.Pattern[str]) -> None:
        self.internal = internal
        self._live: dict[str, Channel] = {}
        self._bridges: dict[str, Bridge] = {}
        self._halves: dict[str, Channel] = {}
        self._ended: set[str] = set()
        self._ended_order: deque[str] = deque()

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._live.values()))

    def get(self, uid: str) -> Channel | None:
        return self._live.get(uid)

    def has_ended(self, uid: str) -> bool:
        """True for a channel whose Hangup was seen: late and repeated events must not bring it back."""
        return uid in self._ended

    def create(self, uid: str, name: str, at: float) -> Channel:
        kind, endpoint = self.classify(name)
        channel = self._live[uid] = Channel(uid, name, kind, endpoint, at)
        if kind is Kind.LOCAL:
            self._pair_halves(channel)
        return channel

    def _pair_halves(self, half: Channel) -> None:
        """The two halves of a Local channel are one leg, `;1` and `;2` of one name."""
        whole = half.name[:-2]
        other = self._halves.pop(whole, None)
        if other is None:
            self._halves[whole] = half
        else:
            half.twin, other.twin = other, half

    def classify(self, name: str) -> tuple[Kind, str]:
        """What a channel name (or interface) stands for, and its endpoint: `PJSIP/1001-0000002a` is agent 1001."""
        if match := _DEVICE.match(name):
            endpoint = match[1]
            return (Kind.AGENT if self.internal.match(endpoint) else Kind.TRUNK), endpoint
        if match := _LOCAL.match(name):
            return Kind.LOCAL, match[1]
        return Kind.OTHER, name

    def is_internal(self, number: str) -> bool:
        return self.internal.match(number) is not None

    def of_agent(self, extension: str) -> Iterator[Channel]:
        return (c for c in self._live.values() if c.kind is Kind.AGENT and c.endpoint == extension)

    def remove(self, channel: Channel) -> None:
        """Forgets a channel after its Hangup; the last 50,000 are remembered as ended."""
        self.leave(channel)
        self._live.pop(channel.uid, None)
        if channel.twin is not None:
            channel.twin.twin = None
        elif channel.kind is Kind.LOCAL:
            self._halves.pop(channel.name[:-2], None)
        self.remember_ended(channel.uid)

    def remember_ended(self, uid: str) -> None:
        """Late and repeated events of this channel are ignored from now on."""
        if uid and uid not in self._ended:
            self._ended.add(uid)
            self._ended_order.append(uid)
            if len(self._ended_order) > 50_000:
                self._ended.discard(self._ended_order.popleft())

    def forget_ended(self, uid: str) -> None:
        """Its events are heard again."""
        self._ended.discard(uid)

    def enter(self, channel: Channel, bridge_uid: str, at: float, *, parking: bool, conference: bool) -> Bridge:
        bridge = self._bridges.get(bridge_uid)
        if bridge is None:
            bridge = self._bridges[bridge_uid] = Bridge(bridge_uid, at, parking=parking, conference=conference)
        if channel.bridge is not bridge:
            self.leave(channel)
            channel.bridge = bridge
            bridge.members.append(channel)
            bridge.entered_at = at
        return bridge

    def bridge(self, uid: str) -> Bridge | None:
        return self._bridges.get(uid)

    def leave(self, channel: Channel) -> None:
        bridge = channel.bridge
        if bridge is None:
            return
        channel.bridge = None
        channel.left_bridge = bridge.uid
        bridge.members.remove(channel)
        if not bridge.members:
            self._bridges.pop(bridge.uid, None)

    def connected(self, start: Bridge | None) -> list[Channel]:
        """Everybody who hears each other in this bridge, through Local pairs into further ones; nobody in a parking lot."""
        if start is None or start.parking:
            return []
        seen = [start]
        found: list[Channel] = []
        for bridge in seen:
            for channel in bridge.members:
                found.append(channel)
                if channel.kind is Kind.LOCAL and channel.twin is not None:
                    beyond = channel.twin.bridge
                    if beyond is not None and beyond not in seen and not beyond.parking:
                        seen.append(beyond)
        return found


@lru_cache(maxsize=4096)
def extension_of(interface: str) -> str:
    """The agent's extension in a queue member's interface: `PJSIP/1003` and `Local/1003@agents/n` are 1003."""
    match = _INTERFACE.match(interface)
    return match[1] if match else interface
