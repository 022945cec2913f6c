"""One call's story on a real hub: what is told to whom, in which order, however slow the store is."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry

from cti_bridge.call_task import Before, Desk, handle_call
from cti_bridge.domain.account import Account, Candidate, MatchDetail, MatchReason
from cti_bridge.domain.call import Call, CallState, Direction, Extension, Outcome
from cti_bridge.domain.call_events import (
    CallAnswered,
    CallArrived,
    CallChanged,
    CallEnded,
    CallEvent,
    CallOffered,
    CallQueued,
    OfferEnd,
    OfferEnded,
)
from cti_bridge.domain.decision import RoutingDecision
from cti_bridge.lookup import DEADLINE_SECONDS, Lookup
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from screen_pop.pop import Chosen
from storage.recorder import NotTaken
from tests.support.stores import AGENT, NOW, a_call, an_account

ONE = Extension("1001")
DECISION = RoutingDecision(rule="gold", queue="support", priority=5, reason="tier is gold", rules_version="0" * 12)


class Customers:
    """A store that answers when its gate is open."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = accounts
        self.asked: list[str] = []
        self.gate, self.heard = asyncio.Event(), asyncio.Event()
        self.gate.set()

    async def was_asked(self, *, times: int) -> None:
        async with asyncio.timeout(5):
            while len(self.asked) < times:
                self.heard.clear()
                await self.heard.wait()

    async def of_caller(self, e164: str | None, entered: str | None) -> tuple[Candidate, ...]:
        self.asked.append(" ".join(one for one in (e164, entered) if one))
        self.heard.set()
        await self.gate.wait()
        if entered is None:
            return tuple(Candidate(account=account, reason=MatchReason.EXACT_NUMBER) for account in self.accounts)
        typed = an_account(f"Customer {entered}")
        return (Candidate(account=typed, reason=MatchReason.CUSTOMER_NUMBER_ENTERED, detail=MatchDetail(shared_by=0)),)


class Records:
    def __init__(self) -> None:
        self.put_calls: list[tuple[str, str | None]] = []
        self.came = asyncio.Event()
        self.is_full = False

    def put(self, call: Call, account_id: str | None) -> "asyncio.Future[None]":
        if self.is_full:
            raise NotTaken("10000 calls wait for the store already")
        self.put_calls.append((call.call_id, account_id))
        self.came.set()
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Stage:
    """A desk with one agent's browser, and the story that is told there."""

    def __init__(self, *accounts: Account) -> None:
        self.customers, self.records = Customers(*accounts), Records()
        self.hub = Hub(WebMetrics(CollectorRegistry()))
        self.events: asyncio.Queue[CallEvent] = asyncio.Queue()
        self.desk = Desk(
            hub=self.hub,
            lookup=Lookup(self.customers, "GB"),
            recorder=self.records,
            decision_for=lambda pbx, uniqueid: DECISION if (pbx, uniqueid) == ("main", "1.1") else None,
            surveyed=self._surveyed,
        )
        self.surveyed: list[str] = []
        self._browser = self.hub.attach(AGENT, b"")
        self._browser.cursor = self._browser.receiver.outbox.newest_id
        self._browser.is_open = True
        self.story = asyncio.create_task(handle_call(self.events, self.desk))

    async def _surveyed(self, call_id: str) -> None:
        assert self.records.put_calls
        self.surveyed.append(call_id)

    def tell(self, *events: CallEvent) -> None:
        for event in events:
            self.events.put_nowait(event)

    def heard(self) -> list[dict[str, Any]]:
        """What the browser has to read since the last look."""
        outbox = self._browser.receiver.outbox
        bodies = []
        while (event := outbox.next_after(self._browser.cursor)) is not None:
            self._browser.cursor = event.event_id
            body = event.body if event.body.startswith(b"{") else b"{" + event.body
            bodies.append(orjson.loads(body if body.endswith(b"}") else body + b"}"))
        return bodies

    async def hears(self, *kinds: str) -> list[dict[str, Any]]:
        """Waits until the browser has these events to read, in this order."""
        heard: list[dict[str, Any]] = []
        async with asyncio.timeout(5):
            while [one["type"] for one in heard] != list(kinds):
                self._browser.wake.clear()
                heard += self.heard()
                if [one["type"] for one in heard] != list(kinds):
                    await self._browser.wake.wait()
        return heard


def arrived(**changes: Any) -> CallArrived:
    return CallArrived(call=a_call(state=CallState.ARRIVED, **changes), at=NOW)


def offered(nth: int = 1, **changes: Any) -> CallOffered:
    return CallOffered(call=a_call(ringing=("1001",), **changes), at=NOW, agent=ONE, nth=nth)


def answered() -> CallAnswered:
    return CallAnswered(call=a_call(talking=("1001",)), at=NOW, agent=ONE)


def ended(**changes: Any) -> CallEnded:
    call = a_call(talking=("1001",))
    return CallEnded(call=call._replace(state=CallState.ENDED, talks=(), ended_at=NOW, **changes), at=NOW)


async def test_the_story_of_an_answered_call():
    zoe = an_account()
    stage = Stage(zoe)

    stage.tell(arrived(), offered(), answered(), ended())
    await stage.story

    heard = stage.heard()
    assert [one["type"] for one in heard] == ["pop", "call.changed", "call.answered", "call.ended"]
    assert (heard[0]["lookup"], heard[0]["account"]["name"], heard[0]["routing"]["rule"]) == ("found", zoe.name, "gold")
    assert stage.records.put_calls == [("main:1.1", zoe.account_id)]
    assert stage.customers.asked == ["+442079460018"]


async def test_a_call_from_before_a_restart_gets_its_cards_back_and_goes_on_without_telling_what_was():
    zoe, two = an_account(), Extension("1002")
    stage = Stage(zoe)
    stage.story.cancel()
    gone = offered()
    first = [
        arrived(),
        gone,
        OfferEnded(call=a_call(), at=NOW, agent=ONE, nth=1, why=OfferEnd.RING_NO_ANSWER),
        CallOffered(call=a_call(ringing=("1002",)), at=NOW, agent=two, nth=1),
        CallOffered(call=a_call(ringing=("1001", "1002")), at=NOW, agent=ONE, nth=2),
    ]
    before = Before(events=first)

    stage.story = asyncio.create_task(handle_call(stage.events, stage.desk, before))
    await asyncio.wait_for(before.is_restored.wait(), 5)

    cards = [stage.hub.standing_pops(agent) for agent in (ONE, two)]
    assert [[pop.pop_id for pop in held] for held in cards] == [["main:1.1/1001/2"], ["main:1.1/1002/1"]]
    assert {pop.account for held in cards for pop in held} == {zoe}
    assert stage.heard() == []
    stage.tell(answered(), ended())
    assert await stage.story
    assert [one["type"] for one in stage.heard()] == ["call.answered", "call.ended"]
    assert stage.records.put_calls == [("main:1.1", zoe.account_id)]


async def test_a_pop_goes_out_at_the_deadline_and_the_customer_follows_with_the_call_as_it_is_by_then():
    zoe = an_account()
    stage = Stage(zoe)
    stage.customers.gate.clear()
    loop = asyncio.get_running_loop()
    began = loop.time()

    stage.tell(arrived(), offered())
    (pop, _) = await stage.hears("pop", "call.changed")
    waited = loop.time() - began
    stage.tell(answered())
    await stage.hears("call.answered")
    stage.customers.gate.set()
    (update,) = await stage.hears("pop.update")

    assert (pop["lookup"], pop["account"]) == ("pending", None)
    assert DEADLINE_SECONDS - 0.02 < waited < DEADLINE_SECONDS + 1
    assert (update["pop_id"], update["account"]["name"]) == (pop["pop_id"], zoe.name)
    assert (update["call"]["state"], update["call"]["talking"]) == ("talking", ["1001"])
    stage.tell(ended())
    await stage.story


@pytest.mark.parametrize("is_slow", [False, True], ids=["store answers", "first look-up still under way"])
async def test_a_customer_number_that_is_typed_before_the_queue_is_on_the_pop(is_slow: bool):
    """The call is looked up when it arrives, and once more when its caller has typed."""
    stage, typed = Stage(), dict[tuple[str, str], str]()
    stage.desk = replace(stage.desk, entered_for=lambda pbx, uniqueid: typed.get((pbx, uniqueid)))
    stage.story.cancel()
    stage.story = asyncio.create_task(handle_call(stage.events, stage.desk))
    if is_slow:
        stage.customers.gate.clear()

    stage.tell(arrived())
    await stage.customers.was_asked(times=1)
    typed["main", "1.1"] = "4711"
    stage.tell(CallQueued(call=a_call(), at=NOW, queue="support"))
    await stage.customers.was_asked(times=2)
    stage.customers.gate.set()
    stage.tell(offered())
    (pop, _) = await stage.hears("pop", "call.changed")

    assert stage.customers.asked == ["+442079460018", "+442079460018 4711"]
    assert (pop["account"]["name"], pop["candidates"][0]["reason"]) == ("Customer 4711", "customer_number_entered")
    stage.tell(ended())
    await stage.story
    assert stage.records.put_calls == [("main:1.1", pop["account"]["account_id"])]


async def test_a_late_look_up_does_not_take_an_agents_choice_away():
    zoe, chosen = an_account(), an_account("Yan")
    stage = Stage(zoe)
    stage.desk = replace(stage.desk, chosen_for=lambda _: Chosen(account=chosen, history=(), by="1001", at=NOW, learnt=True))
    stage.story.cancel()
    stage.story = asyncio.create_task(handle_call(stage.events, stage.desk))
    stage.customers.gate.clear()

    stage.tell(arrived(), offered())
    await stage.hears("pop", "call.changed")
    stage.customers.gate.set()
    (update,) = await stage.hears("pop.update")

    assert (update["account"]["name"], update["chosen"]["by"]) == ("Yan", "1001")
    assert [one["account"]["name"] for one in update["candidates"]] == [zoe.name]
    stage.tell(ended())
    await stage.story


async def test_the_deadline_counts_from_the_arrival_so_that_a_later_ring_does_not_wait():
    stage = Stage()
    stage.customers.gate.clear()
    loop = asyncio.get_running_loop()
    stage.tell(arrived(), offered())
    await stage.hears("pop", "call.changed")
    began = loop.time()

    stage.tell(
        OfferEnded(call=a_call(), at=NOW, agent=ONE, nth=1, why=OfferEnd.RING_NO_ANSWER),
        offered(nth=2),
    )
    heard = await stage.hears("pop.withdrawn", "pop", "call.changed")

    assert loop.time() - began < DEADLINE_SECONDS / 2
    assert heard[1]["pop_id"] == "main:1.1/1001/2"
    stage.customers.gate.set()
    stage.tell(ended())
    await stage.story


async def test_a_customer_who_is_found_after_the_end_comes_on_the_record():
    """The record itself does not wait: a service that is stopped meanwhile must not lose the call."""
    zoe = an_account()
    stage = Stage(zoe)
    stage.customers.gate.clear()

    stage.tell(arrived(), offered(), ended(outcome=Outcome.ABANDONED))
    await stage.hears("pop", "call.changed", "call.ended")
    await asyncio.wait_for(stage.records.came.wait(), 5)
    at_once = list(stage.records.put_calls)
    stage.customers.gate.set()
    await stage.story

    assert at_once == [("main:1.1", None)]
    assert stage.records.put_calls == [("main:1.1", None), ("main:1.1", zoe.account_id)]


@pytest.mark.parametrize(
    ("accounts", "on_record"),
    [pytest.param(0, False, id="nobody"), pytest.param(1, True, id="one"), pytest.param(2, False, id="several")],
)
async def test_only_one_clear_match_puts_the_call_on_an_account(accounts: int, on_record: bool):
    customers: Sequence[Account] = [an_account(f"customer {n}") for n in range(accounts)]
    stage = Stage(*customers)

    stage.tell(arrived(), ended())
    await stage.story

    assert [account is not None for _, account in stage.records.put_calls] == [on_record]


async def test_an_outbound_call_is_looked_up_by_the_number_that_was_dialled():
    stage = Stage(an_account())
    outbound: dict[str, Any] = {"direction": Direction.OUTBOUND, "presented_number": None}

    stage.tell(
        arrived(customer_number=None, **outbound),
        CallChanged(call=a_call(customer_number="+442079460019", **outbound), at=NOW),
        ended(customer_number="+442079460019", **outbound),
    )
    await stage.story

    assert stage.customers.asked == ["+442079460019"]
    assert stage.records.put_calls[0][1] is not None


async def test_a_call_between_agents_asks_nobody_and_pops_nowhere():
    stage = Stage(an_account())

    stage.tell(
        *(event._replace(call=event.call._replace(direction=Direction.INTERNAL)) for event in (arrived(), offered(), ended()))
    )
    await stage.story

    assert [one["type"] for one in stage.heard()] == ["call.changed", "call.ended"]
    assert stage.customers.asked == []
    assert stage.records.put_calls == [("main:1.1", None)]


async def test_an_end_whose_beginning_was_not_followed_is_recorded_on_the_account():
    zoe = an_account()
    stage = Stage(zoe)

    stage.tell(ended())
    await stage.story

    assert stage.records.put_calls == [("main:1.1", zoe.account_id)]


async def test_a_call_that_cannot_be_recorded_ends_its_story_and_raises_nothing():
    stage = Stage(an_account())
    stage.records.is_full = True

    stage.tell(arrived(), ended())
    assert await stage.story is False, "the journal has it"

    assert [one["type"] for one in stage.heard()] == ["call.ended"]


@pytest.mark.parametrize(("score", "told"), [(4, ["main:1.1"]), (None, [])])
async def test_a_survey_is_told_once_its_call_is_stored(score: int | None, told: list[str]) -> None:
    stage = Stage()

    stage.tell(arrived(), CallEnded(call=a_call(state=CallState.ENDED, survey_score=score, ended_at=NOW), at=NOW))
    async with asyncio.timeout(5):
        await stage.story

    assert stage.surveyed == told
