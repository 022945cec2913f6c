"""What is on its way to a browser: numbered events kept for replay, and live states of which only the newest counts.

In: encoded bodies and the time; out: what a receiver has not seen yet, or the plain word that it can no longer be had.
Pure: no clock, no socket; the hub says when it is. Both halves are bounded, whatever the browsers do.
"""

from collections import deque
from dataclasses import dataclass
from typing import NewType

EventId = NewType("EventId", int)

CAPACITY = 512
"""Events kept for one receiver: half an hour of a busy agent; a supervisor falls back to a snapshot sooner."""

MAX_BYTES = 1 << 20
"""Bytes kept for one receiver, so that long histories in pops cannot fill the memory of a 1,000-seat centre."""

MAX_AGE_SECONDS = 600.0
"""An agent who was away for longer gets a gap and a fresh snapshot: older pops help nobody."""

KEEP_ACKED_SECONDS = 60.0
"""An acknowledged event stays this long for the receiver's other tabs, which may be reconnecting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEvent:
    """A numbered event: `body` is its JSON without the id; `at` is in seconds of the hub's clock."""

    event_id: EventId
    at: float
    body: bytes


@dataclass(frozen=True, slots=True)
class Gap:
    """The receiver's last event is not (or no longer) known here; `reason` says why."""

    reason: str


class Outbox:
    """Numbered events of one receiver, in order, without holes. The oldest fall out first: by number, bytes, age or ack."""

    def __init__(self, *, first_id: int = 1, capacity: int = CAPACITY, max_bytes: int = MAX_BYTES) -> None:
        self._events: deque[OutboxEvent] = deque()
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._bytes = 0
        self._newest = EventId(first_id - 1)
        self._acked = EventId(first_id - 1)

    @property
    def newest_id(self) -> EventId:
        """The id of the newest event ever appended; one less than the first id while there was none."""
        return self._newest

    @property
    def newest_at(self) -> float | None:
        return self._events[-1].at if self._events else None

    def append(self, body: bytes, *, now: float) -> OutboxEvent:
        """Numbers the event and keeps it; what no longer fits falls out at the old end."""
        self._newest = EventId(self._newest + 1)
        event = OutboxEvent(event_id=self._newest, at=now, body=body)
        self._events.append(event)
        self._bytes += len(body)
        while len(self._events) > self._capacity or (self._bytes > self._max_bytes and len(self._events) > 1):
            self._drop_oldest()
        self.prune(now=now)
        return event

    def next_after(self, event_id: int) -> OutboxEvent | Gap | None:
        """The event that follows `event_id`, None where there is none yet, `Gap` where it cannot be had."""
        if event_id == self._newest:
            return None
        if event_id > self._newest:
            return Gap("unknown_id")
        oldest = self._newest - len(self._events) + 1
        if event_id < oldest - 1:
            return Gap("too_old")
        return self._events[event_id - oldest + 1]

    def behind(self, event_id: int) -> int:
        """How many events the receiver has not got yet."""
        return self._newest - event_id

    def ack(self, event_id: int) -> bool:
        """Notes that everything up to `event_id` arrived; False where no such event was ever sent."""
        if event_id > self._newest:
            return False
        self._acked = max(self._acked, EventId(event_id))
        return True

    def prune(self, *, now: float) -> None:
        """Drops what is too old, and what was acknowledged a while ago."""
        while self._events:
            oldest = self._events[0]
            keep = KEEP_ACKED_SECONDS if oldest.event_id <= self._acked else MAX_AGE_SECONDS
            if now - oldest.at <= keep:
                return
            self._drop_oldest()

    def forget(self) -> None:
        """Keeps nothing of before: who has not got it fetches afresh."""
        self._events.clear()
        self._bytes = 0

    def _drop_oldest(self) -> None:
        self._bytes -= len(self._events.popleft().body)


class LatestStates:
    """Live states for one connection, newest wins: `put` replaces what was not sent yet, so a slow browser costs no memory."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, bytes]] = {}

    def put(self, type_: str, key: str, document: bytes) -> None:
        """Keeps the encoded `document` of `key` (a queue, an agent) until it is taken or replaced."""
        self._waiting.setdefault(type_, {})[key] = document

    def take(self) -> tuple[str, tuple[bytes, ...]] | None:
        """One type with all its documents that wait, or None."""
        if not self._waiting:
            return None
        type_ = next(iter(self._waiting))
        return type_, tuple(self._waiting.pop(type_).values())

    def clear(self) -> None:
        """Forgets what waits: a snapshot that is newer was sent."""
        self._waiting.clear()
