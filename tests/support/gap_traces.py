"""Gaps cut into recorded calls: the events of a window are lost, and at its end stand the listings that the PBX would have given.

The listings are made from the raw events alone, in the format of real ones (tests/traces/ami_gap_*), never from the tracker.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent
from tests.support.replayed import Step

SNAPSHOT = (
    "Channel", "ChannelState", "ChannelStateDesc", "CallerIDNum", "CallerIDName", "ConnectedLineNum", "ConnectedLineName",
    "Language", "AccountCode", "Context", "Exten", "Priority", "Uniqueid", "Linkedid",
)  # fmt: skip
BRIDGE = ("BridgeUniqueid", "BridgeType", "BridgeTechnology", "BridgeCreator", "BridgeName", "BridgeNumChannels")


@dataclass
class _Channel:
    headers: dict[str, str]
    created_at: float
    application: str = ""
    application_data: str = ""
    bridge: str = ""


@dataclass
class PbxPicture:
    """What the PBX holds after the events that it was fed."""

    channels: dict[str, _Channel] = field(default_factory=dict)
    bridges: dict[str, dict[str, str]] = field(default_factory=dict)
    queues: dict[str, dict[str, float]] = field(default_factory=dict)
    parked: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def feed(self, event: AmiEvent, at: float) -> None:
        if b"ActionID: " in event.block:
            return  # a listing that was recorded
        for prefix in ("", "Dest"):
            self._snapshot(event, prefix, at)
        uid = event.get("Uniqueid")
        channel = self.channels.get(uid)
        match event.name:
            case "Newexten" if channel is not None:
                channel.application, channel.application_data = event.get("Application"), event.get("AppData")
            case "DialBegin":
                self._dials(event)
            case "BridgeEnter" if channel is not None:
                channel.bridge = event.get("BridgeUniqueid")
                self.bridges[channel.bridge] = {key: event.get(key) for key in BRIDGE}
            case "BridgeLeave" if channel is not None:
                channel.bridge = ""
            case "QueueCallerJoin":
                self.queues.setdefault(event.get("Queue"), {})[uid] = at
            case "QueueCallerLeave":
                self.queues.setdefault(event.get("Queue"), {}).pop(uid, None)
            case "Hangup":
                self.channels.pop(uid, None)
                for waiting in (self.parked, *self.queues.values()):
                    waiting.pop(uid, None)
            case _:
                self._parking(event)

    def _parking(self, event: AmiEvent) -> None:
        match event.name:
            case "ParkedCall":
                self.parked[event.get("ParkeeUniqueid")] = list(headers_of(event))
            case "UnParkedCall" | "ParkedCallTimeOut" | "ParkedCallGiveUp":
                self.parked.pop(event.get("ParkeeUniqueid"), None)
            case _:
                pass

    def _snapshot(self, event: AmiEvent, prefix: str, at: float) -> None:
        uid = event.get(prefix + "Uniqueid")
        if not uid or not event.get(prefix + "Channel") or not event.get(prefix + "ChannelState"):
            return
        headers = {key: event.get(prefix + key) for key in SNAPSHOT}
        if event.name == "Newchannel" and not prefix:
            self.channels[uid] = _Channel(headers, at)
        elif uid in self.channels:
            self.channels[uid].headers = headers

    def _dials(self, event: AmiEvent) -> None:
        source, dest = self.channels.get(event.get("Uniqueid")), self.channels.get(event.get("DestUniqueid"))
        in_queue = source is not None and source.application == "Queue"
        if source is not None and not in_queue:
            source.application, source.application_data = "Dial", f"PJSIP/{event.get('DialString')},30"
        if dest is not None:
            dest.application, dest.application_data = ("AppQueue" if in_queue else "AppDial"), "(Outgoing Line)"

    def channels_listed(self, at: float) -> list[AmiEvent]:
        """BridgeList and CoreShowChannels."""
        counts = {uid: sum(c.bridge == uid for c in self.channels.values()) for uid in self.bridges}
        bridges = [
            _item("BridgeListItem", *(bridge | {"BridgeNumChannels": str(counts[uid])}).items())
            for uid, bridge in self.bridges.items()
            if counts[uid]
        ]
        channels = [self._shown(channel, at) for channel in self.channels.values()]
        listings = [*bridges, _end("BridgeListComplete", bridges), *channels, _end("CoreShowChannelsComplete", channels)]
        return list(_read(listings))

    def _shown(self, channel: _Channel, at: float) -> list[tuple[str, str]]:
        seconds = int(at - channel.created_at)
        return _item(
            "CoreShowChannel",
            *channel.headers.items(),
            ("Application", channel.application),
            ("ApplicationData", channel.application_data),
            ("Duration", f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"),
            ("BridgeId", channel.bridge),
        )

    def queues_listed(self, at: float) -> list[AmiEvent]:
        """QueueStatus (without members) and ParkedCalls."""
        items = []
        for queue, waiting in self.queues.items():
            items.append(_item("QueueParams", ("Queue", queue), ("Max", "0"), ("Calls", str(len(waiting)))))
            for place, (uid, joined_at) in enumerate(waiting.items(), 1):
                shown = {"Channel": self.channels[uid].headers["Channel"], "Uniqueid": uid, "Wait": str(int(at) - int(joined_at))}
                items.append(_item("QueueEntry", ("Queue", queue), ("Position", str(place)), *shown.items()))
        parked = [_item("ParkedCall", *headers) for headers in self.parked.values()]
        return list(_read([*items, _end("QueueStatusComplete", items), *parked, _end("ParkedCallsComplete", parked)]))


def headers_of(event: AmiEvent) -> Iterator[tuple[str, str]]:
    """Every header but the first line and what only live events have."""
    for line in event.block.decode("utf-8", "replace").split("\r\n")[1:]:
        key, _, value = line.partition(": ")
        if key not in {"Privilege", "Timestamp"}:
            yield key.removesuffix(":"), value


def _item(name: str, *headers: tuple[str, str]) -> list[tuple[str, str]]:
    return [("Event", name), ("ActionID", "listing"), *headers]


def _end(name: str, items: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    return _item(name, ("EventList", "Complete"), ("ListItems", str(len(items))))


def _read(items: list[list[tuple[str, str]]]) -> Iterator[AmiEvent]:
    """As the codec reads them off the wire: an item that it refuses would not be here."""
    blocks = ["".join(f"{key}: {value}\r\n" for key, value in item) + "\r\n" for item in items]
    read = AmiCodec(expects=lambda _: True).receive("".join(blocks).encode())
    assert len(read) == len(items)
    return (event for event in read if isinstance(event, AmiEvent))


def cut(steps: list[Step], lost_from: int, back_at: int, *, late: int = 0) -> list[Step]:
    """The steps with those of the window lost and listings at its end. `late`: the last so many of the window are not lost, but
    were on their way while the listings were made, and come between them.
    """
    picture = PbxPicture()
    for at, what in steps[:back_at]:
        if isinstance(what, AmiEvent):
            picture.feed(what, at)
    lost_at, at = steps[lost_from][0], steps[max(lost_from, back_at - 1)][0]
    late_from = max(lost_from, back_at - late)
    return [
        *steps[:lost_from],
        (lost_at, "closed"),
        *((at, event) for event in picture.channels_listed(at)),
        *((at, what) for _, what in steps[late_from:back_at]),
        *((at, event) for event in picture.queues_listed(at)),
        *steps[back_at:],
    ]
