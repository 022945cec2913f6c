"""After a start: the journal's tail through the tracker, so that the service knows what it knew before it ended.

In: a journal's tail, and the PBX's fresh tracker. Out: the calls that were going on, with what happened to them, and those that
ended. Nothing is told to anybody here; what becomes of it is the pipeline's (`Pipeline.recover`).
"""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, field

import structlog

from cti_bridge.ami.codec import AmiCodec
from cti_bridge.ami.messages import AmiEvent, AmiReply
from cti_bridge.ami.stream import Disconnected, Opened, PbxIdentity, Received
from cti_bridge.domain.call import CallId
from cti_bridge.domain.call_events import (
    Anomaly,
    CallEnded,
    CallEvent,
    MemberChanged,
    MemberRemoved,
    TrackerEvent,
)
from cti_bridge.journal.reader import Noted, Tail, Torn
from cti_bridge.tracking.mid_stream import MidStream
from cti_bridge.tracking.tracker import CallTracker

log = structlog.get_logger(__name__)

_TURN_BYTES = 256 * 1024
"""Read between two turns of the event loop: a few milliseconds, so that routes are answered meanwhile."""
_BLANK_LINE = b"\r\n\r\n"


@dataclass(slots=True, kw_only=True)
class Past:
    """What the journal told: `live` calls with all their events, `ended` ones with the last two; `at` is its last moment;
    `started`: when the PBX's process began, in its own words (empty: not known).
    """

    live: dict[CallId, list[CallEvent]] = field(default_factory=dict)
    ended: dict[CallId, tuple[CallEvent, ...]] = field(default_factory=dict)
    started: str = ""
    at: float = 0.0
    torn: int = 0
    size: int = 0

    def keep(self, uniqueids: Collection[str]) -> None:
        """Of the calls so far only these are genuine and not stored; the first channel's Uniqueid is the second half of an id."""
        self.live = {call_id: events for call_id, events in self.live.items() if call_id.partition(":")[2] in uniqueids}
        self.ended = {call_id: events for call_id, events in self.ended.items() if call_id.partition(":")[2] in uniqueids}

    def take(self, events: list[TrackerEvent]) -> None:
        """Sorts them by call. Members of queues are read anew once the PBX is there; anomalies were counted before."""
        for event in events:
            match event:
                case Anomaly() | MemberChanged() | MemberRemoved():
                    pass
                case CallEnded(call=call):
                    before = self.live.pop(call.call_id, [])
                    self.ended[call.call_id] = (*before[-1:], event)
                case _:
                    self.live.setdefault(event.call.call_id, []).append(event)


async def replay(tail: Tail, tracker: CallTracker) -> Past:
    """Brings the tracker to where it was, or as near as the journal tells. Raises OSError where the journal cannot be read."""
    began = time.monotonic()
    past = Past()
    stream = MidStream(tracker, lost=tail.lost, is_whole=tail.is_whole)
    decoder = _Decoder()
    told = 0
    for item in tail.items:
        match item:
            case Opened(at=at, ids=ids):
                decoder.open(ids)
                past.at = max(past.at, at.wall)
            case Received(at=at, data=data):
                past.at = max(past.at, at.wall)
                past.size += len(data)
                for event in decoder.events(data):
                    past.take(stream.feed(event, past.at))
            case Disconnected(at=at):
                past.at = max(past.at, at.wall)
                past.take(stream.disconnected(past.at))
            case Torn(file=file, offset=offset, length=length):
                past.torn += 1
                log.warning("journal.torn", file=str(file), offset=offset, bytes=length)
                if length:
                    decoder.lose_place()
            case Noted(calls=uniqueids, started=started):
                past.started = started
                past.keep(uniqueids)
                stream.noted(past.live)
        if past.size - told >= _TURN_BYTES:
            told = past.size
            await asyncio.sleep(0)
    stream.finish()
    if decoder.identity is not None:
        past.started = decoder.identity.started
    log.info(
        "journal.replayed",
        bytes=past.size,
        torn=past.torn,
        live=len(past.live),
        ended=len(past.ended),
        seconds=round(time.monotonic() - began, 3),
    )
    return past


class _Decoder:
    """The codec of each connection, and the answers that tell which PBX it was."""

    def __init__(self) -> None:
        self.identity: PbxIdentity | None = None
        self._ids = ""
        self._codec = AmiCodec(expects=self._expects)
        self._lost: bytes | None = None
        self._facts: dict[str, str] = {}

    def open(self, ids: str) -> None:
        self._ids = ids
        self._codec = AmiCodec(expects=self._expects)
        self._lost = None
        self._facts = {}

    def lose_place(self) -> None:
        """Bytes are missing: begins anew where the next event does, rather than join two halves."""
        self._codec = AmiCodec(expects=self._expects)
        self._lost = b""

    def events(self, data: bytes) -> list[AmiEvent]:
        if self._lost is not None:
            _, border, rest = (self._lost + data).partition(_BLANK_LINE)
            if not border:
                self._lost = (self._lost + data)[-3:]
                return []
            self._lost, data = None, rest
        events: list[AmiEvent] = []
        for message in self._codec.receive(data):
            if isinstance(message, AmiEvent):
                events.append(message)
            else:
                self._identify(message)
        return events

    def _identify(self, reply: AmiReply) -> None:
        """From the answers to CoreStatus and CoreSettings, as ami/stream.py."""
        keys = reply.response.keys
        if "CoreStartupDate" in keys or "AsteriskVersion" in keys:
            self._facts.update(keys)
            self.identity = PbxIdentity.of(self._facts)

    def _expects(self, action_id: str) -> bool:
        return bool(self._ids) and action_id.startswith(self._ids)
