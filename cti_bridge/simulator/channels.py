"""A channel and a bridge as the simulated PBX holds them, and their snapshots on the wire.

Both are mutable and belong to `switch.Switch`, which alone changes them and tells AMI; everybody else reads.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from cti_bridge.simulator.wire import DESCRIPTIONS, UNKNOWN, Header, State, escaped


@dataclass(frozen=True, slots=True)
class Gone:
    """The dialplan's own channel was hung up by its phone or the trunk."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A dialled phone was answered."""

    leg: "Channel"


@dataclass(frozen=True, slots=True)
class LegGone:
    """A dialled phone refused, or the other party of the bridge hung up; `cause` is Q.850."""

    leg: "Channel"
    cause: int


@dataclass(frozen=True, slots=True)
class Moved:
    """The dialplan's channel goes on elsewhere. `transferred`: by a blind transfer of the other party, else by Redirect."""

    context: str
    exten: str
    transferred: bool = False


@dataclass(frozen=True, slots=True)
class GivenAway:
    """The dialplan's channel blind-transferred the party it had dialled, which goes on at `exten`."""

    context: str
    exten: str


@dataclass(frozen=True, slots=True)
class LegMoved:
    """Redirect sent the other party of the bridge elsewhere; this channel is left alone."""

    leg: "Channel"
    context: str
    exten: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """An attended transfer put `leg` into the bridge in place of the party there; `finish` hangs the transferer's lines up.

    In this order because a queue tells AgentComplete while the transferer's channel is still there.
    """

    leg: "Channel"
    finish: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Released:
    """An attended transfer took both parties of this dialplan away; its channel has been hung up."""


@dataclass(frozen=True, slots=True)
class MembersFree:
    """Some queue member's phone or pause changed; a waiting caller may try again."""


Signal = Gone | Answered | LegGone | Moved | LegMoved | GivenAway | Replaced | Released | MembersFree

INBOX = 64
"""Signals that may wait for one dialplan. A call has at most a handful; more is a mistake here and raises QueueFull."""


class Inbox:
    """What happens to the calls of one dialplan, in order. MembersFree is kept at most once."""

    __slots__ = ("_queue", "_stirred")

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Signal] = asyncio.Queue(INBOX)
        self._stirred = False

    def put(self, signal: Signal) -> None:
        if isinstance(signal, MembersFree):
            if self._stirred:
                return
            self._stirred = True
        self._queue.put_nowait(signal)

    async def next(self, until: float | None = None) -> Signal | None:
        """The next signal, or None when loop time `until` has come first."""
        try:
            async with asyncio.timeout_at(until):
                signal = await self._queue.get()
        except TimeoutError:
            if self._queue.empty():
                return None
            signal = self._queue.get_nowait()
        if isinstance(signal, MembersFree):
            self._stirred = False
        return signal


@dataclass(slots=True, kw_only=True, eq=False)
class Channel:
    """One leg. `inbox` is the dialplan that runs on it, `dialled_by` the dialplan that dialled it (never both at first)."""

    name: str
    uniqueid: str
    linkedid: str
    endpoint: str
    state: State
    number: str | None
    caller_name: str | None
    context: str
    exten: str
    created_at: float
    generation: int
    """Which channel, counted from 0, gave this one its Linkedid: the older wins when two meet in a bridge."""
    priority: int = 1
    connected_number: str | None = None
    connected_name: str | None = None
    application: str = ""
    application_data: str = ""
    dnid: str = ""
    typed: str = ""
    """The customer number that the caller typed when the dialplan asked for it."""
    bridge: "Bridge | None" = None
    inbox: Inbox | None = None
    dialled_by: Inbox | None = None
    music: bool = False
    holding: bool = False
    """This phone pressed hold."""
    held: bool = False
    """The other party put this one on hold (Asterisk counts the hold against the channel that hears the music)."""
    tech_cause: int | None = None
    """The SIP status that ended it, where that was out of the ordinary (`TechCause`, since Asterisk 22.7)."""
    ending: bool = False
    """Somebody has asked for its end; a second request changes nothing."""
    gone: bool = False

    @property
    def device(self) -> str:
        return f"PJSIP/{self.endpoint}"

    def snapshot(self) -> list[Header]:
        """The fourteen headers that every channel event carries, in Asterisk 22's order."""
        return [
            ("Channel", self.name),
            ("ChannelState", str(self.state.value)),
            ("ChannelStateDesc", DESCRIPTIONS[self.state]),
            ("CallerIDNum", self.number or UNKNOWN),
            ("CallerIDName", escaped(self.caller_name) if self.caller_name else UNKNOWN),
            ("ConnectedLineNum", self.connected_number or UNKNOWN),
            ("ConnectedLineName", escaped(self.connected_name) if self.connected_name else UNKNOWN),
            ("Language", "en"),
            ("AccountCode", ""),
            ("Context", self.context),
            ("Exten", self.exten),
            ("Priority", str(self.priority)),
            ("Uniqueid", self.uniqueid),
            ("Linkedid", self.linkedid),
        ]


@dataclass(slots=True, kw_only=True, eq=False)
class Bridge:
    """Two channels that hear each other."""

    uniqueid: str
    channels: list[Channel] = field(default_factory=list)

    def snapshot(self) -> list[Header]:
        return [
            ("BridgeUniqueid", self.uniqueid),
            ("BridgeType", "basic"),
            ("BridgeTechnology", "simple_bridge"),
            ("BridgeCreator", UNKNOWN),
            ("BridgeName", UNKNOWN),
            ("BridgeNumChannels", str(len(self.channels))),
            ("BridgeVideoSourceMode", "none"),
        ]

    def other(self, channel: Channel) -> Channel | None:
        return next((one for one in self.channels if one is not channel), None)
