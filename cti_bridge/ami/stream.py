"""The events connection as one ordered stream: what happened, and after each (re)connect the PBX's present state.

Comes in: what the link tells. Goes out: `StreamItem`s for one consumer, in the order of the wire. After each login it asks for
the state by itself (`RESYNC`); the items of those listings come through the same stream as events. Because one thread of Asterisk
serves a session, an event before a listing is older than the listing, and one after it may tell of a change already in it.

The buffer is bounded in bytes. When the consumer falls that far behind, the link is dropped on purpose and made anew only when
the buffer is empty: the resync then tells the state, and the gap is visible, which silently dropped events would not be.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cti_bridge.ami import actions
from cti_bridge.ami.connection import AmiConnection, At
from cti_bridge.ami.conversation import Accepted, LoggedIn, LoginRefused, News, Refused
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.domain.errors import AmiDisconnected

EVENT_CLASSES: Final = "call,agent,user,system"
MAX_BUFFERED_BYTES: Final = 64 * 1024 * 1024
"""About 150,000 events, half a minute of the heaviest load measured (PERF.md: 4,800 events/s)."""
_ITEM_BYTES: Final = 512
"""What an item costs beside its bytes, so that connections that carry nothing are bounded too."""

RESYNC: Final = (
    actions.core_status,
    actions.core_settings,
    actions.bridge_list,
    actions.core_show_channels,
    actions.queue_status,
    actions.parked_calls,
)
"""What is asked after each login, in this order (AMI.md 6.1): restarted?, what kinds of bridges, channels, queues, parked calls.
Between two answers Asterisk sends what events wait: those that belong to the channels' listing come before the end of the others.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """TCP is up on connection number `conn` (counted from 1 for each client), asked for at `asked_at`; nothing was read yet.

    `ids`: what the ActionIDs of this connection begin with.
    """

    at: At
    asked_at: At
    conn: int
    ids: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """Signed in: events flow from here on. `banner` tells the AMI version only."""

    banner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PbxIdentity:
    """When this PBX process started, in its own local time: another text than before means that all calls of then are over.

    Comes before the listings. An empty text: not known (right `reporting` missing).
    """

    started: str
    version: str

    @classmethod
    def of(cls, facts: Mapping[str, str]) -> "PbxIdentity":
        """From what CoreStatus and CoreSettings answered."""
        started = f"{facts.get('CoreStartupDate', '')} {facts.get('CoreStartupTime', '')}".strip()
        return cls(started=started, version=facts.get("AsteriskVersion", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Resynced:
    """All listings are in. `refused` names those that the PBX did not give, with its message."""

    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One chunk as read, for the journal, and what it completed, in order."""

    at: At
    conn: int
    data: bytes
    news: tuple["StreamNews", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    at: At
    conn: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflowed:
    """A chunk that the consumer does not get, because it is too far behind: only the tap is given it."""

    at: At
    conn: int
    data: bytes


StreamNews = AmiEvent | Connected | PbxIdentity | Resynced
StreamItem = Opened | Received | Disconnected


Note = Callable[[str, str | None, bool], None]
"""Takes what was learnt about a standing link: in plain words, Asterisk's version where known, whether all is well."""

Tap = Callable[[StreamItem | Overflowed], None]
"""Takes each item before it can have an effect; must neither block nor raise (the journal)."""


class EventStream:
    """The link's listener and the consumer's source. One consumer: `async for item in stream`."""

    def __init__(
        self,
        *,
        username: str,
        note: Note,
        tap: Tap | None = None,
        resync_seconds: float = 60.0,
        sweep_seconds: float = 60.0,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        self._username = username
        self._note = note
        self._tap = tap
        self._resync_seconds = resync_seconds
        self._sweep_seconds = sweep_seconds
        self._sweep_id = ""
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._max_bytes = max_buffered_bytes
        self._buffer: deque[tuple[StreamItem, int]] = deque()
        self._buffered = 0
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._conn = 0
        self._connection: AmiConnection | None = None
        self._asked: dict[str, str] = {}
        self._refused: list[tuple[str, str]] = []
        self._facts: dict[str, str] = {}
        self._deadline: asyncio.TimerHandle | None = None
        self._overflowing = False
        self.counters: Counter[str] = Counter()

    def __aiter__(self) -> AsyncIterator[StreamItem]:
        return self

    async def __anext__(self) -> StreamItem:
        while not self._buffer:
            self._filled.clear()
            await self._filled.wait()
        item, cost = self._buffer.popleft()
        self._buffered -= cost
        if not self._buffer:
            self._drained.set()
        return item

    @property
    def buffered_bytes(self) -> int:
        """How far the consumer is behind."""
        return self._buffered

    async def ready_to_connect(self) -> None:
        """After an overflow the consumer first works off what it has."""
        if self._buffered > self._max_bytes // 2 or self._overflowing:
            await self._drained.wait()
        self._overflowing = False

    def opened(self, connection: AmiConnection, *, at: At, asked_at: At) -> None:
        self._conn += 1
        self._connection = connection
        self._asked.clear()
        self._refused.clear()
        self._facts.clear()
        self._put(Opened(at=at, asked_at=asked_at, conn=self._conn, ids=connection.ids), _ITEM_BYTES)

    def received(self, at: At, data: bytes, news: Sequence[News]) -> None:
        if self._overflowing:
            if self._tap is not None:
                self._tap(Overflowed(at=at, conn=self._conn, data=data))
            return
        # Nearly all news are events: they go through without the match in `_told`.
        told = tuple(told for item in news if (told := item if isinstance(item, AmiEvent) else self._told(item)) is not None)
        self._put(Received(at=at, conn=self._conn, data=data, news=told), len(data) + _ITEM_BYTES)
        if self._buffered > self._max_bytes and self._connection is not None:
            self._overflowing = True
            self.counters["overflows"] += 1
            self._connection.drop(f"the consumer is {self._buffered} bytes behind: dropped on purpose, to be resynced")

    def closed(self, at: At, reason: str) -> None:
        self._connection = None
        self._stop_waiting()
        self._put(Disconnected(at=at, conn=self._conn, reason=reason), _ITEM_BYTES)

    def _put(self, item: StreamItem, cost: int) -> None:
        if self._tap is not None:
            self._tap(item)
        self._buffer.append((item, cost))
        self._buffered += cost
        self._drained.clear()
        self._filled.set()

    def _told(self, item: LoggedIn | LoginRefused | Accepted | Refused) -> StreamNews | None:
        match item:
            case LoggedIn(banner=banner):
                self._ask()
                return Connected(banner=banner)
            case Accepted(action_id=action_id) if action_id in self._asked:
                return self._listed(self._asked.pop(action_id), item.response.keys)
            case Refused(action_id=action_id, message=message) if action_id in self._asked:
                self._refused.append((item.action, message))
                return self._listed(self._asked.pop(action_id), {})
            case Accepted(action_id=action_id) | Refused(action_id=action_id) if action_id == self._sweep_id:
                self._sweep_later()
                return None
            case Accepted() | Refused() | LoginRefused():
                return None

    def _ask(self) -> None:
        """All at once: Asterisk works them off in order, and between them lets waiting events through."""
        if self._connection is None:
            return
        try:
            for action in RESYNC:
                request = action()
                self._asked[self._connection.perform(request)] = request.name
        except AmiDisconnected:
            return  # the link broke again; `closed` follows
        loop = asyncio.get_running_loop()
        self._deadline = loop.call_later(self._resync_seconds, self._give_up)

    def _give_up(self) -> None:
        if self._connection is not None:
            waiting = ", ".join(self._asked.values())
            self._connection.drop(f"the PBX did not answer {waiting} within {self._resync_seconds:g} s")

    def _listed(self, action: str, keys: dict[str, str]) -> StreamNews | None:
        self._facts.update(keys)
        if action == "CoreSettings":
            return PbxIdentity.of(self._facts)
        if self._asked:
            return None
        self._stop_waiting()
        self._sweep_later()
        self._note(self._findings(), self._facts.get("AsteriskVersion"), not self._refused)
        return Resynced(refused=tuple(self._refused))

    def _sweep_later(self) -> None:
        """The channels are listed again and again: one of ours that two listings lack is gone, though its Hangup was lost."""
        if "CoreShowChannels" not in {name for name, _ in self._refused}:
            self._sweep_timer = asyncio.get_running_loop().call_later(self._sweep_seconds, self._sweep)

    def _sweep(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(AmiDisconnected):  # the link broke: `closed` follows
                self._sweep_id = self._connection.perform(actions.core_show_channels())

    def _stop_waiting(self) -> None:
        for timer in (self._deadline, self._sweep_timer):
            if timer is not None:
                timer.cancel()
        self._deadline = self._sweep_timer = None

    def _findings(self) -> str:
        """In plain words what the link can and cannot see."""
        if not self._refused:
            return "events and listings are complete"
        denied = sorted({actions.WRITE_CLASS.get(name, "?") for name, text in self._refused if "permission" in text.lower()})
        names = ", ".join(name for name, _ in self._refused)
        if not denied:
            return f"the PBX refused {names}: {self._refused[0][1]}"
        return (
            f"the PBX refused {names}: add {', '.join(denied)} to write= of [{self._username}] in manager.conf; "
            "until then, what was up before this service connected may be missed"
        )
