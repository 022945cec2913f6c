"""One PBX: its stream of events and its control, over two connections that stay up by themselves.

Stop 1 of the walk from event to browser: bytes come in here and leave as `StreamItem`s for `pipeline.run`.

    client = AmiClient(settings, secret)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(client.run())
        async for item in client.events: ...
"""

import asyncio
from typing import Final

from config.settings import PbxSettings
from cti_bridge.ami.connection import Clock, Limits, system_clock
from cti_bridge.ami.control import AmiControl
from cti_bridge.ami.link import AmiLink, LinkState, LinkStatus
from cti_bridge.ami.stream import EVENT_CLASSES, MAX_BUFFERED_BYTES, EventStream, Tap

_DOWN: Final = frozenset({LinkState.REFUSED, LinkState.DISCONNECTED})


class AmiClient:
    """`run` it, consume `events`, act through `control`, show `status`. `tap` is given each item before it is to be consumed."""

    def __init__(
        self,
        settings: PbxSettings,
        secret: str,
        *,
        event_classes: str = EVENT_CLASSES,
        tap: Tap | None = None,
        limits: Limits | None = None,
        clock: Clock = system_clock,
        max_buffered_bytes: int = MAX_BUFFERED_BYTES,
    ) -> None:
        limits = limits or Limits()
        self.events = EventStream(
            username=settings.username,
            note=self._note,
            tap=tap,
            resync_seconds=limits.resync,
            sweep_seconds=limits.sweep,
            max_buffered_bytes=max_buffered_bytes,
        )
        self.control = AmiControl(username=settings.username, ready=self._events_link_is_up)
        self._events_link = AmiLink(
            settings, secret, role="events", events=event_classes, listener=self.events, limits=limits, clock=clock
        )
        self._control_link = AmiLink(
            settings, secret, role="actions", events="off", listener=self.control, limits=limits, clock=clock
        )

    async def run(self) -> None:
        """Keeps both connections up until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._events_link.run(), name="ami events link")
            tasks.create_task(self._control_link.run(), name="ami actions link")

    def status(self) -> LinkStatus:
        """The worse of the two links; the counters are of the events link and of the buffer."""
        events, control = self._events_link.status(), self._control_link.status()
        counters = events.counters | dict(self.events.counters)
        worse = control if events.state is LinkState.CONNECTED and control.state in _DOWN else events
        detail = worse.detail if worse is events else f"events are read; for actions: {control.detail}"
        return LinkStatus(state=worse.state, since=worse.since, detail=detail, version=events.version, counters=counters)

    def _note(self, detail: str, version: str | None, complete: bool) -> None:
        self._events_link.note(detail, version=version, complete=complete)

    async def _events_link_is_up(self) -> None:
        """One login at a time: a refused user costs the PBX one unauthenticated session, not two."""
        await self._events_link.connected()
