"""The switch: channels, bridges and device states, and the AMI events that each change of them emits.

Everything that happens to a channel goes through here, one method for one step, so that state and event cannot part.
Synchronous throughout: a step is whole before another begins. Who does which steps in which order is the business of
`dialplan`, `queue_app`, `dial` and `transfers`.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from random import Random

from cti_bridge.simulator.channels import Bridge, Channel
from cti_bridge.simulator.wire import CAUSES, Header, State, prefixed

Emit = Callable[[str, str, Sequence[Header]], None]
"""`(event name, class, headers)`; the AMI server's side."""

MOST_CHANNELS = 1000
"""No new call beyond this many channels; legs that a call dials are bounded by the number of agents."""
WATCHERS = 1000
_PRESENTATION = ("CID-CallingPres", "0 (Presentation Allowed, Not Screened)")


class SwitchFull(Exception):
    """No more channels: the simulated PBX has a bound like every real one."""


class Switch:
    """`now` gives Unix seconds; `random` makes bridge ids, so that a seed repeats a whole run."""

    def __init__(self, *, emit: Emit, now: Callable[[], float], random: Random) -> None:
        self._emit_to_ami = emit
        self.now = now
        self._random = random
        self._channel_count = 0
        self._unsettled: set[str] = set()
        self._told: dict[str, str] = {}
        self._watchers: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.processed_calls = 0
        self.on_device_state: Callable[[str, str], None] = lambda _device, _state: None
        self.on_ringing: Callable[[Channel], None] = lambda _leg: None

    def emit(self, name: str, event_class: str, headers: Sequence[Header]) -> None:
        self._emit_to_ami(name, event_class, headers)
        self._wake_watchers()

    def call_event(self, name: str, channel: Channel, *extra: Header) -> None:
        self.emit(name, "call", [*channel.snapshot(), *extra])

    # -- channels

    def new_channel(
        self,
        endpoint: str,
        *,
        state: State,
        number: str | None,
        caller_name: str | None,
        context: str,
        exten: str = "s",
        requester: Channel | None = None,
        uniqueid: str | None = None,
    ) -> Channel:
        """A fresh channel, told as Newchannel; it takes the Linkedid of its `requester` (none for a call's first channel).

        `uniqueid` is the text given with Originate's ChannelId, used as it is.

        Raises:
            SwitchFull: a new call while 1000 channels are up.
        """
        if requester is None and len(self.channels) >= MOST_CHANNELS:
            raise SwitchFull(f"{MOST_CHANNELS} channels are up")
        count, self._channel_count = self._channel_count, self._channel_count + 1
        uniqueid = uniqueid or f"{int(self.now())}.{count}"
        channel = Channel(
            name=f"PJSIP/{endpoint}-{count:08x}",
            uniqueid=uniqueid,
            linkedid=requester.linkedid if requester else uniqueid,
            endpoint=endpoint,
            state=state,
            number=number,
            caller_name=caller_name,
            context=context,
            exten=exten,
            created_at=self.now(),
            generation=requester.generation if requester else count,
        )
        if requester is None:
            self.processed_calls += 1
        self.channels[channel.name] = channel
        self.call_event("Newchannel", channel)
        self._touch(channel)
        return channel

    def set_state(self, channel: Channel, state: State) -> None:
        channel.state = state
        self.call_event("Newstate", channel)
        self._touch(channel)
        if state is State.RINGING:
            self.on_ringing(channel)

    def set_caller(self, channel: Channel, number: str | None, name: str | None) -> None:
        channel.number, channel.caller_name = number, name
        self.call_event("NewCallerid", channel, _PRESENTATION)

    def set_connected(self, channel: Channel, number: str | None, name: str | None) -> None:
        channel.connected_number, channel.connected_name = number, name
        self.call_event("NewConnectedLine", channel)

    def hangup_request(self, channel: Channel, cause: int | None = None) -> None:
        """The far side (phone or trunk) wants to end; `cause` is told where the driver knew it."""
        known = [] if cause is None else [("Cause", str(cause))]
        self.call_event("HangupRequest", channel, *known, *_tech_cause(channel))

    def soft_hangup(self, channel: Channel, cause: int = 16) -> None:
        self.call_event("SoftHangupRequest", channel, ("Cause", str(cause)), *_tech_cause(channel))

    def hang_up(self, channel: Channel, cause: int = 16) -> None:
        """The channel's end; harmless on one that has ended."""
        if channel.gone:
            return
        channel.gone = True
        del self.channels[channel.name]
        self._touch(channel)
        told = (("Cause", str(cause)), ("Cause-txt", CAUSES.get(cause, "Unknown")))
        self.call_event("Hangup", channel, *told, *_tech_cause(channel))

    def lines(self, endpoint: str) -> list[Channel]:
        """The live channels of one phone, oldest first."""
        return [channel for channel in self.channels.values() if channel.endpoint == endpoint]

    # -- dialling

    def dial_begin(self, caller: Channel | None, leg: Sequence[Header], dialled: str) -> None:
        """`leg` is a snapshot: Asterisk tells an older one here than in AgentCalled."""
        self.emit("DialBegin", "call", [*_party(caller), *prefixed("Dest", leg), ("DialString", dialled)])

    def dial_state(self, caller: Channel | None, leg: Channel) -> None:
        self.emit("DialState", "call", [*_party(caller), *prefixed("Dest", leg.snapshot()), ("DialStatus", "RINGING")])

    def dial_end(self, caller: Channel | None, leg: Channel, status: str) -> None:
        self.emit("DialEnd", "call", [*_party(caller), *prefixed("Dest", leg.snapshot()), ("DialStatus", status)])

    # -- bridges

    def connect(self, first: Channel, second: Channel) -> Bridge:
        """A new bridge with both in it; they take the older Linkedid."""
        bridge = Bridge(uniqueid=str(uuid.UUID(int=self._random.getrandbits(128), version=4)))
        self.bridges[bridge.uniqueid] = bridge
        self.emit("BridgeCreate", "call", bridge.snapshot())
        self.enter(bridge, first)
        self.enter(bridge, second)
        return bridge

    def enter(self, bridge: Bridge, channel: Channel, *, instead_of: Channel | None = None) -> None:
        bridge.channels.append(channel)
        channel.bridge = bridge
        oldest = min(bridge.channels, key=lambda one: one.generation)
        for one in bridge.channels:
            one.linkedid, one.generation = oldest.linkedid, oldest.generation
        swap = [("SwapUniqueid", instead_of.uniqueid)] if instead_of else []
        self.emit("BridgeEnter", "call", [*bridge.snapshot(), *channel.snapshot(), *swap])

    def leave(self, channel: Channel) -> None:
        """Out of its bridge; the bridge ends when the last one leaves. Harmless where it is in none."""
        bridge = channel.bridge
        if bridge is None:
            return
        bridge.channels.remove(channel)
        channel.bridge = None
        self.emit("BridgeLeave", "call", [*bridge.snapshot(), *channel.snapshot()])
        if not bridge.channels:
            del self.bridges[bridge.uniqueid]
            self.emit("BridgeDestroy", "call", bridge.snapshot())

    # -- music and hold

    def start_music(self, channel: Channel) -> None:
        channel.music = True
        self.call_event("MusicOnHoldStart", channel, ("Class", "default"))

    def stop_music(self, channel: Channel) -> None:
        if channel.music:
            channel.music = False
            self.call_event("MusicOnHoldStop", channel)

    def hold(self, channel: Channel, other: Channel) -> None:
        channel.holding, other.held = True, True
        self.call_event("Hold", channel, ("MusicClass", "default"))
        self.start_music(other)
        self._touch(other)

    def unhold(self, channel: Channel, other: Channel | None) -> None:
        channel.holding = False
        self.call_event("Unhold", channel)
        if other is not None and other.held:
            other.held = False
            self.stop_music(other)
            self._touch(other)

    # -- device states

    def device_state(self, device: str) -> str:
        """As chan_pjsip sums up a device's channels."""
        lines = [channel for channel in self.channels.values() if channel.device == device]
        if not lines:
            return "NOT_INUSE"
        ringing = [channel for channel in lines if channel.state is State.RINGING]
        if ringing:
            return "RINGING" if len(ringing) == len(lines) else "RINGINUSE"
        talking = [channel for channel in lines if channel.state in {State.RING, State.UP}]
        if talking and all(channel.held for channel in talking):
            return "ONHOLD"
        return "INUSE" if talking else "NOT_INUSE"

    def settle(self) -> None:
        """Tells what changed of device states; Asterisk does so a little later than the call's events, on another thread."""
        devices, self._unsettled = sorted(self._unsettled), set()
        for device in devices:
            self.tell_device(device, self.device_state(device))

    def tell_device(self, device: str, state: str) -> None:
        """DeviceStateChange, where the state is not the one told last (idle at the start)."""
        if self._told.get(device, "NOT_INUSE" if device.startswith("PJSIP/") else None) == state:
            return
        self._told[device] = state
        self.emit("DeviceStateChange", "call", [("Device", device), ("State", state)])
        self.on_device_state(device, state)

    def _touch(self, channel: Channel) -> None:
        if not self._unsettled:
            asyncio.get_running_loop().call_soon(self.settle)
        self._unsettled.add(channel.device)

    # -- waiting for something to be so

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when `condition` holds; looked at after every event. At most 1000 wait at a time."""
        if condition():
            return
        if len(self._watchers) >= WATCHERS:
            raise SwitchFull(f"{WATCHERS} already wait for the simulated PBX")
        watcher = (condition, asyncio.get_running_loop().create_future())
        self._watchers.append(watcher)
        try:
            await watcher[1]
        finally:
            self._watchers.remove(watcher)

    def _wake_watchers(self) -> None:
        for condition, future in self._watchers:
            if not future.done() and condition():
                future.set_result(None)


def _party(channel: Channel | None) -> list[Header]:
    return channel.snapshot() if channel else []


def _tech_cause(channel: Channel) -> list[Header]:
    return [] if channel.tech_cause is None else [("TechCause", str(channel.tech_cause))]
