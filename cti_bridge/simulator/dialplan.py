"""What happens to a channel that runs dialplan: the place it dialled, the applications there, its end.

One task a channel, reading its inbox: `Dialplan.start` is to this PBX what a channel thread is to Asterisk. Queue is in
`queue_app`; here are Dial, the conversation that both end in, and click-to-call.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_never

from cti_bridge.simulator.agi import FastAgi
from cti_bridge.simulator.channels import (
    Answered,
    Channel,
    GivenAway,
    Gone,
    Inbox,
    LegGone,
    LegMoved,
    MembersFree,
    Moved,
    Released,
    Replaced,
)
from cti_bridge.simulator.queue_app import QueueApp
from cti_bridge.simulator.switch import Switch, SwitchFull
from cti_bridge.simulator.wire import State
from cti_bridge.simulator.world import (
    CLICK_TO_CALL_CONTEXT,
    INBOUND_CONTEXT,
    INTERNAL_CONTEXT,
    Agent,
    AgentNumber,
    Number,
    QueueNumber,
    World,
)

AGENT_RING_SECONDS = 20.0
OUTSIDE_RING_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OutsideNumber:
    """A customer's number, dialled over the trunk."""

    number: str


Target = Number | OutsideNumber


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The channel goes on at another place."""

    context: str
    exten: str


@dataclass(frozen=True, slots=True)
class End:
    """The dialplan is through: hang up with `cause`; `tech_cause` is the SIP answer to a caller who was never answered."""

    cause: int = 16
    tech_cause: int | None = None


Next = Elsewhere | End


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A click-to-call. `tell(channel, reason)` sends OriginateResponse: 4 answered, 3 not answered, 5 busy, 8 refused."""

    agent: Agent
    context: str
    exten: str
    ring_seconds: float
    caller_number: str | None
    caller_name: str | None
    channel_id: str | None
    tell: Callable[[Channel | None, int], None]


Spawn = Callable[[Coroutine[Any, Any, None], str], None]


class Dialplan:
    """The extensions.conf of `world`, run on `switch`; `spawn(coroutine, name)` starts the task of one channel."""

    def __init__(self, *, switch: Switch, world: World, queues: QueueApp, spawn: Spawn) -> None:
        self._switch = switch
        self._world = world
        self._queues = queues
        self._spawn = spawn
        self.routes: FastAgi | None = None
        """Asked about every call from outside for a queue, as the dialplan of docs/asterisk.md does; None: its own queue."""

    def target(self, context: str, exten: str) -> Target | None:
        """What `exten` leads to in `context`; None where the dialplan has no such extension."""
        world = self._world
        if context == INBOUND_CONTEXT:
            return world.numbers.get(exten)
        if context == INTERNAL_CONTEXT:
            if world.agent(exten) is not None:
                return AgentNumber(extension=exten, ring_seconds=AGENT_RING_SECONDS)
            if exten in world.services:
                return world.services[exten]
            outside = exten[1:] if exten.startswith("9") else ""
            return OutsideNumber(outside) if _is_number(outside) else None
        if context == CLICK_TO_CALL_CONTEXT:
            return OutsideNumber(exten) if _is_number(exten) else None
        return None

    def start(self, channel: Channel, context: str, exten: str) -> None:
        """Runs dialplan on the channel from here on."""
        channel.inbox = Inbox()
        channel.dialled_by = None
        _place(channel, context, exten)
        self._spawn(self._run(channel), f"dialplan {channel.name}")

    async def _run(self, channel: Channel) -> None:
        step: Next = Elsewhere(channel.context, channel.exten)
        while isinstance(step, Elsewhere):
            _place(channel, step.context, step.exten)
            step = await self._follow(channel, self.target(step.context, step.exten))
        if not channel.gone:
            self._switch.stop_music(channel)
            self._switch.soft_hangup(channel)
            channel.tech_cause = channel.tech_cause or step.tech_cause
            self._switch.hang_up(channel, step.cause)

    async def _follow(self, channel: Channel, target: Target | None) -> Next:
        match target:
            case QueueNumber():
                return await self._queue(channel, target)
            case AgentNumber():
                return await self._dial_agent(channel, target)
            case OutsideNumber():
                return await self._dial_outside(channel, target)
            case None:
                return End(cause=1)
            case _:
                assert_never(target)

    # -- Queue

    async def _queue(self, channel: Channel, target: QueueNumber) -> Next:
        if channel.state is not State.UP:
            channel.priority = target.steps - 1
            channel.application = "Answer"
            self._switch.set_state(channel, State.UP)
        queue, priority = await self._route(channel, target.queue)
        if channel.ending:
            return End(cause=0)
        channel.priority = target.steps
        channel.application, channel.application_data = "Queue", f"{queue},tTkKxX,,,300"
        result = await self._queues.wait(channel, queue, priority=priority)
        match result:
            case Gone():
                return End(cause=0)
            case Moved(context=context, exten=exten):
                return Elsewhere(context, exten)
            case None:
                return End()
            case _:
                return await self._talk(channel, result.leg, result.complete)

    async def _route(self, channel: Channel, default: str) -> tuple[str, int]:
        """The queue and the priority that the routing service chose, else the number's own queue."""
        if self.routes is None or channel.context != INBOUND_CONTEXT:
            return default, 0
        channel.application, channel.application_data = "AGI", "route"
        told = await self.routes.variables(channel)
        chosen, priority = told.get("CTI_QUEUE", ""), told.get("CTI_PRIORITY", "")
        if not self._queues.exists(chosen):
            chosen = default
        return chosen, int(priority) if priority.isdigit() else 0

    # -- Dial

    async def _dial_agent(self, channel: Channel, target: AgentNumber) -> Next:
        agent = self._world.agent(target.extension)
        assert agent is not None, "worlds dial their own agents only"
        switch = self._switch
        channel.application, channel.application_data = "Dial", f"PJSIP/{agent.extension},{target.ring_seconds:.0f},tTkKxX"
        leg = switch.new_channel(
            agent.extension,
            state=State.DOWN,
            number=agent.extension,
            caller_name=agent.name,
            context=INTERNAL_CONTEXT,
            requester=channel,
        )
        leg.exten = channel.exten
        switch.set_connected(leg, channel.number, channel.caller_name)
        switch.dial_begin(channel, leg.snapshot(), agent.extension)
        switch.set_connected(channel, agent.extension, agent.name)
        return await self._ring_and_talk(channel, leg, target.ring_seconds)

    async def _dial_outside(self, channel: Channel, target: OutsideNumber) -> Next:
        switch, trunk = self._switch, self._world.trunk
        switch.set_caller(channel, self._world.outbound_number, channel.caller_name)
        channel.priority = 2
        channel.application, channel.application_data = "Dial", f"PJSIP/{target.number}@{trunk},30,tTkK"
        leg = switch.new_channel(
            trunk, state=State.DOWN, number=None, caller_name=None, context=INBOUND_CONTEXT, requester=channel
        )
        leg.exten = target.number
        leg.connected_number, leg.connected_name = channel.number, channel.caller_name
        switch.set_caller(leg, target.number, channel.connected_name)
        switch.set_connected(leg, channel.number, channel.caller_name)
        switch.dial_begin(channel, leg.snapshot(), f"{target.number}@{trunk}")
        if channel.connected_number != target.number:
            switch.set_connected(channel, target.number, None)
        return await self._ring_and_talk(channel, leg, OUTSIDE_RING_SECONDS)

    async def _ring_and_talk(self, channel: Channel, leg: Channel, seconds: float) -> Next:
        switch, inbox = self._switch, _inbox(channel)
        leg.application, leg.application_data = "AppDial", "(Outgoing Line)"
        leg.dialled_by = inbox
        switch.set_state(leg, State.RINGING)
        switch.dial_state(channel, leg)
        until = asyncio.get_running_loop().time() + seconds
        while True:
            signal = await inbox.next(until)
            match signal:
                case Answered() if signal.leg is leg:
                    leg.exten = ""
                    switch.dial_end(channel, leg, "ANSWER")
                    if channel.state is not State.UP:
                        switch.set_state(channel, State.UP)
                    return await self._talk(channel, leg)
                case LegGone() if signal.leg is leg:
                    switch.dial_end(channel, leg, "BUSY" if signal.cause == 17 else "CONGESTION" if signal.cause else "NOANSWER")
                    switch.hang_up(leg, signal.cause)
                    return self._unanswered(channel, signal.cause or 16, leg.tech_cause)
                case None:
                    switch.dial_end(channel, leg, "NOANSWER")
                    switch.hang_up(leg, 0)
                    return self._unanswered(channel, 19, 480)
                case Gone() | Moved():
                    switch.dial_end(channel, leg, "CANCEL")
                    cancelled = channel.tech_cause is not None
                    leg.tech_cause = 500 if cancelled else None
                    switch.hang_up(leg, 127 if cancelled else 16)
                    if isinstance(signal, Moved):
                        return Elsewhere(signal.context, signal.exten)
                    return End(cause=127 if cancelled else 16)
                case _:
                    continue

    def _unanswered(self, channel: Channel, cause: int, tech_cause: int | None) -> End:
        """Dial failed: a caller who was never answered hears why, one who was (before a transfer) is just hung up."""
        return End() if channel.state is State.UP else End(cause=cause, tech_cause=tech_cause)

    # -- click-to-call

    async def originate(self, order: Order) -> None:
        """Rings an agent's phone, and runs dialplan on it once answered (Originate with Context, Exten and Async)."""
        agent, switch = order.agent, self._switch
        try:
            leg = switch.new_channel(
                agent.extension,
                state=State.DOWN,
                number=agent.extension,
                caller_name=agent.name,
                context=INTERNAL_CONTEXT,
                uniqueid=order.channel_id,
            )
        except SwitchFull:
            order.tell(None, 8)
            return
        if order.caller_number is not None:
            switch.set_caller(leg, order.caller_number, order.caller_name)
            switch.set_connected(leg, order.caller_number, order.caller_name)
        switch.dial_begin(None, leg.snapshot(), agent.extension)
        inbox = leg.dialled_by = Inbox()
        switch.set_state(leg, State.RINGING)
        switch.dial_state(None, leg)
        signal = await inbox.next(asyncio.get_running_loop().time() + order.ring_seconds)
        match signal:
            case Answered():
                switch.dial_end(None, leg, "ANSWER")
                order.tell(leg, 4)
                switch.settle()
                self.start(leg, order.context, order.exten)
            case LegGone(cause=cause):
                order.tell(None, 5 if cause == 17 else 8)
                switch.hang_up(leg, cause)
            case _:
                order.tell(None, 3)
                leg.tech_cause = 480
                switch.hang_up(leg, 19)

    # -- the conversation

    async def _talk(self, channel: Channel, leg: Channel, complete: Callable[[str], None] = lambda _reason: None) -> Next:
        """Both in a bridge until somebody leaves. `complete(reason)` is the queue's book-keeping: caller, agent or transfer."""
        switch, inbox = self._switch, _inbox(channel)
        switch.connect(leg, channel)
        while True:
            signal = await inbox.next()
            match signal:
                case Gone():
                    complete("caller")
                    switch.leave(channel)
                    self._end_leg(leg)
                    return End()
                case LegGone() if signal.leg is leg:
                    complete("agent")
                    self._end_leg(leg)
                    switch.leave(channel)
                    return End()
                case Moved():
                    complete("transfer" if signal.transferred else "caller")
                    self._end_leg(leg)
                    switch.stop_music(channel)
                    _place(channel, signal.context, signal.exten)
                    switch.leave(channel)
                    return Elsewhere(signal.context, signal.exten)
                case GivenAway():
                    switch.leave(channel)
                    switch.hang_up(channel)
                    switch.stop_music(leg)
                    leg.exten, leg.context = signal.exten, signal.context
                    switch.leave(leg)
                    self.start(leg, signal.context, signal.exten)
                    return End()
                case LegMoved():
                    complete("agent")
                    switch.leave(leg)
                    self.start(leg, signal.context, signal.exten)
                    switch.leave(channel)
                    return End()
                case Replaced():
                    complete("transfer")
                    signal.finish()
                    leg, complete = signal.leg, lambda _reason: None
                case Released():
                    return End()
                case Answered() | LegGone() | MembersFree() | None:
                    continue
                case _:
                    assert_never(signal)

    def _end_leg(self, leg: Channel) -> None:
        self._switch.leave(leg)
        self._switch.stop_music(leg)
        self._switch.hang_up(leg)


def _inbox(channel: Channel) -> Inbox:
    assert channel.inbox is not None, "applications run on channels with a dialplan"
    return channel.inbox


def _place(channel: Channel, context: str, exten: str) -> None:
    channel.context, channel.exten, channel.priority = context, exten, 1


def _is_number(text: str) -> bool:
    digits = text.removeprefix("+")
    return 2 <= len(digits) <= 20 and digits.isascii() and digits.isdigit()
