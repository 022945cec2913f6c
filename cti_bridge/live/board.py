"""The live board: which calls, agents and queues there are now, and the day's figures of each queue.

Comes in: call events and agent events, in order. Goes out: the present state for browsers, REST and commands, at any time, from
memory. Pure: the time comes in. Definitions of the figures: docs/figures.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cti_bridge.domain.agent import AgentActivity, AgentState, AgentStatus, PhoneState, QueueMember
from cti_bridge.domain.call import Call, CallId, CallState, Direction, Extension, Outcome
from cti_bridge.domain.call_events import (
    AgentEvent,
    CallEnded,
    CallEvent,
    CallLeftQueue,
    CallQueued,
    MemberChanged,
    MemberRemoved,
)
from cti_bridge.domain.figures import QueueFigures
from cti_bridge.domain.gap import Gap, GapId

_UNREACHABLE = frozenset({PhoneState.INVALID, PhoneState.UNAVAILABLE})
_FIGURE_OF_ACTIVITY = {
    AgentActivity.RINGING: "ringing",
    AgentActivity.TALKING: "talking",
    AgentActivity.HOLD: "hold",
    AgentActivity.WRAP_UP: "wrap_up",
}
AGENT_FIGURES = ("ready", "ringing", "talking", "hold", "wrap_up", "paused", "not_available")
"""Members by state; each is counted once, by the first of: on a call, in wrap-up, paused, phone not reachable, ready."""


@dataclass(slots=True)
class _Counts:
    """A queue's day."""

    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    short_abandons: int = 0
    overflowed: int = 0
    wait_of_answered_s: float = 0.0
    waiting: dict[CallId, datetime] = field(default_factory=dict)


class Board:
    """`service_level_seconds`, `short_abandon_seconds` and `wrap_up_seconds` as in the settings' section [queues]."""

    def __init__(self, *, since: datetime, service_level_seconds: int, short_abandon_seconds: int, wrap_up_seconds: int) -> None:
        self._since = since
        self._service_level = service_level_seconds
        self._short_abandon = short_abandon_seconds
        self._wrap_up = timedelta(seconds=wrap_up_seconds)
        self._calls: dict[CallId, Call] = {}
        self._queues: dict[str, _Counts] = {}
        self._members: dict[tuple[str, Extension], QueueMember] = {}
        self._wrapping_up: dict[Extension, tuple[datetime, CallId]] = {}
        self._shown: dict[Extension, tuple[tuple[object, ...], datetime]] = {}
        self._unsettled: dict[GapId, Gap] = {}

    def begin_day(self, since: datetime) -> None:
        """Counts from zero; callers who wait now count as offered in the new day."""
        self._since = since
        for gap in tuple(self._unsettled.values()):
            self.note_gap(gap)
        for queue, counts in self._queues.items():
            self._queues[queue] = _Counts(offered=len(counts.waiting), waiting=counts.waiting)

    @property
    def since(self) -> datetime:
        return self._since

    def feed(self, event: CallEvent | AgentEvent) -> None:
        """Takes one event; the same join or leave told twice counts once."""
        match event:
            case MemberChanged(member=member):
                self._members[member.queue, member.agent] = member
                self._counts(member.queue)
            case MemberRemoved(queue=queue, agent=agent):
                self._members.pop((queue, agent), None)
            case _:
                self._feed_call(event)

    def members_listed(self, seats: frozenset[tuple[str, Extension]], *, pbx: str) -> None:
        """After a full listing of one PBX: its seats that are not in it no longer exist."""
        for seat, member in tuple(self._members.items()):
            if member.pbx == pbx and seat not in seats:
                del self._members[seat]

    def note_gap(self, gap: Gap) -> None:
        """The figures of the gap's queues are provisional from now on, or no more: settled, or over before this day began."""
        if gap.settled_at is None and (gap.until is None or gap.until > self._since):
            self._unsettled[gap.gap_id] = gap
        else:
            self._unsettled.pop(gap.gap_id, None)

    def wrapped_up(self, agent: Extension) -> None:
        """The agent saved the wrap-up: ready again before its time is over."""
        self._wrapping_up.pop(agent, None)

    def call(self, call_id: CallId) -> Call | None:
        return self._calls.get(call_id)

    def calls(self) -> tuple[Call, ...]:
        """Live calls, oldest first."""
        return tuple(self._calls.values())

    def members_of(self, agent: Extension) -> tuple[QueueMember, ...]:
        return tuple(member for member in self._members.values() if member.agent == agent)

    def agents(self, now: datetime) -> tuple[AgentState, ...]:
        """Every agent who is a member of a queue, by extension."""
        seats: dict[Extension, list[QueueMember]] = {}
        for member in self._members.values():
            seats.setdefault(member.agent, []).append(member)
        busy = self._activities()
        return tuple(self._agent(agent, held, busy, now) for agent, held in sorted(seats.items()))

    def queues(self, now: datetime) -> tuple[QueueFigures, ...]:
        """Figures of every queue, by name."""
        states = {state.agent: state for state in self.agents(now)}
        provisional = {queue for gap in self._unsettled.values() for queue in gap.queues}
        return tuple(
            self._figures(queue, counts, states, provisional=queue in provisional)
            for queue, counts in sorted(self._queues.items())
        )

    # --- calls

    def _feed_call(self, event: CallEvent) -> None:
        call = event.call
        before = self._calls.get(call.call_id)
        if isinstance(event, CallEnded):
            self._calls.pop(call.call_id, None)
        else:
            self._calls[call.call_id] = call
        match event:
            case CallQueued(queue=queue, at=at):
                counts = self._counts(queue)
                if call.call_id not in counts.waiting:
                    counts.offered += 1
                    counts.waiting[call.call_id] = at
            case CallLeftQueue(queue=queue, at=at, answered=answered, abandoned=abandoned):
                self._left(queue, call.call_id, at, answered=answered, abandoned=abandoned)
            case CallEnded(at=at):
                for queue in call.queues:
                    abandoned = call.outcome is Outcome.ABANDONED
                    self._left(queue, call.call_id, at, answered=False, abandoned=abandoned)
            case _:
                pass
        if before is not None and call.direction is not Direction.INTERNAL and self._wrap_up:
            still = () if isinstance(event, CallEnded) else tuple(_talking_agents(call))
            for agent in set(_talking_agents(before)).difference(still):
                self._wrapping_up[agent] = (event.at + self._wrap_up, call.call_id)

    def _left(self, queue: str, call_id: CallId, at: datetime, *, answered: bool, abandoned: bool) -> None:
        counts = self._counts(queue)
        joined_at = counts.waiting.pop(call_id, None)
        if joined_at is None:
            return
        wait = (at - joined_at).total_seconds()
        if answered:
            counts.answered += 1
            counts.wait_of_answered_s += wait
            counts.answered_in_time += wait <= self._service_level
        elif abandoned:
            counts.abandoned += 1
            counts.short_abandons += wait < self._short_abandon
        else:
            counts.overflowed += 1

    def _counts(self, queue: str) -> _Counts:
        return self._queues.setdefault(queue, _Counts())

    # --- agents

    def _activities(self) -> dict[Extension, tuple[AgentActivity, CallId]]:
        """What each agent does in the live calls; talking wins over ringing on a second line."""
        busy: dict[Extension, tuple[AgentActivity, CallId]] = {}
        for call in self._calls.values():
            for agent in call.ringing:
                busy.setdefault(agent, (AgentActivity.RINGING, call.call_id))
        for call in self._calls.values():
            activity = AgentActivity.HOLD if call.state is CallState.HELD else AgentActivity.TALKING
            for agent in _talking_agents(call):
                busy[agent] = (activity, call.call_id)
        return busy

    def _agent(
        self,
        agent: Extension,
        seats: list[QueueMember],
        busy: dict[Extension, tuple[AgentActivity, CallId]],
        now: datetime,
    ) -> AgentState:
        activity, call_id = busy.get(agent, (AgentActivity.IDLE, None))
        if activity is AgentActivity.IDLE and agent in self._wrapping_up:
            until, wrapped = self._wrapping_up[agent]
            if now < until:
                activity, call_id = AgentActivity.WRAP_UP, wrapped
            else:
                del self._wrapping_up[agent]
        paused = all(seat.paused for seat in seats)
        status = AgentStatus.PAUSED if paused else AgentStatus.READY
        reason = next((seat.pause_reason for seat in seats if seat.pause_reason), None) if paused else None
        key = (activity, status, reason)
        shown = self._shown.get(agent)
        if shown is None or shown[0] != key:
            shown = self._shown[agent] = (key, now)
        return AgentState(
            agent=agent,
            name=seats[0].name,
            status=status,
            pause_reason=reason,
            activity=activity,
            phone=seats[0].phone,
            since=shown[1],
            queues=tuple(sorted(seat.queue for seat in seats)),
            call_id=call_id,
        )

    def _figures(self, queue: str, counts: _Counts, states: dict[Extension, AgentState], *, provisional: bool) -> QueueFigures:
        agents = dict.fromkeys(AGENT_FIGURES, 0)
        for name, agent in self._members:
            if name == queue:
                agents[self._figure_of(self._members[name, agent], states[agent])] += 1
        return QueueFigures(
            queue=queue,
            since=self._since,
            waiting=len(counts.waiting),
            longest_waiting_since=min(counts.waiting.values(), default=None),
            offered=counts.offered,
            answered=counts.answered,
            abandoned=counts.abandoned,
            short_abandons=counts.short_abandons,
            overflowed=counts.overflowed,
            answered_in_time=counts.answered_in_time,
            service_level_seconds=self._service_level,
            wait_of_answered_s=counts.wait_of_answered_s,
            agents=agents,
            provisional=provisional,
        )

    def _figure_of(self, seat: QueueMember, state: AgentState) -> str:
        figure = _FIGURE_OF_ACTIVITY.get(state.activity)
        if figure is not None:
            return figure
        if seat.paused:
            return "paused"
        return "not_available" if seat.phone in _UNREACHABLE else "ready"


def _talking_agents(call: Call) -> Iterator[Extension]:
    return (Extension(party) for party in call.talking if not party.startswith("external:"))
