"""The story of one call, told by one function: stop 4 of the walk from the PBX to the browser.

In: the call's events, in order. Out: the agent's screen pop while the phone rings, what happens told to agents and supervisors,
and the finished call on the customer's account. A slow look-up or store delays this call only.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

import structlog

from cti_bridge.domain.account import AccountId, Candidate, Found, LookupResult, NotFound, TimedOut
from cti_bridge.domain.call import Call, CallId, Direction, Extension
from cti_bridge.domain.call_events import (
    CallAnswered,
    CallArrived,
    CallChanged,
    CallEnded,
    CallEvent,
    CallHeld,
    CallLeftQueue,
    CallOffered,
    CallQueued,
    CallResumed,
    CallTransferred,
    OfferEnded,
)
from cti_bridge.domain.decision import RoutingDecision
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.external import ExternalAnswer, ExternalState
from cti_bridge.external.source import ExternalSource
from cti_bridge.lookup import DEADLINE_SECONDS, Lookup
from screen_pop.hub import Hub
from screen_pop.pop import Chosen, ScreenPop, build_pop, pop_id_of
from screen_pop.visible import agents_in
from storage.recorder import NotTaken, Recorder

log = structlog.get_logger()


async def _tell_nobody(_: CallId) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What a call task works with. `decision_for` takes the PBX and the Uniqueid of the call's first channel there."""

    hub: Hub
    lookup: Lookup
    recorder: Recorder
    decision_for: Callable[[str, str], RoutingDecision | None]
    surveyed: Callable[[CallId], Awaitable[None]] = _tell_nobody
    """Told once a call is stored in which the customer answered a survey. Raises nothing."""
    chosen_for: Callable[[CallId], Chosen | None] = lambda _: None
    """What an agent chose in this call already: whoever it goes to next sees it."""
    external: Sequence[ExternalSource] = ()
    """Other systems that are asked when a phone rings."""
    entered_for: Callable[[str, str], str | None] = lambda _, __: None
    """The customer number that the caller typed on its way here; takes what `decision_for` takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What happened to a call before this service was started anew; `is_restored` is set once its cards are back."""

    events: Sequence[CallEvent]
    is_restored: asyncio.Event = field(default_factory=asyncio.Event)


class _Caller:
    """The look-up of this call's customer: begun at the call's arrival, so that it is done when the phone rings.

    `call` is the call as it stands now.
    """

    def __init__(self, desk: Desk, tasks: asyncio.TaskGroup) -> None:
        self.call: Call | None = None
        self._desk = desk
        self._tasks = tasks
        self._known_by: tuple[str | None, str | None] | None = None
        self._task: asyncio.Task[LookupResult] | None = None
        self._began = 0.0
        self._asked: str | None = None
        self._elsewhere: dict[str, ExternalAnswer] = {}
        self._asking: list[asyncio.Task[None]] = []

    def look_up(self, call: Call) -> None:
        """Begins, and begins anew where more became known later: the number of an outbound call, or the customer number that an
        inbound caller typed.
        """
        number = _number_of(call)
        entered = self._desk.entered_for(call.pbx, _uniqueid(call))
        known_by = None if call.direction is Direction.INBOUND else number, entered
        if known_by == self._known_by:
            return
        if self._task is not None:
            self._task.cancel()
        self._known_by = known_by
        self._began = time.monotonic()
        looked_up = _recognise(self._desk.lookup, number, entered, untrusted=call.untrusted_caller)
        self._task = self._tasks.create_task(looked_up, name="recognise")

    def ask_elsewhere(self, call: Call) -> None:
        """Asks the other systems, once for each number; a card that leaves before they answered gets the answer later.

        Only once a phone rings: what no agent sees is nothing to bother them with, and a flood of callers need not reach them.
        """
        if not (self._desk.external and call.offers):
            return
        number = self._desk.lookup.number_of(_number_of(call), untrusted=call.untrusted_caller)
        if number is None or number == self._asked:
            return
        self._asked = number
        self._elsewhere = {source.name: source.known(number) for source in self._desk.external}
        for source in self._desk.external:
            if self._elsewhere[source.name].state is ExternalState.PENDING:
                asking = self._tasks.create_task(self._hear(source, number, call.call_id), name=f"external {source.name}")
                self._asking.append(asking)

    async def _hear(self, source: ExternalSource, number: str, call_id: CallId) -> None:
        answer = await source.by_number(number)
        if number == self._asked:
            self._elsewhere[source.name] = answer
            await self._desk.hub.told_elsewhere(call_id, self.elsewhere)

    @property
    def elsewhere(self) -> tuple[ExternalAnswer, ...]:
        """What the other systems have said so far."""
        return tuple(self._elsewhere.values())

    async def within_deadline(self) -> LookupResult:
        """What is known by the deadline, counted from the beginning of the look-up."""
        if self._task is None:
            return NotFound()
        if self._task.done():
            return self._task.result()  # the rule: known since before the phone rings, and then shown in this very step
        left = max(0.0, DEADLINE_SECONDS - (time.monotonic() - self._began))
        done, _ = await asyncio.wait({self._task}, timeout=left)
        return self._task.result() if done else TimedOut()

    async def whenever(self) -> LookupResult:
        """What is known in the end; a look-up that was begun anew meanwhile is waited for."""
        while (task := self._task) is not None:
            await asyncio.wait({task})
            if task is self._task:
                return task.result()
        return NotFound()

    def stop(self) -> None:
        for task in (self._task, *self._asking):
            if task is not None:
                task.cancel()


def _number_of(call: Call) -> str | None:
    return call.presented_number if call.direction is Direction.INBOUND else call.customer_number


async def _recognise(lookup: Lookup, number: str | None, entered: str | None, *, untrusted: bool) -> LookupResult:
    result = await lookup.by_number(number, untrusted=untrusted, entered=entered)
    if isinstance(result, TimedOut):
        result = await lookup.late(number, untrusted=untrusted, entered=entered)
    return result


def _clear_match(result: LookupResult) -> Candidate | None:
    return result.clear if isinstance(result, Found) else None


def _account_of(result: LookupResult) -> AccountId | None:
    match = _clear_match(result)
    return match.account.account_id if match else None


async def handle_call(events: "asyncio.Queue[CallEvent]", desk: Desk, before: Before | None = None) -> bool:
    """Follows one call from its arrival, or from where it stood `before`, to its record.

    Returns when it is stored, or known never to be storable; False where it was not taken now: the journal keeps it.
    """
    async with asyncio.TaskGroup() as tasks:
        caller = _Caller(desk, tasks)
        updates = await _restore(before, caller, desk, tasks) if before is not None else []
        while True:
            event = await events.get()
            caller.call = event.call
            match event:
                case CallArrived(call=call) | CallChanged(call=call) | CallQueued(call=call):
                    if call.direction is not Direction.INTERNAL:
                        caller.look_up(call)
                        caller.ask_elsewhere(call)
                case CallOffered(call=call):
                    if call.direction is not Direction.INTERNAL:
                        caller.look_up(call)
                        caller.ask_elsewhere(call)
                        late = await _pop(event, caller, desk)
                        if late:
                            updates.append(tasks.create_task(_pop_later(event, caller, desk), name="pop later"))
                case OfferEnded(call=call, agent=agent, nth=nth, why=why):
                    await desk.hub.withdraw_pop(agent, pop_id_of(call, agent, nth), call.call_id, why, at=event.at)
                case CallLeftQueue() | CallAnswered() | CallHeld() | CallResumed() | CallTransferred():
                    pass
                case CallEnded(call=call):
                    if call.direction is not Direction.INTERNAL:
                        caller.look_up(call)
                    await desk.hub.tell_call(event)
                    is_settled = await _record(call, caller, desk)
                    caller.stop()
                    for update in updates:
                        update.cancel()
                    return is_settled
                case _:
                    assert_never(event)
            await desk.hub.tell_call(event)


async def _restore(before: Before, caller: _Caller, desk: Desk, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """Puts the cards back that stood, without telling anybody: they come with the snapshot. Gives what follows them later."""
    late: list[asyncio.Task[None]] = []
    call = caller.call = before.events[-1].call
    if call.direction is not Direction.INTERNAL:
        caller.look_up(call)
        for offered in _standing(before.events):
            caller.ask_elsewhere(call)
            found = await caller.within_deadline()
            desk.hub.restore_pop(_built(call, offered, found, caller, desk))
            if isinstance(found, TimedOut):
                late.append(tasks.create_task(_pop_later(offered, caller, desk), name="pop later"))
    before.is_restored.set()
    return late


def _standing(before: Sequence[CallEvent]) -> list[CallOffered]:
    """The rings whose card stands: until the ring ends without an answer there, and then as long as the agent has the caller."""
    rings: dict[Extension, CallOffered] = {}
    answered: set[Extension] = set()
    for event in before:
        match event:
            case CallOffered(agent=agent):
                rings[agent] = event
            case OfferEnded(agent=agent):
                rings.pop(agent, None)
            case CallAnswered(agent=agent):
                answered.add(agent)
            case _:
                pass
    concerned = agents_in(before[-1].call)
    return [ring for agent, ring in rings.items() if agent in concerned or agent not in answered]


async def _pop(event: CallOffered, caller: _Caller, desk: Desk) -> bool:
    """Shows the pop with what is known by the deadline; True where the customer is still to come."""
    found = await caller.within_deadline()
    await desk.hub.pop(_built(event.call, event, found, caller, desk), at=event.at)
    return isinstance(found, TimedOut)


async def _pop_later(event: CallOffered, caller: _Caller, desk: Desk) -> None:
    found = await caller.whenever()
    if not isinstance(found, TimedOut):
        call = caller.call or event.call  # it may have been answered meanwhile
        await desk.hub.update_pop(_built(call, event, found, caller, desk), at=event.at)


def _built(call: Call, event: CallOffered, found: LookupResult, caller: _Caller, desk: Desk) -> ScreenPop:
    decision, chosen = desk.decision_for(call.pbx, _uniqueid(call)), desk.chosen_for(call.call_id)
    return build_pop(call, event.agent, event.nth, found, decision=decision, chosen=chosen, external=caller.elsewhere)


async def _record(call: Call, caller: _Caller, desk: Desk) -> bool:
    """Puts the call on the account; the canonical log line of the call comes once it is on disk.

    A customer who is found too late is added to the record: it does not wait for the look-up, so that a stop loses no call.
    False: not taken now, it must be put again.
    """
    began = time.monotonic()
    found = await caller.within_deadline()
    try:
        account_id = _account_of(found)
        await desk.recorder.put(call, account_id)
        if isinstance(found, TimedOut):
            account_id = _account_of(await caller.whenever())
            if account_id is not None:
                await desk.recorder.put(call, account_id)
    except NotTaken:
        return False
    except StorageError as error:
        log.error("call.not_recorded", call_id=call.call_id, error=str(error))
        return True
    if call.survey_score is not None:
        await desk.surveyed(call.call_id)
    log.info(
        "call.recorded",
        call_id=call.call_id,
        direction=call.direction.value,
        outcome=call.outcome.value,
        queue=call.queue,
        answered_by=list(call.answered_by),
        wait_s=round(call.wait_s, 1),
        talk_s=round(call.talk_s, 1),
        known=account_id is not None,
        store_s=round(time.monotonic() - began, 3),
    )
    return True


def _uniqueid(call: Call) -> str:
    return call.call_id.partition(":")[2]
