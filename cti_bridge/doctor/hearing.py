"""The events connection of an examination: listens as the service does, touches nothing, and remembers little.

An AMI session gets an event only if the account's read classes, no event filter and no `disabledevents` keep it back, and none of
these can be asked for reliably. So the doctor compares: what two listings differ in must have been told in between.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from cti_bridge.ami import actions
from cti_bridge.ami.connection import AmiConnection, At
from cti_bridge.ami.control import AmiControl
from cti_bridge.ami.conversation import News
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.doctor.facts import Heard, HeardEvent, Listing
from cti_bridge.domain.errors import AmiError

MAX_HEARD: Final = 50_000
"""Events kept; the heaviest load measured is 4,800 a second."""
GRACE_SECONDS: Final = 0.5
"""What ended just before the second listing may still be told after it: Asterisk publishes through a queue of its own."""
_LIST_SECONDS: Final = 5.0


class Hearing:
    """The listener of the events connection; asks through an AmiControl of its own."""

    def __init__(self, username: str) -> None:
        self.control = AmiControl(username=username, ready=at_once)
        self._events: list[HeardEvent] = []
        self._booted = False
        self._timestamps: Counter[bool] = Counter()
        self._began = 0.0
        self._before: Listing | None = None

    async def ready_to_connect(self) -> None:
        await self.control.ready_to_connect()

    def opened(self, connection: AmiConnection, *, at: At, asked_at: At) -> None:
        self.control.opened(connection, at=at, asked_at=asked_at)

    def received(self, at: At, data: bytes, news: Sequence[News]) -> None:
        for item in news:
            if isinstance(item, AmiEvent) and b"\r\nPrivilege: " in item.block:
                self._hear(item)
        self.control.received(at, data, news)

    def closed(self, at: At, reason: str) -> None:
        self.control.closed(at, reason)

    def _hear(self, event: AmiEvent) -> None:
        if event.name == "FullyBooted":
            self._booted = True
        elif len(self._events) < MAX_HEARD:
            self._timestamps[b"\r\nTimestamp: " in event.block] += 1
            self._events.append(HeardEvent(event.name, event.get("Uniqueid") or event.get("Interface")))

    async def begin(self) -> None:
        """The first listing."""
        self._began = asyncio.get_running_loop().time()
        self._before = await self._listing()

    async def end(self) -> Heard:
        """The second listing, where there was a first, and the last events. Raises AmiError where the link broke."""
        after = None if self._before is None else await self._listing()
        await asyncio.sleep(GRACE_SECONDS)
        await self.control.send(actions.ping(), timeout_seconds=_LIST_SECONDS)  # what was queued comes before its answer
        return Heard(
            seconds=asyncio.get_running_loop().time() - self._began,
            events=tuple(self._events),
            booted=self._booted,
            timestamped=self._timestamps[True] > 0 if self._timestamps else None,
            before=self._before,
            after=after,
        )

    async def _listing(self) -> Listing | None:
        try:
            channels = await self.control.list_of(actions.core_show_channels(), timeout_seconds=_LIST_SECONDS)
            queues = await self.control.list_of(actions.queue_status(), timeout_seconds=_LIST_SECONDS)
        except AmiError:
            return None  # a missing right, which is a finding of its own; or a broken link, which the ping shows
        return Listing(
            channels={item.get("Uniqueid"): item.get("Channel") for item in channels if item.name == "CoreShowChannel"},
            waiting=frozenset((item.get("Queue"), item.get("Uniqueid")) for item in queues if item.name == "QueueEntry"),
            members={
                (item.get("Queue"), item.get("Location")): (item.get("Status"), item.get("Paused"))
                for item in queues
                if item.name == "QueueMember"
            },
        )


async def at_once() -> None:
    """Connecting always makes sense: the examination is now."""
