"""The hub without sockets: fairness while broadcasting, bounds, what it remembers."""

import asyncio
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from cti_bridge.domain.account import NotFound
from cti_bridge.domain.call import Extension
from cti_bridge.domain.call_events import CallChanged, OfferEnd
from screen_pop import hub as hub_module
from screen_pop.hub import YIELD_EVERY, Hub
from screen_pop.metrics import WebMetrics
from screen_pop.outbox import Gap
from screen_pop.pop import build_pop
from tests.support.stores import AGENT, NOW, SUPERVISOR, a_call
from tests.support.web import Clock


@pytest.fixture
def hub() -> Hub:
    clock = Clock()
    return Hub(WebMetrics(CollectorRegistry()), clock=clock, wall_clock=clock.now)


async def test_a_broadcast_lets_others_run_between_batches(hub: Hub) -> None:
    boards = [hub.attach(replace(SUPERVISOR, user_id=f"s{n}"), b"") for n in range(YIELD_EVERY * 4)]
    for board in boards:
        board.cursor = board.receiver.outbox.newest_id if board.receiver else 0
        hub.opened(board)
    woken_at_each_turn = []

    broadcast = asyncio.create_task(hub.tell_call(CallChanged(call=a_call(), at=NOW)))
    while not broadcast.done():
        await asyncio.sleep(0)
        woken_at_each_turn.append(sum(board.wake.is_set() for board in boards))

    assert woken_at_each_turn[:4] == [YIELD_EVERY * batch for batch in (1, 2, 3, 4)]


async def test_ids_after_a_restart_are_higher_than_any_before() -> None:
    clock = Clock()
    newest = 0
    for _ in range(3):
        hub = Hub(WebMetrics(CollectorRegistry()), clock=clock, wall_clock=clock.now)
        connection = hub.attach(AGENT, b"")
        assert connection.receiver is not None
        assert connection.receiver.outbox.newest_id > newest
        for n in range(100):
            await hub.deliver(Extension("1001"), "call.changed", {"call": n}, at=NOW)
        newest = connection.receiver.outbox.newest_id
        clock.seconds += 1


async def test_an_id_of_before_is_never_resumable_though_the_clock_was_set_back() -> None:
    clock = Clock()
    before = Hub(WebMetrics(CollectorRegistry()), clock=clock, wall_clock=clock.now)
    before.number_after(0.0)
    old = before.attach(AGENT, b"").receiver
    board = before.attach(SUPERVISOR, b"").receiver
    assert old is not None
    assert board is not None
    for n in range(2000):
        await before.deliver(Extension("1001"), "call.changed", {"call": n}, at=NOW)
        await before.tell_call(CallChanged(call=a_call(), at=NOW))
    clock.seconds += 10
    seen_until = clock.now().timestamp()
    clock.seconds -= 3600

    after = Hub(WebMetrics(CollectorRegistry()), clock=clock, wall_clock=clock.now)
    after.number_after(seen_until)
    for user, receiver in ((AGENT, old), (SUPERVISOR, board)):
        anew = after.attach(user, b"").receiver
        assert anew is not None
        newest = receiver.outbox.newest_id
        for n in range(3):
            assert isinstance(anew.outbox.next_after(newest - n), Gap)
        for n in range(600):
            await after.deliver(Extension("1001"), "call.changed", {"call": n}, at=NOW)
            await after.tell_call(CallChanged(call=a_call(), at=NOW))
        assert isinstance(anew.outbox.next_after(newest), Gap)
        assert anew.outbox.newest_id < 2**53


async def test_a_restored_pop_stands_and_is_told_to_nobody(hub: Hub) -> None:
    browser = hub.attach(AGENT, b"")
    assert browser.receiver is not None
    before = browser.receiver.outbox.newest_id
    call = a_call(ringing=("1001",))
    pop = build_pop(call, Extension("1001"), 1, NotFound(), decision=None)

    hub.restore_pop(pop)
    await hub.pop(pop, at=NOW)
    stands = hub.standing_pops(Extension("1001"))
    told = browser.receiver.outbox.newest_id - before
    hub.shown(AGENT, pop.pop_id)
    await hub.withdraw_pop(Extension("1001"), pop.pop_id, call.call_id, OfferEnd.ABANDONED, at=NOW)

    assert (stands, told) == ((pop,), 0)
    assert hub.standing_pops(Extension("1001")) == ()
    assert browser.receiver.outbox.newest_id - before == 1


async def test_outboxes_of_absent_agents_are_given_up_at_the_limit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_RECEIVERS", 3)
    present = hub.attach(AGENT, b"")

    for n in range(10):
        await hub.deliver(Extension(f"2{n:03}"), "call.changed", {"call": {}}, at=NOW)

    assert present.receiver is hub.attach(AGENT, b"").receiver
    assert len(hub._agents) == 3


async def test_pops_without_an_end_do_not_pile_up(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "POPS_REMEMBERED", 3)

    for n in range(10):
        pop = build_pop(a_call(f"main:{n}.1", ringing=("1001",)), Extension("1001"), 1, NotFound(), decision=None)
        await hub.pop(pop, at=NOW)

    assert [pop.call.call_id for pop in hub.standing_pops(Extension("1001"))] == ["main:7.1", "main:8.1", "main:9.1"]
    assert len(hub._sent) == 3
