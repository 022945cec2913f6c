"""One PBX's stream to the board and to the call tasks: stop 2 of the walk from the PBX to the browser.

In: what the AMI client read. Out: tracker events, given to the live board at once and to the call's own task through a bounded
queue. Reading never waits for anything here: a call whose task is too far behind is given up alone.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import Connected, Disconnected, Opened, PbxIdentity, Received, Resynced
from cti_bridge.call_task import Before, Desk, handle_call
from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.call_events import (
    Anomaly,
    AnomalyKind,
    CallArrived,
    CallChanged,
    CallEnded,
    CallEvent,
    MemberChanged,
    MemberRemoved,
    TrackerEvent,
)
from cti_bridge.domain.errors import StorageError
from cti_bridge.gaps import GapBook
from cti_bridge.journal.erase import finish
from cti_bridge.journal.reader import tail_of
from cti_bridge.journal.writer import Journal, Needs
from cti_bridge.kill_points import kill_points
from cti_bridge.live.board import Board
from cti_bridge.recovery import Past, replay
from cti_bridge.tracking.draft import moment
from cti_bridge.tracking.tracker import CallTracker

log = structlog.get_logger()

MAX_EVENTS_BEHIND = 256
"""Events that one call's task may be behind; a call has about ten, so this means that its store or hub hangs."""
_COMPLAIN_EVERY_SECONDS = 60.0
_ROUNDED_SECONDS = 1e-5
"""A call's own times are rounded to microseconds; a replay must not begin just behind its first event."""
REPLAY_SECONDS = 3600.0
"""How far a replay goes back for calls that are going on (about 40 MB a second): older ones come back by the PBX's listing, as
estimated. For calls that are not stored yet it goes back as far as it must."""
RESTORE_SECONDS = 2.0
"""How long the start waits for the cards of the calls that go on; a store that is slower fills them in later."""
CATCH_UP_SECONDS = 5.0
CAUGHT_UP_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Story:
    """A call's task and the events that it has not taken yet."""

    events: "asyncio.Queue[CallEvent]"
    task: "asyncio.Task[None]"


@dataclass(slots=True)
class CallTasks:
    """The running call tasks. `counters`: handled, given_up, failed, left (found no room in the recorder)."""

    desk: Desk
    tasks: asyncio.TaskGroup
    counters: Counter[str] = field(default_factory=Counter)
    _live: dict[CallId, _Story] = field(default_factory=dict)
    _running: set["asyncio.Task[None]"] = field(default_factory=set)
    _unstored: dict[CallId, float] = field(default_factory=dict)
    """When calls began that are over and not on disk yet."""
    _left: set[CallId] = field(default_factory=set)
    """Those of them that no task has any more: only the journal has them."""

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
            self._unstored[call_id] = event.call.started_at.timestamp() - _ROUNDED_SECONDS
            self._left.discard(call_id)
        try:
            story.events.put_nowait(event)
        except asyncio.QueueFull:
            self._give_up(call_id, story)
            if isinstance(event, CallEnded):
                self._begin(call_id).events.put_nowait(event)

    async def restore(self, histories: Sequence[Sequence[CallEvent]], *, seconds: float) -> None:
        """Takes up calls that were going on before the service was started anew; waits for their cards, `seconds` at most."""
        befores = [Before(events=events) for events in histories]
        for before in befores:
            call_id = before.events[-1].call.call_id
            self._live[call_id] = self._begin(call_id, before)
        try:
            async with asyncio.timeout(seconds):
                for before in befores:
                    await before.is_restored.wait()
        except TimeoutError:
            log.warning("journal.cards_late", calls=sum(not before.is_restored.is_set() for before in befores))

    def unstored(self, pbx: str) -> dict[CallId, float]:
        """This PBX's calls that are over and not on disk, and when they began."""
        return {call_id: began for call_id, began in self._unstored.items() if call_id.startswith(f"{pbx}:")}

    def left(self, pbx: str) -> Mapping[CallId, float]:
        """This PBX's calls that found no room in the recorder, and when they began."""
        return {call_id: self._unstored[call_id] for call_id in self._left if call_id.startswith(f"{pbx}:")}

    async def record_again(self, ends: Sequence[CallEvent]) -> None:
        """Tries once more to store calls that found no room, as the journal tells them; returns when it is done."""
        stories = []
        for end in ends:
            self._left.discard(end.call.call_id)
            story = self._begin(end.call.call_id)
            story.events.put_nowait(end)
            stories.append(story.task)
        if stories:
            await asyncio.wait(stories)

    def give_up_left(self, call_id: CallId) -> None:
        """The journal does not have this call: only the PBX's own record still does."""
        self._left.discard(call_id)
        self._unstored.pop(call_id, None)
        log.error("call.not_recorded", call_id=call_id, error="the recorder had no room for it, and the journal does not tell it")

    async def drain(self, seconds: float) -> None:
        """Lets the tasks of calls that are over store them; the others are taken up again from the journal at the next start."""
        ending = self._running - {story.task for story in self._live.values()}
        if ending:
            _, late = await asyncio.wait(ending, timeout=seconds)
            for task in late:
                log.warning("shutdown.straggler", task=task.get_name())
        for task in tuple(self._running):
            task.cancel()

    def _begin(self, call_id: CallId, before: Before | None = None) -> _Story:
        events: asyncio.Queue[CallEvent] = asyncio.Queue(MAX_EVENTS_BEHIND)
        task = self.tasks.create_task(self._run(call_id, events, before), name=f"call {call_id}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return _Story(events, task)

    def _give_up(self, call_id: CallId, story: _Story) -> None:
        self.counters["given_up"] += 1
        log.error("call.given_up", call_id=call_id, events_behind=MAX_EVENTS_BEHIND)
        self._live.pop(call_id, None)
        story.task.cancel()

    def _record_end(self, call_id: CallId, untold: "asyncio.Queue[CallEvent]") -> None:
        """A failed story may have had the call's end before it; where it failed at the end itself, another try would not help."""
        while not untold.empty():
            event = untold.get_nowait()
            if isinstance(event, CallEnded):
                self._begin(call_id).events.put_nowait(event)
                return
        self._unstored.pop(call_id, None)

    async def _run(self, call_id: CallId, events: "asyncio.Queue[CallEvent]", before: Before | None) -> None:
        with structlog.contextvars.bound_contextvars(call_id=call_id):
            try:
                if await handle_call(events, self.desk, before):
                    self._unstored.pop(call_id, None)
                    self.counters["handled"] += 1
                else:
                    self._left.add(call_id)
                    self.counters["left"] += 1
            except Exception:
                # The rim of a call task: a mistake in one call's story must not touch another call.
                self.counters["failed"] += 1
                log.exception("call.failed")
                self._live.pop(call_id, None)
                self._record_end(call_id, events)


class Pipeline:
    """Follows one PBX: `recover` what its journal tells, then `run` it, with `catch_up` beside."""

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
        self._taken = 0
        self._members: set[tuple[str, Extension]] | None = None
        self._complained: dict[AnomalyKind, float] = {}
        self.anomalies: Counter[str] = Counter()

    @property
    def seen_until(self) -> float:
        """The receive time of the newest thing taken, in Unix seconds; 0 before anything was."""
        return self._at

    async def recover(self, journal: Journal) -> None:
        """Knows again what was known before the service ended: calls that were going on, their agents' cards, calls that were not
        stored yet. Nobody is told anything twice. What happened since is for the resync, as after any loss of the link.
        """
        past = Past()
        try:
            await asyncio.to_thread(finish, journal.folder)
            tail = tail_of(journal.folder)
            if tail is not None:
                past = await replay(tail, self._tracker)
        except OSError as error:
            log.error("journal.not_read", pbx=self._pbx, folder=str(journal.folder), error=error.strerror or str(error))
        journal.counters["torn"] += past.torn
        self._at = past.at
        journal.begin(self.needs, seen_until=past.at)
        await self._restore(past)
        self._tracker.identified(past.started)
        if past.at:
            self._take(self._tracker.disconnected(past.at))
            self._gaps.away_since(self._pbx, moment(past.at))

    async def _restore(self, past: Past) -> None:
        for told in past.ended.values():  # for the agents' wrap-up; the day's figures begin anew
            for event in told[:-1]:
                self._board.feed(CallChanged(call=event.call, at=event.at))
            self._board.feed(told[-1])
        for events in past.live.values():
            for event in events:
                self._board.feed(event)
        try:
            stored = await self._calls.desk.recorder.over(tuple(past.ended))
        except StorageError as error:
            log.warning("journal.store_away", pbx=self._pbx, error=str(error))
            stored = frozenset()
        for call_id, told in past.ended.items():
            if call_id not in stored:
                self._calls.put(told[-1])
        await self._calls.restore(tuple(past.live.values()), seconds=RESTORE_SECONDS)

    def needs(self) -> Needs:
        """What a replay of the journal must bring: the calls that go on, and those that are over and not stored; it begins when
        the oldest of them, or of the channels that are alive, did.
        """
        unstored = self._calls.unstored(self._pbx)
        live = self._tracker.needed_from()
        moments = [self._at if live is None else max(live, self._at - REPLAY_SECONDS), *unstored.values()]
        return Needs(
            since=min(moments) if self._at else None,
            calls=tuple(call_id.partition(":")[2] for call_id in (*self._tracker.live_ids(), *unstored)),
            taken=self._taken,
            started=self._tracker.pbx_started,
        )

    async def catch_up(self, journal: Journal) -> None:
        """Until cancelled: reads calls from the journal that found no room in the recorder, once it has room again."""
        recorder = self._calls.desk.recorder
        while True:
            await asyncio.sleep(CATCH_UP_SECONDS)
            left = self._calls.left(self._pbx)
            if not left or not recorder.has_room:
                continue
            try:
                tail = tail_of(journal.folder, needs=min(left.values()))
                past = await replay(tail, self._tracker.fresh()) if tail is not None else Past()
            except OSError as error:
                log.error("journal.not_read", pbx=self._pbx, folder=str(journal.folder), error=error.strerror or str(error))
                continue
            found = [past.ended[call_id][-1] for call_id in left if call_id in past.ended]
            for call_id in left.keys() - past.ended.keys():
                self._calls.give_up_left(call_id)
            for start in range(0, len(found), CAUGHT_UP_AT_ONCE):
                await self._calls.record_again(found[start : start + CAUGHT_UP_AT_ONCE])

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
                    kill_points.reached("tracker.fed")
                case Disconnected(at=at):
                    self._at = max(self._at, at.wall)
                    self._members = None  # a listing that broke off says nothing about who is no member any more
                    self._take(self._tracker.disconnected(self._at))
                    self._gaps.lost(self._pbx, moment(self._at), queues=self._tracker.queues)
                case Opened(at=at):
                    self._at = max(self._at, at.wall)
            # A backlog is worked off in turns: the stream does not suspend while it has something to give.
            self._taken += 1
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
