"""The demo's people: callers who arrive, wait and give up, agents who answer, hold and transfer, customers who are called.

Their plans come from `scenarios`; here they are carried out on the phones and lines of an exchange. Whatever somebody else
did meanwhile (the desktop took the call, the caller went) ends a plan quietly: the people go by what the phone shows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import structlog

from cti_bridge.simulator.channels import Channel
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.lines import CannotDoThat
from cti_bridge.simulator.phones import Phone
from cti_bridge.simulator.scenarios import AgentPlan, Habits, plan_agent, plan_caller, plan_outside
from cti_bridge.simulator.switch import SwitchFull
from cti_bridge.simulator.wire import State
from cti_bridge.simulator.world import INBOUND_CONTEXT, INTERNAL_CONTEXT

log = structlog.get_logger()

MOST_CALLERS = 60
"""Callers at one time; who arrives beyond finds the trunk full and is not heard of."""
CONSULTATION_RING_SECONDS = 10.0
CONSULTATION_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who may call: the number as the trunk presents it (None: withheld, as `anonymous`), and which DIDs are dialled."""

    number: str | None
    name: str | None
    dids: tuple[str, ...]


def call_in(exchange: Exchange, did: str, number: str | None, name: str | None, typed: str = "") -> Channel:
    """A call arrives on the trunk; its caller types `typed` where the dialplan asks for the customer number.

    Raises:
        SwitchFull: too many channels are up.
    """
    channel = exchange.switch.new_channel(
        exchange.world.trunk,
        state=State.RING,
        number=number if number is not None else "anonymous",
        caller_name=name if number is not None else "Anonymous",
        context=INBOUND_CONTEXT,
        exten=did,
    )
    channel.dnid = did
    channel.typed = typed
    exchange.dialplan.start(channel, INBOUND_CONTEXT, did)
    return channel


class People:
    """Acts for everybody who is not a person at a browser. `run` brings callers; `rang` is told of every ringing leg."""

    def __init__(self, *, exchange: Exchange, random: Random, callers: Sequence[Caller], habits: Habits) -> None:
        self._exchange = exchange
        self._random = random
        self._callers = callers
        self._habits = habits
        self._present = 0
        self._left_to_persons: set[str] = set()
        self.turned_away = 0

    def leave_to_person(self, extension: str, *, on: bool = True) -> None:
        """That phone is never answered by habit again (or is again)."""
        if on:
            self._left_to_persons.add(extension)
        else:
            self._left_to_persons.discard(extension)

    async def run(self, rate_per_minute: float) -> None:
        """Callers arrive as a Poisson process, until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(rate_per_minute / 60))
            if self._present >= MOST_CALLERS:
                self.turned_away += 1
                continue
            caller = self._random.choice(self._callers)
            self._exchange.spawn(self._call(caller), "caller")

    def rang(self, leg: Channel) -> None:
        phone = self._exchange.phones.get(leg.endpoint)
        if phone is None:
            self._exchange.spawn(self._be_called(leg), "called customer")
        elif leg.endpoint not in self._left_to_persons:
            own_call = leg.linkedid == leg.uniqueid
            plan = plan_agent(self._random, phone.agent, self._habits, own_call=own_call)
            self._exchange.spawn(self._take(phone, leg, plan), f"agent {leg.endpoint}")

    # -- callers

    async def _call(self, caller: Caller) -> None:
        plan = plan_caller(self._random, self._habits)
        self._present += 1
        try:
            channel = call_in(self._exchange, self._random.choice(caller.dids), caller.number, caller.name)
            if await self._within(plan.patience, lambda: channel.bridge is not None or channel.gone):
                await self._within(plan.talk, lambda: channel.gone)
            self._exchange.lines.hang_up(channel)
        except SwitchFull:
            self.turned_away += 1
        finally:
            self._present -= 1

    async def _be_called(self, leg: Channel) -> None:
        plan = plan_outside(self._random, self._habits)
        try:
            if plan.busy:
                await asyncio.sleep(0)
                self._exchange.lines.refuse(leg, busy=True)
            elif plan.answer_after is not None:
                await asyncio.sleep(plan.answer_after)
                self._exchange.lines.answer(leg)
                await self._within(plan.talk, lambda: leg.gone)
                self._exchange.lines.hang_up(leg)
        except CannotDoThat as why:
            _quietly(why)

    # -- agents

    async def _take(self, phone: Phone, leg: Channel, plan: AgentPlan) -> None:
        if plan.answer_after is None or await self._within(plan.answer_after, lambda: _no_longer_rings(leg)):
            return
        if phone.agent.extension in self._left_to_persons:
            return
        try:
            if plan.decline:
                self._exchange.lines.refuse(leg)
                return
            self._exchange.lines.answer(leg)
            await self._converse(phone, leg, plan)
        except CannotDoThat as why:
            _quietly(why)

    async def _converse(self, phone: Phone, leg: Channel, plan: AgentPlan) -> None:
        lines = self._exchange.lines
        if plan.hold_at is not None and not await self._within(plan.hold_at, lambda: leg.gone):
            lines.hold(leg)
            if not await self._within(plan.hold_for, lambda: leg.gone):
                lines.resume(leg)
        elif plan.transfer_at is not None and not await self._within(plan.transfer_at, lambda: leg.gone):
            target = self._colleague(phone)
            if target is None:
                return
            if plan.attended:
                await self._consult(phone, leg, target)
            else:
                lines.transfer(leg, INTERNAL_CONTEXT, target.agent.extension)
        elif plan.hang_up_at is not None and not await self._within(plan.hang_up_at, lambda: leg.gone):
            lines.hang_up(leg)

    async def _consult(self, phone: Phone, leg: Channel, target: Phone) -> None:
        """Asks the colleague first; hands over once the colleague has answered, else takes the customer back."""
        lines = self._exchange.lines
        lines.hold(leg)
        second = phone.dial(target.agent.extension)
        try:
            if await self._within(CONSULTATION_RING_SECONDS, lambda: second.bridge is not None or leg.gone):
                await self._within(CONSULTATION_SECONDS, lambda: second.gone or leg.gone)
            lines.complete_transfer(leg, second)
        except CannotDoThat:
            lines.hang_up(second)
            if leg.holding:
                lines.resume(leg)

    def _colleague(self, phone: Phone) -> Phone | None:
        """Somebody idle who answers by habit."""
        idle = [
            other for other in self._exchange.phones.values() if other is not phone and other.agent.auto and not other.channels
        ]
        return self._random.choice(idle) if idle else None

    async def _within(self, seconds: float, condition: Callable[[], bool]) -> bool:
        """True as soon as `condition` holds, False when the time is over first."""
        try:
            async with asyncio.timeout(seconds):
                await self._exchange.switch.until(condition)
        except TimeoutError:
            return False
        return True


def _no_longer_rings(leg: Channel) -> bool:
    return leg.gone or leg.state is not State.RINGING


def _quietly(why: CannotDoThat) -> None:
    log.debug("simulator.plan_overtaken", why=str(why))
