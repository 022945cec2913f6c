"""The queues as app_queue keeps them: who waits, who may be rung, the counters; and their events and device states.

State only. The waiting and ringing of one caller is `queue_app`.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cti_bridge.simulator.channels import Channel, MembersFree
from cti_bridge.simulator.switch import Switch
from cti_bridge.simulator.wire import Header
from cti_bridge.simulator.world import Agent, Queue, Strategy, World

_STATUS = {"NOT_INUSE": 1, "INUSE": 2, "BUSY": 3, "UNAVAILABLE": 5, "RINGING": 6, "RINGINUSE": 7, "ONHOLD": 8}
"""Asterisk's device state numbers (`Status` of a member)."""


@dataclass(slots=True, kw_only=True, eq=False)
class Member:
    """An agent's seat in one queue."""

    agent: Agent
    penalty: int
    login_time: int
    paused: bool = False
    pause_reason: str = ""
    last_pause: int = 0
    calls_taken: int = 0
    last_call: int = 0
    in_call: bool = False
    free_at: float = 0.0
    """Unix seconds at which the wrap-up after the last call is over."""

    @property
    def interface(self) -> str:
        return f"PJSIP/{self.agent.extension}"


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A caller in a queue. `ringing`: phones ring for this one now."""

    channel: Channel
    joined_at: float
    priority: int
    original_position: int
    ringing: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class QueueState:
    """One queue's present; the counters are since the PBX started, as AMI's QueueParams has them."""

    spec: Queue
    members: dict[str, Member]
    waiting: list[Entry] = field(default_factory=list)
    last_rung: str | None = None
    hold_time: int = 0
    talk_time: int = 0
    completed: int = 0
    abandoned: int = 0
    completed_in_time: int = 0
    abandoned_in_time: int = 0

    def position(self, entry: Entry) -> int:
        return self.waiting.index(entry) + 1


class Queues:
    """All queues of a world on one switch."""

    def __init__(self, *, switch: Switch, world: World) -> None:
        self._switch = switch
        self._by_name: dict[str, QueueState] = {}
        login_time = int(switch.now())
        for spec in world.queues:
            members = {}
            for extension in spec.members:
                agent = world.agent(extension)
                if agent is None:
                    raise ValueError(f"queue {spec.name} has the member {extension}, who is no agent of this world")
                members[extension] = Member(agent=agent, penalty=spec.penalties.get(extension, 0), login_time=login_time)
            self._by_name[spec.name] = QueueState(spec=spec, members=members)
        switch.on_device_state = self._device_changed

    def __iter__(self) -> Iterator[QueueState]:
        return iter(self._by_name.values())

    def named(self, name: str) -> QueueState:
        return self._by_name[name]

    def find(self, name: str) -> QueueState | None:
        return self._by_name.get(name)

    # -- callers

    def join(self, queue: QueueState, channel: Channel, *, priority: int = 0) -> Entry:
        """Behind everybody with the same or a higher priority."""
        ahead = sum(1 for other in queue.waiting if other.priority >= priority)
        entry = Entry(channel=channel, joined_at=self._switch.now(), priority=priority, original_position=ahead + 1)
        queue.waiting.insert(ahead, entry)
        self._switch.tell_device(f"Queue:{queue.spec.name}", "RINGING")
        self._caller_event("QueueCallerJoin", queue, entry, ("Count", str(len(queue.waiting))))
        return entry

    def abandon(self, queue: QueueState, entry: Entry) -> None:
        """QueueCallerAbandon; app_queue sends it for every leaving without an answer, time-out and Redirect too."""
        waited = self._waited(entry)
        queue.abandoned += 1
        queue.abandoned_in_time += waited <= queue.spec.service_level_seconds
        original = ("OriginalPosition", str(entry.original_position))
        self._caller_event("QueueCallerAbandon", queue, entry, original, ("HoldTime", str(waited)))

    def leave(self, queue: QueueState, entry: Entry) -> None:
        position = queue.position(entry)
        queue.waiting.remove(entry)
        if not queue.waiting:
            self._switch.tell_device(f"Queue:{queue.spec.name}", "NOT_INUSE")
        headers = [("Queue", queue.spec.name), ("Position", str(position)), ("Count", str(len(queue.waiting)))]
        self._switch.emit("QueueCallerLeave", "agent", [*entry.channel.snapshot(), *headers])
        self._stir([queue])

    def _caller_event(self, name: str, queue: QueueState, entry: Entry, *extra: Header) -> None:
        headers = [("Queue", queue.spec.name), ("Position", str(queue.position(entry))), *extra]
        self._switch.emit(name, "agent", [*entry.channel.snapshot(), *headers])

    # -- members

    def next_to_ring(self, queue: QueueState, entry: Entry) -> list[Member]:
        """The members to ring for this caller now; none while callers ahead have the better claim (autofill = yes)."""
        free = [member for member in queue.members.values() if self._may_ring(queue, member)]
        ahead = sum(1 for other in queue.waiting[: queue.position(entry) - 1] if not other.ringing)
        if len(free) <= ahead:
            return []
        lowest = min(member.penalty for member in free)
        free = [member for member in free if member.penalty == lowest]
        if queue.spec.strategy is Strategy.RING_ALL:
            return free
        if queue.spec.strategy is Strategy.ROUND_ROBIN and queue.last_rung is not None:
            order = list(queue.members)
            after = order.index(queue.last_rung) + 1
            free.sort(key=lambda member: (order.index(member.agent.extension) - after) % len(order))
        return free[:1]

    def status(self, member: Member) -> int:
        return _STATUS[self._switch.device_state(member.interface)]

    def pause(self, interface: str, *, paused: bool, reason: str, queue_name: str | None) -> bool:
        """Pauses or unpauses a member in one queue, or in all; False where the interface is in none. One event per queue."""
        touched = []
        for queue in self._by_name.values():
            member = queue.members.get(interface.removeprefix("PJSIP/"))
            if member is None or member.interface != interface or queue_name not in {None, queue.spec.name}:
                continue
            touched.append(queue)
            member.paused = paused
            member.pause_reason = reason if paused else ""
            if paused:
                member.last_pause = int(self._switch.now())
            self._switch.emit("QueueMemberPause", "agent", self.member_headers(queue, member))
        self._tell_available(touched)
        self._stir(touched)
        return bool(touched)

    def complete(self, queue: QueueState, member: Member, *, held: int, talked: int) -> None:
        """The book-keeping at the end of an answered call: moving averages as app_queue takes them, wrap-up of the agent."""
        now = self._switch.now()
        queue.completed += 1
        queue.completed_in_time += held <= queue.spec.service_level_seconds
        queue.hold_time = (3 * queue.hold_time + held) >> 2
        queue.talk_time = (3 * queue.talk_time + talked) >> 2
        member.in_call = False
        seats = [
            (other, other.members[member.agent.extension])
            for other in self._by_name.values()
            if member.agent.extension in other.members
        ]
        for other, seat in seats:
            # shared_lastcall = yes: the call counts for the agent's other queues too
            seat.calls_taken += 1
            seat.last_call = int(now)
            seat.free_at = now + other.spec.wrap_up_seconds
            if other.spec.wrap_up_seconds:
                asyncio.get_running_loop().call_later(other.spec.wrap_up_seconds, self._stir, [other])

    def member_headers(self, queue: QueueState, member: Member) -> list[Header]:
        """As QueueMemberStatus, QueueMemberPause and their kin carry them."""
        return [
            ("Queue", queue.spec.name),
            ("MemberName", member.agent.name),
            ("Interface", member.interface),
            *self._seat_headers(member),
            ("Ringinuse", "0"),
            ("Wrapuptime", "0"),
        ]

    def member_list_headers(self, queue: QueueState, member: Member) -> list[Header]:
        """As QueueStatus lists a member: Name and Location, no Ringinuse."""
        return [
            ("Queue", queue.spec.name),
            ("Name", member.agent.name),
            ("Location", member.interface),
            *self._seat_headers(member),
            ("Wrapuptime", "0"),
        ]

    def _seat_headers(self, member: Member) -> list[Header]:
        return [
            ("StateInterface", member.interface),
            ("Membership", "static"),
            ("Penalty", str(member.penalty)),
            ("CallsTaken", str(member.calls_taken)),
            ("LastCall", str(member.last_call)),
            ("LastPause", str(member.last_pause)),
            ("LoginTime", str(member.login_time)),
            ("InCall", str(int(member.in_call))),
            ("Status", str(self.status(member))),
            ("Paused", str(int(member.paused))),
            ("PausedReason", member.pause_reason),
        ]

    def available(self, member: Member) -> bool:
        return self.status(member) == 1 and not member.paused and member.free_at <= self._switch.now()

    def _may_ring(self, queue: QueueState, member: Member) -> bool:
        extension = member.agent.extension
        return self.available(member) and not any(
            other.spec.weight > queue.spec.weight
            and extension in other.members
            and any(not entry.ringing for entry in other.waiting)
            for other in self._by_name.values()
        )

    def _device_changed(self, device: str, _state: str) -> None:
        extension = device.removeprefix("PJSIP/")
        touched = [queue for queue in self._by_name.values() if device.startswith("PJSIP/") and extension in queue.members]
        for queue in touched:
            headers = self.member_headers(queue, queue.members[extension])
            self._switch.emit("QueueMemberStatus", "agent", headers)
        self._tell_available(touched)
        self._stir(touched)

    def _tell_available(self, queues: Iterable[QueueState]) -> None:
        for queue in queues:
            free = any(self.status(member) == 1 and not member.paused for member in queue.members.values())
            self._switch.tell_device(f"Queue:{queue.spec.name}_avail", "NOT_INUSE" if free else "INUSE")

    def _stir(self, queues: Iterable[QueueState]) -> None:
        for queue in queues:
            for entry in queue.waiting:
                if entry.channel.inbox is not None:
                    entry.channel.inbox.put(MembersFree())

    def _waited(self, entry: Entry) -> int:
        return int(self._switch.now()) - int(entry.joined_at)
