"""One PBX's stream to the board and to the call tasks: stop 2 of the walk from the PBX to the browser.

In: what the AMI client read. Out: tracker events, given to the live board at once and to the call's own task through a bounded
queue. Reading never waits for anything here: a call whose task is too far behind is given up alone.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog

from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import Connected, Disconnected, Opened, PbxIdentity, Received, Resynced
from cti_bridge.call_task import Desk, handle_call
from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.call_events import (
    Anomaly,
    AnomalyKind,
    CallArrived,
    CallEnded,
    CallEvent,
    MemberChanged,
    MemberRemoved,
    TrackerEvent,
)
from cti_bridge.gaps import GapBook
from cti_bridge.live.board import Board
from cti_bridge.tracking.draft import moment
from cti_bridge.tracking.tracker import CallTracker

log = structlog.get_logger()

MAX_EVENTS_BEHIND = 256
"""Events that one call's task may be behind; a call has about ten, so this means that its store or hub hangs."""
_COMPLAIN_EVERY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Story:
    """A call's task and the events that it has not taken yet."""

    events: "asyncio.Queue[CallEvent]"
    task: "asyncio.Task[None]"


@dataclass(slots=True)
class CallTasks:
    """The running call tasks. `counters`: handled, given_up, failed."""

    desk: Desk
    tasks: asyncio.TaskGroup
    counters: Counter[str] = field(default_factory=Counter)
    _live: dict[CallId, _Story] = field(default_factory=dict)
    _running: set["asyncio.Task[None]"] = field(default_factory=set)

    def put(self, event: CallEvent) -> None:
        """Gives the event to its call's task; the first one starts the task.

        A call whose task failed or was given up has no story any more, but its end still becomes a record.
        """
        call_id = event.call.call_id
        story = self._live.get(call_id)
        if story is None:
            if not isinstance(event, CallArrived | CallEnded):
                return
            story = self._live[call_id] = self._begin(call_id)
        if isinstance(event, CallEnded):
            del self._live[call_id]
        try:
            story.events.put_nowait(event)
        except asyncio.QueueFull:
            self._give_up(call_id, story)
            if isinstance(event, CallEnded):
                self._begin(call_id).events.put_nowait(event)

    async def drain(self, seconds: float) -> None:
        """Lets the tasks of calls that are over store them; live calls are picked up again by the resync after the next start."""
        ending = self._running - {story.task for story in self._live.values()}
        if ending:
            _, late = await asyncio.wait(ending, timeout=seconds)
            for task in late:
                log.warning("shutdown.straggler", task=task.get_name())
        for task in tuple(self._running):
            task.cancel()

    def _begin(self, call_id: CallId) -> _Story:
        events: asyncio.Queue[CallEvent] = asyncio.Queue(MAX_EVENTS_BEHIND)
        task = self.tasks.create_task(self._run(call_id, events), name=f"call {call_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return _Story(events, task)

    def _give_up(self, call_id: CallId, story: _Story) -> None:
        self.counters["given_up"] += 1
        log.error("call.given_up", call_id=call_id, events_behind=MAX_EVENTS_BEHIND)
        self._live.pop(call_id, None)
        story.task.cancel()

    def _record_end(self, call_id: CallId, untold: "asyncio.Queue[CallEvent]") -> None:
        """A failed story may have had the call's end before it."""
        while not untold.empty():
            event = untold.get_nowait()
            if isinstance(event, CallEnded):
                self._begin(call_id).events.put_nowait(event)

    async def _run(self, call_id: CallId, events: "asyncio.Queue[CallEvent]") -> None:
        with structlog.contextvars.bound_contextvars(call_id=call_id):
            try:
                await handle_call(events, self.desk)
                self.counters["handled"] += 1
            except Exception:
                # The rim of a call task: a mistake in one call's story must not touch another call.
                self.counters["failed"] += 1
                log.exception("call.failed")
                self._live.pop(call_id, None)
                self._record_end(call_id, events)


class Pipeline:
    """Follows one PBX; `run` it."""

    def __init__(
        self, client: AmiClient, tracker: CallTracker, board: Board, calls: CallTasks, gaps: GapBook, *, pbx: str
    ) -> None:
        self._client = client
        self._tracker = tracker
        self._board = board
        self._calls = calls
        self._gaps = gaps
        self._pbx = pbx
        self._at = 0.0
        self._members: set[tuple[str, Extension]] | None = None
        self._complained: dict[AnomalyKind, float] = {}
        self.anomalies: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled: takes what was read, and what it means, in order."""
        async for item in self._client.events:
            match item:
                case Received(at=at, news=news):
                    self._at = max(self._at, at.wall)  # a clock set back must not give negative durations
                    for one in news:
                        match one:
                            case AmiEvent():
                                self._feed(one)
                            case PbxIdentity(started=started):
                                self._tracker.identified(started)
                            case Resynced():
                                self._resynced()
                            case Connected():
                                pass
                case Disconnected(at=at):
                    self._at = max(self._at, at.wall)
                    self._members = None  # a listing that broke off says nothing about who is no member any more
                    self._take(self._tracker.disconnected(self._at))
                    self._gaps.lost(self._pbx, moment(self._at), queues=self._tracker.queues)
                case Opened():
                    pass
            # A backlog is worked off in turns: the stream does not suspend while it has something to give.
            await asyncio.sleep(0)

    def _resynced(self) -> None:
        events, rebuilt = self._tracker.resynced(self._at)
        self._take(events)
        self._gaps.resynced(self._pbx, moment(self._at), rebuilt)

    def _feed(self, event: AmiEvent) -> None:
        if event.name == "QueueParams" and self._members is None:
            self._members = set()
        self._take(self._tracker.feed(event, self._at))
        if event.name == "QueueStatusComplete" and self._members is not None:
            self._board.members_listed(frozenset(self._members), pbx=self._pbx)
            self._members = None

    def _take(self, events: list[TrackerEvent]) -> None:
        for event in events:
            match event:
                case Anomaly(kind=kind, detail=detail):
                    self._complain(kind, detail)
                case MemberChanged(member=member):
                    if self._members is not None:
                        self._members.add((member.queue, member.agent))
                    self._board.feed(event)
                case MemberRemoved(queue=queue, agent=agent):
                    if self._members is not None:
                        self._members.discard((queue, agent))
                    self._board.feed(event)
                case _:
                    self._board.feed(event)
                    self._calls.put(event)

    def _complain(self, kind: AnomalyKind, detail: str) -> None:
        """Counts every one, logs one of a kind a minute."""
        self.anomalies[kind.value] += 1
        if self._at - self._complained.get(kind, 0.0) >= _COMPLAIN_EVERY_SECONDS:
            self._complained[kind] = self._at
            log.error("ami.forged" if kind is AnomalyKind.FORGED_EVENT else "tracker.anomaly", pbx=self._pbx, detail=detail)
