"""Who is connected, and what each receiver is owed. Stop 6 of the walk to the browser (`deliver`).

In: pops and call events from the call tasks, live states from the feed; out: bytes in outboxes, and connections woken.
A receiver is an agent (by extension) or the supervisors together: all browsers of one receiver read the same outbox, each
at its own place, so order never depends on who is served first and a slow browser holds up nobody. An agent's outbox
lives on while no browser is connected, so a reload or a network drop loses nothing. Nothing here waits for a socket.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cti_bridge.domain.account import Account, AccountId
from cti_bridge.domain.call import Call, CallId, Extension, call_document
from cti_bridge.domain.call_events import CallEnded, CallEvent, OfferEnd
from cti_bridge.domain.case import Commitments
from cti_bridge.domain.errors import WireError
from cti_bridge.domain.external import ExternalAnswer
from cti_bridge.domain.interaction import Interaction, interaction_document
from cti_bridge.kill_points import kill_points
from screen_pop import wire
from screen_pop.masking import masked_call
from screen_pop.metrics import WebMetrics
from screen_pop.outbox import LatestStates, Outbox
from screen_pop.pop import ScreenPop, pop_document, with_account
from screen_pop.ports import Role, User
from screen_pop.visible import MASKED_FROM_NOBODY, View, agents_in, agents_of

MAX_BEHIND = 256
"""Events that a browser may be behind before it is closed as too slow; it then comes back and is replayed what it missed."""

YIELD_EVERY = 16
"""Connections woken before the loop gets a turn: a broadcast to 200 boards must not delay a pop (bench pop: p99 12.8 ms with 50,
7.8 ms with 16)."""

MAX_RECEIVERS = 10_000
MAX_CONNECTIONS = 10_000
MAX_CONNECTIONS_PER_USER = 20
IDS_A_SECOND = 1_000_000
"""More than any receiver is ever told in a second; a number in JSON is exact up to 2**53, which is the year 2255."""
POPS_REMEMBERED = 10_000
"""Pops whose `shown` is still expected; far more than ring at once."""
ACCOUNTS_REMEMBERED = 10_000
PROMISES_REMEMBERED_SECONDS = 3600.0
"""Longer than a look-up is shown: a call that waited for an agent, and was handed on."""


@dataclass(slots=True, eq=False)
class Receiver:
    """One outbox and the browsers that read it."""

    outbox: Outbox
    connections: set["Connection"] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Connection:
    """One browser, as the hub sees it. `cursor` is the last event sent to it; it is set by hello and only rises."""

    user: User
    token_hash: bytes
    receiver: Receiver | None
    cursor: int = 0
    is_open: bool = False
    """True once welcomed: only then is it woken and counted."""
    latest: LatestStates = field(default_factory=LatestStates)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: "asyncio.Future[WireError]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, code: int, kind: str, detail: str) -> None:
        """Asks the session to close with `code`; the first reason stands."""
        if not self.ended.done():
            self.ended.set_result(WireError(kind, detail, close_code=code))


@dataclass(slots=True)
class _SentPop:
    agent: Extension
    sent_at: float
    is_shown: bool = False
    is_answered: bool = False
    is_withdrawn: bool = False


class Hub:
    """Delivers to agents and supervisors; knows which pops stand, which were shown, and who is present."""

    def __init__(
        self,
        metrics: WebMetrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_behind: int = MAX_BEHIND,
        masked_roles: frozenset[Role] = MASKED_FROM_NOBODY,
    ) -> None:
        self._metrics = metrics
        self._clock = clock
        self._wall_clock = wall_clock
        self._max_behind = max_behind
        self.masked_roles = masked_roles
        """Whose people are shown customers' numbers masked; agents' events are of their own calls, and whole."""
        self._numbered_after = 0.0
        self._agents: OrderedDict[Extension, Receiver] = OrderedDict()
        self._supervisors = self._new_receiver()
        self._connections: dict[Connection, None] = {}
        self._per_user: Counter[str] = Counter()
        self._standing: OrderedDict[CallId, dict[str, ScreenPop]] = OrderedDict()
        self._sent: OrderedDict[str, _SentPop] = OrderedDict()
        self._promised: OrderedDict[AccountId, tuple[float, Commitments]] = OrderedDict()

    # what the call tasks tell

    async def pop(self, pop: ScreenPop, *, at: datetime) -> None:
        """Shows the pop to its agent. The same pop again (a replayed stream) is not sent twice."""
        if pop.pop_id in self._sent:
            return
        pop = self._as_promised(pop)
        self._stand(pop, _SentPop(pop.agent, self._clock()))
        self._metrics.pops.labels("sent").inc()
        await self.deliver(pop.agent, "pop", pop_document(pop), at=at)
        kill_points.reached("pop.sent")

    def restore_pop(self, pop: ScreenPop) -> None:
        """Takes a pop as sent and shown that was so before this service was started anew: it comes with the snapshot only."""
        is_answered = pop.agent in pop.call.talking
        self._stand(pop, _SentPop(pop.agent, self._clock(), is_shown=True, is_answered=is_answered))

    async def update_pop(self, pop: ScreenPop, *, at: datetime) -> None:
        """Replaces what a pop showed (a late look-up, a merge); nothing happens where the pop no longer stands."""
        pops = self._standing.get(pop.call.call_id, {})
        if pop.pop_id in pops:
            pop = pops[pop.pop_id] = self._as_promised(pop)
            await self.deliver(pop.agent, "pop.update", pop_document(pop), at=at)

    async def told_elsewhere(self, call_id: CallId, external: tuple[ExternalAnswer, ...]) -> None:
        """Other systems said something of the caller: it comes on every pop of the call that stands."""
        for pop_id in tuple(self._standing.get(call_id, {})):
            pop = self._standing.get(call_id, {}).get(pop_id)
            if pop is not None:
                await self.update_pop(replace(pop, external=external), at=self._wall_clock())

    async def account_changed(self, account: Account, commitments: Commitments, *, instead_of: AccountId, at: datetime) -> None:
        """Two accounts became one (or two again): whoever has one of them on the screen for a live call is shown `account`."""
        self._promise(account.account_id, commitments)
        either = {account.account_id, instead_of}
        shown = [pop for pops in self._standing.values() for pop in pops.values()]
        for pop in shown:
            concerned = {candidate.account.account_id for candidate in pop.candidates} & either
            if concerned or (pop.account is not None and pop.account.account_id in either):
                await self.update_pop(with_account(pop, account, commitments, instead_of=instead_of), at=at)

    async def commitments_changed(self, account_id: AccountId, commitments: Commitments, *, at: datetime) -> None:
        """Something was promised to a customer, or kept: shown at once on every pop with the account, and on those to come."""
        self._promise(account_id, commitments)
        shown = [pop for pops in self._standing.values() for pop in pops.values()]
        for pop in shown:
            if pop.account is not None and pop.account.account_id == account_id:
                await self.update_pop(pop, at=at)

    async def withdraw_pop(self, agent: Extension, pop_id: str, call_id: CallId, why: OfferEnd, *, at: datetime) -> None:
        """Takes the pop off the agent's screen: the phone rings there no more. Once, however often it is said."""
        sent = self._sent.get(pop_id)
        if sent is None or sent.is_withdrawn:
            return
        sent.is_withdrawn = True
        self._drop_standing(call_id, pop_id)
        self._metrics.pops.labels("withdrawn").inc()
        await self.deliver(agent, "pop.withdrawn", {"pop_id": pop_id, "call_id": call_id, "why": why.value}, at=at)

    async def tell_call(self, event: CallEvent) -> None:
        """Tells the call's agents and all supervisors what happened. The live state must know it already: a snapshot that is
        made meanwhile covers this event."""
        call = event.call
        self._settle_pops(call, is_over=isinstance(event, CallEnded))
        type_, document = wire.CALL_EVENT_TYPES[type(event)], call_document(call)
        body = seen = wire.event_body(type_, event.at, {"call": document})
        if Role.SUPERVISOR in self.masked_roles:
            seen = wire.event_body(type_, event.at, {"call": masked_call(document)})
        told = [self._agent(Extension(agent)) for agent in sorted(agents_of(call))]
        for receiver in told:
            receiver.outbox.append(body, now=self._clock())
        self._supervisors.outbox.append(seen, now=self._clock())
        for receiver in (*told, self._supervisors):
            await self._wake(receiver)

    async def wrap_up_saved(self, agent: Extension, call_id: CallId, interaction: Interaction, *, at: datetime) -> None:
        """Tells the agent's browsers that the wrap-up is stored."""
        fields = {"call_id": call_id, "interaction": interaction_document(interaction)}
        await self.deliver(agent, "wrap_up.saved", fields, at=at)

    async def deliver(self, agent: Extension, type_: str, fields: Mapping[str, Any], *, at: datetime) -> None:
        """Numbers the event for this agent, keeps it, and wakes the agent's browsers."""
        receiver = self._agent(agent)
        receiver.outbox.append(wire.event_body(type_, at, fields), now=self._clock())
        await self._wake(receiver)

    # what the sessions ask

    def attach(self, user: User, token_hash: bytes) -> Connection:
        """Registers a browser before its snapshot is made, so that no event can fall between.

        Raises:
            WireError: 4429, where this user or the service has too many browsers open.
        """
        if self._per_user[user.user_id] >= MAX_CONNECTIONS_PER_USER or len(self._connections) >= MAX_CONNECTIONS:
            raise WireError("too-many-connections", "too many open connections", close_code=wire.CLOSE_TOO_SLOW)
        receiver = self._receiver_of(user)
        connection = Connection(user=user, token_hash=token_hash, receiver=receiver)
        if receiver:
            receiver.connections.add(connection)
        self._connections[connection] = None
        self._per_user[user.user_id] += 1
        return connection

    def opened(self, connection: Connection) -> None:
        """The browser was welcomed: from now on it is woken."""
        connection.is_open = True
        self._metrics.ws_clients.labels(connection.user.role.value).inc()

    def detach(self, connection: Connection) -> None:
        """The browser is gone; its receiver's outbox stays."""
        del self._connections[connection]
        self._per_user[connection.user.user_id] -= 1
        if not self._per_user[connection.user.user_id]:
            del self._per_user[connection.user.user_id]
        if connection.receiver:
            connection.receiver.connections.discard(connection)
        if connection.is_open:
            self._metrics.ws_clients.labels(connection.user.role.value).dec()

    def acknowledge(self, connection: Connection, event_id: int) -> None:
        """Everything up to `event_id` arrived at this browser. Raises WireError for an event never sent to it."""
        if event_id > connection.cursor or (connection.receiver and not connection.receiver.outbox.ack(event_id)):
            raise WireError("wrong-shape", "id: no such event was sent")

    def shown(self, user: User, pop_id: str) -> None:
        """The pop is on the agent's screen: counted once. Raises WireError for a pop that is not this agent's."""
        sent = self._sent.get(pop_id)
        if sent is None or sent.agent != user.extension:
            raise WireError("unknown-pop", "no such pop was sent to you")
        if not sent.is_shown:
            sent.is_shown = True
            self._metrics.pops.labels("shown").inc()
            self._metrics.pop_latency.labels("shown").observe(self._clock() - sent.sent_at)

    def number_after(self, seen_until: float) -> None:
        """Called once before the first browser: the service was up before, until this moment in Unix seconds. The clock may have
        been set back since, and an id of then must not be taken for one of now.
        """
        self._numbered_after = seen_until
        self._supervisors = self._new_receiver()
        self._agents.clear()

    def standing_pops(self, agent: Extension | None) -> tuple[ScreenPop, ...]:
        """The pops of calls that ring at the agent or that the agent has, oldest first."""
        return tuple(pop for pops in self._standing.values() for pop in pops.values() if pop.agent == agent)

    def view_of(self, user: User) -> View:
        """How this person is shown calls, contacts and customers."""
        return View(user=user, masked_roles=self.masked_roles, pops=lambda: self.standing_pops(user.extension))

    def pops_of(self, call_id: CallId) -> tuple[ScreenPop, ...]:
        """The pops of this call that stand, at whichever agent."""
        return tuple(self._standing.get(call_id, {}).values())

    def present(self) -> frozenset[Extension]:
        """The agents who have a live browser."""
        open_ = (connection.user for connection in self._connections if connection.is_open)
        return frozenset(user.extension for user in open_ if user.role is Role.AGENT and user.extension)

    # what the live feed and the root ask

    async def open_connections(self) -> AsyncIterator[Connection]:
        """Every welcomed browser, with a turn for the event loop after each batch."""
        async for connection in _in_batches([connection for connection in self._connections if connection.is_open]):
            yield connection

    def forget_past(self) -> None:
        """Keeps no event for replay, because a customer was erased: a browser that missed some is given a snapshot instead."""
        for receiver in (*self._agents.values(), self._supervisors):
            receiver.outbox.forget()

    def end_session(self, token_hash: bytes) -> None:
        """Closes the browsers of a session that was signed out."""
        for connection in self._connections:
            if connection.token_hash == token_hash:
                connection.end(wire.CLOSE_NOT_SIGNED_IN, "not-signed-in", "signed out")

    def close_all(self) -> None:
        """Closes every browser because the service stops; they come back by themselves."""
        for connection in self._connections:
            connection.end(wire.CLOSE_GOING_AWAY, "going-away", "the service stops")

    # private parts

    def _promise(self, account_id: AccountId, commitments: Commitments) -> None:
        self._promised[account_id] = (self._clock(), commitments)
        self._promised.move_to_end(account_id)
        if len(self._promised) > ACCOUNTS_REMEMBERED:
            self._promised.popitem(last=False)

    def _as_promised(self, pop: ScreenPop) -> ScreenPop:
        """The pop with what is promised now: its look-up was at the call's arrival, and the call may have been handed on."""
        told = self._promised.get(pop.account.account_id) if pop.account else None
        if told is None or self._clock() - told[0] > PROMISES_REMEMBERED_SECONDS:
            return pop
        return replace(pop, commitments=told[1])

    async def _wake(self, receiver: Receiver) -> None:
        async for connection in _in_batches([connection for connection in receiver.connections if connection.is_open]):
            if receiver.outbox.behind(connection.cursor) > self._max_behind:
                connection.end(wire.CLOSE_TOO_SLOW, "too-slow", "too far behind; come back and be replayed")
            connection.wake.set()

    def _receiver_of(self, user: User) -> Receiver | None:
        match user.role:
            case Role.AGENT:
                return self._agent(user.extension) if user.extension else None
            case Role.SUPERVISOR:
                return self._supervisors
            case Role.ADMIN:
                return None

    def _agent(self, agent: Extension) -> Receiver:
        receiver = self._agents.get(agent)
        if receiver is None:
            if len(self._agents) >= MAX_RECEIVERS:
                self._give_up_one()
            receiver = self._agents[agent] = self._new_receiver()
        self._agents.move_to_end(agent)
        return receiver

    def _new_receiver(self) -> Receiver:
        """Ids begin with the moment: after a restart none is given twice, and an id of before is seen to be old."""
        begun_at = max(self._wall_clock().timestamp(), self._numbered_after)
        return Receiver(Outbox(first_id=int(begun_at * IDS_A_SECOND)))

    def _give_up_one(self) -> None:
        absent = next((agent for agent, receiver in self._agents.items() if not receiver.connections), None)
        if absent is not None:
            del self._agents[absent]
            self._metrics.outboxes_dropped.inc()

    def _settle_pops(self, call: Call, *, is_over: bool) -> None:
        """A pop stands while the call rings at its agent (until it is withdrawn) and while the agent has the caller; it shows
        the call as it is now to a page that is loaded anew.

        Between the end of the ring and the talk a picture may show neither: the caller leaves the queue first (Asterisk 22).
        """
        concerned = agents_in(call)
        for pop in tuple(self._standing.get(call.call_id, {}).values()):
            sent = self._sent.get(pop.pop_id)
            if sent is not None and pop.agent in call.talking:
                sent.is_answered = True
            if is_over or (pop.agent not in concerned and (sent is None or sent.is_answered)):
                self._drop_standing(call.call_id, pop.pop_id)
            else:
                self._standing[call.call_id][pop.pop_id] = replace(pop, call=call)

    def _stand(self, pop: ScreenPop, sent: _SentPop) -> None:
        self._sent[pop.pop_id] = sent
        if len(self._sent) > POPS_REMEMBERED:
            self._sent.popitem(last=False)
        self._standing.setdefault(pop.call.call_id, {})[pop.pop_id] = pop
        if len(self._standing) > POPS_REMEMBERED:
            self._standing.popitem(last=False)

    def _drop_standing(self, call_id: CallId, pop_id: str) -> None:
        pops = self._standing.get(call_id, {})
        pops.pop(pop_id, None)
        if not pops:
            self._standing.pop(call_id, None)


async def _in_batches(connections: list[Connection]) -> AsyncIterator[Connection]:
    for served, connection in enumerate(connections, start=1):
        yield connection
        if served % YIELD_EVERY == 0:
            await asyncio.sleep(0)
