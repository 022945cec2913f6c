"""The simulated PBX as a whole: an AMI port that a client cannot tell from Asterisk 22's, the call centre behind it, and
handles to drive both.

Tests drive it step by step (`call_in`, `phone`) with no randomness; the demo calls `start_callers` and leaves it to itself.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from types import TracebackType
from typing import Any, Self

import structlog

from cti_bridge.simulator.agi import FastAgi
from cti_bridge.simulator.callers import Caller, People, call_in
from cti_bridge.simulator.channels import Channel
from cti_bridge.simulator.exchange import Exchange
from cti_bridge.simulator.lines import CannotDoThat
from cti_bridge.simulator.phones import Phone
from cti_bridge.simulator.scenarios import Habits
from cti_bridge.simulator.sessions import AmiPort
from cti_bridge.simulator.wire import State
from cti_bridge.simulator.world import World

log = structlog.get_logger()


class CallOver(Exception):
    """What was waited for can no longer happen: the call has ended."""


class CallHandle:
    """The customer's end of one call."""

    def __init__(self, exchange: Exchange, channel: Channel) -> None:
        self._exchange = exchange
        self.channel = channel

    @property
    def uniqueid(self) -> str:
        return self.channel.uniqueid

    async def ringing(self) -> str:
        """The extension of the phone that rings for this call, once one does. Raises CallOver."""
        await self._exchange.switch.until(lambda: bool(self._ringing()) or self.channel.gone)
        ringing = self._ringing()
        if not ringing:
            raise CallOver(f"call {self.uniqueid} ended without ringing")
        return ringing[0]

    async def answered(self) -> str:
        """The extension (or number) of the other party, once the two are in conversation. Raises CallOver."""
        await self._exchange.switch.until(lambda: self._party() is not None or self.channel.gone)
        party = self._party()
        if party is None:
            raise CallOver(f"call {self.uniqueid} ended without an answer")
        return party.number or party.endpoint

    async def ended(self) -> None:
        await self._exchange.switch.until(lambda: self.channel.gone)

    def answer(self) -> None:
        """The customer lifts the receiver (of an outbound call). Raises CannotDoThat."""
        self._exchange.lines.answer(self.channel)

    def refuse(self) -> None:
        self._exchange.lines.refuse(self.channel, busy=True)

    def hang_up(self) -> None:
        self._exchange.lines.hang_up(self.channel)

    def _party(self) -> Channel | None:
        bridge = self.channel.bridge
        return bridge.other(self.channel) if bridge is not None else None

    def _ringing(self) -> list[str]:
        inbox = self.channel.inbox
        return [
            leg.endpoint
            for leg in self._exchange.switch.channels.values()
            if leg.state is State.RINGING and inbox is not None and leg.dialled_by is inbox
        ]


class SimulatedPbx:
    """An Asterisk 22 stand-in on `host`:`port` (0: any free port; see `port` once started).

    `random` decides bridge ids, challenges and the people's behaviour: the same seed, the same world. `now` gives Unix
    seconds for Uniqueids and Timestamps; waiting goes by the event loop's clock.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        world: World,
        username: str,
        secret: str,
        random: Random,
        callers: Sequence[Caller] = (),
        habits: Habits | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._port = port
        self._ami = AmiPort(username=username, secret=secret, random=random)
        self.exchange = Exchange(world=world, random=random, emit=self._ami.publish, spawn=self._spawn, now=now)
        self._people = People(exchange=self.exchange, random=random, callers=callers, habits=habits or Habits())
        self._callers = callers
        self._peopled = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self.exchange.switch.on_ringing = self._rang

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens. Raises OSError where the port is taken."""
        self._port = await self._ami.open(self.exchange, self._host, self._port)
        log.info("simulator.started", host=self._host, port=self._port)

    async def stop(self) -> None:
        """Ends every call task and connection. Raises what a task of the simulator failed with, if one did."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._ami.close()
        log.info("simulator.stopped", turned_away=self._people.turned_away, clients_cut=self._ami.clients_cut)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    @property
    def port(self) -> int:
        return self._port

    @property
    def clients_cut(self) -> int:
        """AMI clients dropped because they did not read."""
        return self._ami.clients_cut

    async def call_in(self, did: str, number: str | None, name: str | None = None, *, typed: str = "") -> CallHandle:
        """A customer calls `did`; `number` as the trunk presents it, None where it is withheld; `typed` is the customer number
        that the caller types when asked.
        """
        return CallHandle(self.exchange, call_in(self.exchange, did, number, name, typed))

    def phone(self, extension: str) -> Phone:
        return self.exchange.phones[extension]

    async def customer_rings(self) -> CallHandle:
        """The customer's phone that an agent's call lets ring, once it does."""
        switch, trunk = self.exchange.switch, self.exchange.world.trunk
        await switch.until(lambda: any(one.state is State.RINGING for one in switch.lines(trunk)))
        leg = next(one for one in switch.lines(trunk) if one.state is State.RINGING)
        return CallHandle(self.exchange, leg)

    def cut_clients(self) -> None:
        """Drops every AMI connection, as a network fault would; the calls go on."""
        self._ami.cut_clients()

    def ask_routes_of(self, host: str, port: int) -> None:
        """From now on the dialplan asks this FastAGI server about every call from outside for a queue."""
        self.exchange.dialplan.routes = FastAgi(host, port)

    def start_callers(self, rate_per_minute: float) -> None:
        """Lets callers come by themselves, and agents and called customers act by habit from now on.

        Raises:
            ValueError: the rate is not above 0, or the PBX was made without `callers`.
        """
        if rate_per_minute <= 0 or not self._callers:
            raise ValueError("callers come at a rate above 0, and from a list with at least one")
        self._peopled = True
        self._spawn(self._people.run(rate_per_minute), "callers")

    def pause(self, extension: str, *, reason: str) -> None:
        """Takes the agent out of every queue until somebody unpauses the member by AMI."""
        self.exchange.queues.pause(f"PJSIP/{extension}", paused=True, reason=reason, queue_name=None)

    def leave_to_person(self, extension: str, *, on: bool = True) -> None:
        """Agents' habits never answer that phone (or do again); somebody at a desktop will."""
        self._people.leave_to_person(extension, on=on)

    def _rang(self, leg: Channel) -> None:
        phone = self.exchange.phones.get(leg.endpoint)
        if phone is not None and any(one is not leg for one in phone.channels):
            asyncio.get_running_loop().call_soon(self._refuse_second, leg)
        elif self._peopled:
            self._people.rang(leg)

    def _refuse_second(self, leg: Channel) -> None:
        """Call waiting is off: a phone with a call answers 486 to another."""
        try:
            self.exchange.lines.refuse(leg, busy=True)
        except CannotDoThat:
            log.debug("simulator.second_call_over", channel=leg.name)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._reap)

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("simulator.task_failed", task=task.get_name(), exc_info=failure)
            self._failure = self._failure or failure
