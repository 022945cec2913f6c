"""The Queue application: one caller's wait, the ringing of members, the answer; as app_queue of Asterisk 22 does and tells it.

The order of events is that of tests/traces/q_*: two DialEnd for every ring that was called off, AgentRingNoAnswer in
milliseconds, QueueCallerAbandon also where the system ended the wait.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from cti_bridge.simulator.channels import Answered, Channel, Gone, LegGone, Moved
from cti_bridge.simulator.queues import Entry, Member, Queues, QueueState
from cti_bridge.simulator.switch import Switch
from cti_bridge.simulator.wire import Header, State, prefixed
from cti_bridge.simulator.world import INTERNAL_CONTEXT, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A member answered; put both in a bridge, and call `complete(reason)` at the end."""

    leg: Channel
    complete: Callable[[str], None]


@dataclass(slots=True, kw_only=True, eq=False)
class _Ring:
    """One member's phone ringing for one caller."""

    member: Member
    leg: Channel
    since: float


class QueueApp:
    def __init__(self, *, switch: Switch, queues: Queues) -> None:
        self._switch = switch
        self._queues = queues

    def exists(self, name: str) -> bool:
        return self._queues.find(name) is not None

    async def wait(self, channel: Channel, name: str, *, priority: int = 0) -> Taken | Gone | Moved | None:
        """The caller waits until a member answers; None when the longest wait is over. Gone and Moved: the caller left.

        `priority` is QUEUE_PRIO: ahead of all with a lower one.
        """
        queue = self._queues.named(name)
        entry = self._queues.join(queue, channel, priority=priority)
        self._switch.start_music(channel)
        visit = _Visit(self._switch, self._queues, queue, entry)
        return await visit.run()


class _Visit:
    """One caller's stay in one queue."""

    def __init__(self, switch: Switch, queues: Queues, queue: QueueState, entry: Entry) -> None:
        self._switch = switch
        self._queues = queues
        self._queue = queue
        self._entry = entry
        self._caller = entry.channel
        assert entry.channel.inbox is not None, "callers in queues run dialplan"
        self._inbox = entry.channel.inbox
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + queue.spec.longest_wait_seconds

    async def run(self) -> Taken | Gone | Moved | None:
        while self._loop.time() < self._end:
            members = self._queues.next_to_ring(self._queue, self._entry)
            if members:
                result = await self._ring(members)
            else:
                result = await self._idle(self._end, wake=True)
            if result is not None:
                return result
        self._give_up([])
        return None

    async def _idle(self, until: float, *, wake: bool) -> Gone | Moved | None:
        """Nothing rings. `wake`: back as soon as a member may be free."""
        while True:
            signal = await self._inbox.next(until)
            if isinstance(signal, Gone | Moved):
                self._give_up([])
                return signal
            if signal is None or wake:
                return None

    async def _ring(self, members: list[Member]) -> Taken | Gone | Moved | None:
        """One attempt: these phones ring until one answers, all refuse, or the ring time is over."""
        self._entry.ringing = True
        self._queue.last_rung = members[-1].agent.extension
        rings = [self._start(member) for member in members]
        for ring in rings:
            self._let_ring(ring)
        try:
            return await self._await_answer(rings)
        finally:
            self._entry.ringing = False

    async def _await_answer(self, rings: list[_Ring]) -> Taken | Gone | Moved | None:
        until = self._loop.time() + self._queue.spec.ring_seconds
        while rings:
            signal = await self._inbox.next(until)
            match signal:
                case Answered():
                    for ring in rings:
                        if ring.leg is signal.leg:
                            return self._taken(ring, [other for other in rings if other is not ring])
                case LegGone():
                    for ring in rings:
                        if ring.leg is signal.leg:
                            self._refused(ring, signal)
                            rings = [other for other in rings if other is not ring]
                            break
                case Gone() | Moved():
                    self._give_up(rings)
                    return signal
                case None:
                    for ring in rings:
                        self._not_answered(ring)
                    return await self._idle(self._loop.time() + self._queue.spec.retry_seconds, wake=False)
                case _:
                    continue
        return None

    # -- the steps, each with its events

    def _start(self, member: Member) -> _Ring:
        switch, caller = self._switch, self._caller
        leg = switch.new_channel(
            member.agent.extension,
            state=State.DOWN,
            number=member.agent.extension,
            caller_name=member.agent.name,
            context=INTERNAL_CONTEXT,
            requester=caller,
        )
        as_created = leg.snapshot()
        leg.exten = caller.exten
        leg.connected_number, leg.connected_name = caller.number, caller.caller_name
        leg.application, leg.application_data = "AppQueue", "(Outgoing Line)"
        leg.dialled_by = caller.inbox
        self._agent_event("AgentCalled", member, leg)
        switch.dial_begin(caller, as_created, member.interface)
        if self._queue.spec.strategy is not Strategy.RING_ALL:
            switch.set_connected(caller, member.agent.extension, member.agent.name)
        return _Ring(member=member, leg=leg, since=switch.now())

    def _let_ring(self, ring: _Ring) -> None:
        self._switch.set_state(ring.leg, State.RINGING)
        self._switch.set_connected(ring.leg, self._caller.number, self._caller.caller_name)
        self._switch.dial_state(self._caller, ring.leg)

    def _taken(self, ring: _Ring, others: list[_Ring]) -> Taken:
        switch, caller, queue, member = self._switch, self._caller, self._queue, ring.member
        switch.dial_end(caller, ring.leg, "ANSWER")
        for other in others:
            switch.dial_end(caller, other.leg, "CANCEL")
        if queue.spec.strategy is Strategy.RING_ALL:
            switch.set_connected(caller, member.agent.extension, member.agent.name)
        for other in others:
            switch.dial_end(caller, other.leg, "CANCEL")
        switch.stop_music(caller)
        switch.settle()
        held = int(switch.now()) - int(self._entry.joined_at)
        rang = int(switch.now()) - int(ring.since)
        self._queues.leave(queue, self._entry)
        self._agent_event("AgentConnect", member, ring.leg, ("HoldTime", str(held)), ("RingTime", str(rang)))
        for other in others:
            switch.hang_up(other.leg, 26)
        member.in_call = True
        connected_at = switch.now()

        def complete(reason: str) -> None:
            talked = int(switch.now()) - int(connected_at)
            tail = (("HoldTime", str(held)), ("TalkTime", str(talked)), ("Reason", reason))
            self._agent_event("AgentComplete", member, ring.leg, *tail)
            self._queues.complete(queue, member, held=held, talked=talked)

        return Taken(leg=ring.leg, complete=complete)

    def _refused(self, ring: _Ring, signal: LegGone) -> None:
        self._switch.dial_end(self._caller, ring.leg, "NOANSWER")
        self._ring_no_answer(ring)
        self._switch.hang_up(ring.leg, signal.cause)

    def _not_answered(self, ring: _Ring) -> None:
        self._ring_no_answer(ring)
        self._switch.dial_end(self._caller, ring.leg, "NOANSWER")
        self._switch.dial_end(self._caller, ring.leg, "CANCEL")
        self._switch.hang_up(ring.leg, 0)

    def _give_up(self, rings: list[_Ring]) -> None:
        """The wait is over without an answer: the caller went, was moved, or has waited too long."""
        self._switch.stop_music(self._caller)
        for ring in rings:
            self._switch.dial_end(self._caller, ring.leg, "CANCEL")
            self._switch.dial_end(self._caller, ring.leg, "CANCEL")
        self._queues.abandon(self._queue, self._entry)
        self._queues.leave(self._queue, self._entry)
        for ring in rings:
            self._switch.hang_up(ring.leg, 0)

    def _ring_no_answer(self, ring: _Ring) -> None:
        # whole seconds, told in milliseconds, as app_queue does
        rang = (int(self._switch.now()) - int(ring.since)) * 1000
        self._agent_event("AgentRingNoAnswer", ring.member, ring.leg, ("RingTime", str(rang)))

    def _agent_event(self, name: str, member: Member, leg: Channel, *extra: Header) -> None:
        headers = [
            *self._caller.snapshot(),
            *prefixed("Dest", leg.snapshot()),
            ("Queue", self._queue.spec.name),
            ("Interface", member.interface),
            ("MemberName", member.agent.name),
            *extra,
        ]
        self._switch.emit(name, "agent", headers)
