"""The store is asked only when it matters and waited for only so long; decisions are remembered, but not for ever."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from cti_bridge.domain.account import LookupResult, NotFound, Tier
from cti_bridge.domain.errors import StorageError
from routing.agi import AgiRequest
from routing.router import MAX_AGE, MAX_LOOKUPS, MAX_REMEMBERED, Router
from routing.rules_holder import RulesHolder
from tests.support.routing_samples import MONDAY_NOON, found

RULES = """
rules:
- {name: vip, when: {tier: gold, did: "80*"}, queue: vip}
- {name: new, when: {caller: unknown}, queue: sales}
default: {queue: support}
"""


class Store:
    """Answers look-ups as told; `asked` are the numbers looked up, `entered` the customer numbers."""

    def __init__(self, *answers: LookupResult | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []
        self.entered: list[str | None] = []
        self.stuck = asyncio.Event()

    async def lookup(self, number: str | None, entered: str | None) -> LookupResult:
        self.asked.append(number)
        self.entered.append(entered)
        if not self.answers:
            await self.stuck.wait()
            return NotFound()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    def __init__(self) -> None:
        self.time = MONDAY_NOON

    def __call__(self):
        return self.time


@pytest.fixture
def holder(tmp_path):
    file = tmp_path / "routing.yaml"
    file.write_text(RULES)
    holder = RulesHolder(file, now=lambda: MONDAY_NOON)
    holder.load()
    return holder


def a_router(holder: RulesHolder, store: Store, now=lambda: MONDAY_NOON, pbxes: tuple[str, ...] = ()) -> Router:
    return Router(holder, lookup=store.lookup, region="GB", now=now, pbxes=pbxes, lookup_seconds=0.01)


def asked(uniqueid: str = "1.1", did: str = "8001", caller: str | None = "020 7946 0018") -> AgiRequest:
    return AgiRequest(uniqueid=uniqueid, did=did, caller=caller)


async def rule_for(router: Router, request: AgiRequest) -> str:
    decision = await router.decide(request)
    assert decision is not None
    return decision.rule


async def test_account_decides_where_rules_ask_for_it(holder):
    store = Store(found(Tier.GOLD), NotFound())
    router = a_router(holder, store)

    assert await rule_for(router, asked()) == "vip"
    assert await rule_for(router, asked()) == "new"
    assert store.asked == ["+442079460018"] * 2


@pytest.mark.parametrize(
    ("caller", "rule"),
    [
        pytest.param(None, "default", id="withheld"),
        pytest.param("1001", "new", id="no number of the plan"),
        pytest.param("100\r\nx", "new", id="no number at all"),
    ],
)
async def test_store_is_not_asked_about_a_caller_it_cannot_know(holder, caller, rule):
    store = Store()

    assert await rule_for(a_router(holder, store), asked(caller=caller)) == rule
    assert store.asked == []


@pytest.mark.parametrize("caller", [None, "1001", "020 7946 0018"], ids=["withheld", "no number of the plan", "a number"])
async def test_customer_number_that_was_typed_decides_too(holder, caller):
    store = Store(found(Tier.GOLD))
    router = a_router(holder, store)

    assert await rule_for(router, replace(asked(caller=caller), customer="4711")) == "vip"
    assert store.entered == ["4711"]
    assert (router.entered_for("main", "1.1"), router.entered_for("main", "1.2")) == ("4711", None)


async def test_what_was_typed_is_remembered_though_no_rule_was_found_or_delivered(tmp_path):
    router = a_router(RulesHolder(tmp_path / "none.yaml", now=lambda: MONDAY_NOON), Store(), pbxes=("main", "branch"))
    request = replace(asked(), customer="4711", pbx="main")

    assert await router.decide(request) is None
    router.withdraw(request)
    for number in range(1, MAX_REMEMBERED):
        await router.decide(replace(request, uniqueid=f"2.{number}"))

    assert (router.entered_for("main", "1.1"), router.entered_for("branch", "1.1")) == ("4711", None)
    await router.decide(replace(request, uniqueid="3.1"))
    assert router.entered_for("main", "1.1") is None  # the oldest made room


async def test_slow_store_leaves_the_caller_unknown_and_is_not_cut_off(holder):
    store = Store()
    router = a_router(holder, store)

    assert await rule_for(router, asked()) == "default"
    assert router.counters["lookup_late"] == 1
    assert router.trace_for("main", "1.1")[0].matched is None
    store.stuck.set()
    await router.close()


async def test_hung_store_costs_a_bounded_number_of_look_ups(holder):
    store = Store()
    router = a_router(holder, store)

    rules = await asyncio.gather(*(rule_for(router, asked(uniqueid=str(n))) for n in range(MAX_LOOKUPS + 10)))

    assert set(rules) == {"default"}
    assert len(store.asked) == MAX_LOOKUPS
    assert router.counters["lookup_refused"] == 10
    await router.close()


@pytest.mark.parametrize("error", [StorageError("away"), RuntimeError("a mistake of ours")])
async def test_failing_store_leaves_the_caller_unknown(holder, error):
    router = a_router(holder, Store(error))

    assert await rule_for(router, asked()) == "default"
    assert router.counters["lookup_failed"] == 1


async def test_nothing_is_decided_without_rules(tmp_path):
    router = a_router(RulesHolder(tmp_path / "none", now=lambda: MONDAY_NOON), Store())

    assert await router.decide(asked()) is None
    assert router.counters["no_rules"] == 1


async def test_decision_is_remembered_by_the_channels_unique_id(holder):
    router = a_router(holder, Store(NotFound()))

    decision = await router.decide(asked("1.7"))

    assert router.decision_for("main", "1.7") == decision
    assert router.decision_for("main", "1.8") is None
    assert router.trace_for("main", "1.8") == ()


async def test_withdrawn_decision_is_forgotten(holder):
    router = a_router(holder, Store())
    await router.decide(asked("1.7", caller=None))

    router.withdraw(asked("1.7"))
    router.withdraw(asked("1.7"))

    assert router.decision_for("main", "1.7") is None


async def test_old_decisions_are_forgotten(holder):
    clock = Clock()
    router = a_router(holder, Store(), now=clock)
    await router.decide(asked("1.1", caller=None))
    clock.time += MAX_AGE + timedelta(seconds=1)
    await router.decide(asked("1.2", caller=None))

    assert router.decision_for("main", "1.1") is None
    assert router.decision_for("main", "1.2") is not None


async def test_number_of_remembered_decisions_is_bounded(holder):
    router = a_router(holder, Store())
    for number in range(MAX_REMEMBERED + 1):
        await router.decide(asked(str(number), caller=None))

    assert router.decision_for("main", "0") is None
    assert router.decision_for("main", "1") is not None


async def test_equal_uniqueids_of_two_pbxs_are_two_calls(holder) -> None:
    router = a_router(holder, Store(NotFound(), NotFound()), pbxes=("north", "south"))
    north, south = (replace(asked(uniqueid="1.1", did=did), pbx=pbx) for pbx, did in (("north", "8001"), ("south", "8002")))

    decisions = [await router.decide(request) for request in (north, south)]
    router.withdraw(south)

    assert router.decision_for("north", "1.1") == decisions[0]
    assert router.decision_for("south", "1.1") is None


@pytest.mark.parametrize(
    ("pbxes", "says", "known_to"),
    [
        pytest.param(("north",), None, {"north"}, id="the only one need not say it"),
        pytest.param(("north",), "south", {"north", "south"}, id="a name that is not known counts as none"),
        pytest.param(("north", "south"), None, {"north", "south"}, id="one of two that does not say which"),
        pytest.param(("north", "south"), "south", {"south"}, id="one of two that says it"),
    ],
)
async def test_decision_is_found_by_the_pbx_that_asked(holder, pbxes, says, known_to) -> None:
    router = a_router(holder, Store(NotFound()), pbxes=pbxes)

    await router.decide(replace(asked(uniqueid="1.1"), pbx=says))

    assert {pbx for pbx in ("north", "south") if router.decision_for(pbx, "1.1") is not None} == known_to
