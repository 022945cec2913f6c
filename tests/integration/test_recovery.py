"""From a journal to the pipeline that goes on: whatever moment the service ended in, and whatever was stored by then."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cti_bridge.ami.stream import Received, StreamItem
from cti_bridge.call_task import Desk
from cti_bridge.domain.call import Call, CallId, Extension, call_document
from cti_bridge.gaps import GapBook
from cti_bridge.live.board import Board
from cti_bridge.lookup import Lookup
from cti_bridge.pipeline import CallTasks, Pipeline
from cti_bridge.recovery import _Decoder
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from tests.support.gaps import GapAudit, GapStore
from tests.support.journals import a_journal, items_of
from tests.support.replayed import a_tracker, calls_of, events_of, steps_of
from tests.support.store import NOW


class Store:
    """What is on record outlives the service; with `is_away` nothing comes on record."""

    def __init__(self) -> None:
        self.calls: dict[CallId, Call] = {}
        self.put_count = 0
        self.is_away = False
        self.has_room = True

    async def put(self, call: Call, _account_id: str | None) -> None:
        if self.is_away:
            await asyncio.Event().wait()
        self.put_count += 1
        self.calls[call.call_id] = call

    async def over(self, calls: Sequence[CallId]) -> frozenset[CallId]:
        return frozenset(calls) & self.calls.keys()


class Nobody:
    async def of_caller(self, _e164: str | None, _entered: str | None) -> tuple[()]:
        return ()


class Link:
    """A stream that a test fills."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[StreamItem] = asyncio.Queue()
        self.events = self

    def __aiter__(self) -> AsyncIterator[StreamItem]:
        return self

    async def __anext__(self) -> StreamItem:
        return await self.items.get()


@asynccontextmanager
async def a_life(folder: Path, store: Store) -> AsyncIterator["Life"]:
    """One life of the service, recovered from the journal; it ends as by a kill: nothing is noted or flushed any more."""
    async with asyncio.TaskGroup() as tasks:
        life = Life(folder, store, tasks)
        await life.pipeline.recover(life.journal)
        running = tasks.create_task(life.pipeline.run())
        yield life
        running.cancel()
        for task in tuple(life.calls._running):
            task.cancel()
        if life.journal._segment is not None:
            life.journal._segment.close()


class Life:
    def __init__(self, folder: Path, store: Store, tasks: asyncio.TaskGroup) -> None:
        self.hub = Hub(WebMetrics(CollectorRegistry()))
        self.board = Board(since=NOW, service_level_seconds=20, short_abandon_seconds=5, wrap_up_seconds=30)
        desk = Desk(hub=self.hub, lookup=Lookup(Nobody(), "GB"), recorder=store, decision_for=lambda _pbx, _uniqueid: None)
        self.calls = CallTasks(desk=desk, tasks=tasks)
        self.link = Link()
        gaps = GapBook(GapStore(), self.board, auditor=GapAudit(), recorded=())
        self.pipeline = Pipeline(self.link, a_tracker(), self.board, self.calls, gaps, pbx="main")
        self.journal = a_journal(folder)
        self._decoder = _Decoder()

    async def hears(self, items: Sequence[StreamItem]) -> None:
        """As the AMI client gives it: to the journal, decoded, to the pipeline; returns when it is worked off."""
        for item in items:
            self.journal.take(item)
            match item:
                case Received(at=at, conn=conn, data=data):
                    self.link.items.put_nowait(Received(at=at, conn=conn, data=data, news=tuple(self._decoder.events(data))))
                case _:
                    self._decoder.open("cti-0-")
                    self.link.items.put_nowait(item)
            for _ in range(20):
                await asyncio.sleep(0)
        self.journal.note()


def standing(hub: Hub) -> list[str]:
    agents = [Extension(str(number)) for number in range(1001, 1010)]
    return sorted(pop.pop_id for agent in agents for pop in hub.standing_pops(agent))


@pytest.mark.parametrize("name", ["q_first_agent", "q_two_callers", "xfer_chain", "ami_gap_talking", "out_answered"])
async def test_wherever_it_ends_the_calls_and_cards_are_those_of_a_service_that_never_did(tmp_path: Path, name: str):
    items = list(items_of(name))
    truth = {call["call_id"]: call for call in calls_of(events_of(steps_of(name)))}
    told: list[list[str]] = []
    async with a_life(tmp_path / "never ends", Store()) as life:
        for item in items:
            await life.hears([item])
            told.append(standing(life.hub))
    for end in range(1, len(items), 3):
        folder, store = tmp_path / str(end), Store()
        async with a_life(folder, store) as first:
            await first.hears(items[:end])
        pops_sent = first.hub._metrics.pops.labels("sent")._value.get()
        async with a_life(folder, store) as second:
            assert standing(second.hub) == told[end - 1], end
            assert second.hub._metrics.pops.labels("sent")._value.get() == 0
            live = {call.call_id for call in second.board.calls()}
            await second.hears(items[end:])

        assert pops_sent >= len(told[end - 1])
        ended = {call_id: call_document(call) for call_id, call in store.calls.items()}
        assert {call_id: ended[call_id]["answered_by"] for call_id in ended} == {c: truth[c]["answered_by"] for c in ended}
        assert live <= set(truth)


async def test_what_was_not_stored_is_stored_and_what_was_is_left_alone(tmp_path: Path):
    items = list(items_of("q_two_callers"))
    store = Store()
    async with a_life(tmp_path, store) as first:
        store.is_away = True
        await first.hears(items)
    assert store.calls == {}
    store.is_away = False

    async with a_life(tmp_path, store) as second:
        await asyncio.wait(second.calls._running)
        stored_again = store.put_count
    async with a_life(tmp_path, store) as third:
        assert third.calls._running == set()

    assert stored_again == 2
    assert store.put_count == 2
    assert [call_document(call) for call in store.calls.values()] == calls_of(events_of(steps_of("q_two_callers")))


async def test_an_agent_in_wrap_up_is_so_again(tmp_path: Path):
    items = list(items_of("q_first_agent"))
    store = Store()
    store.is_away = True
    async with a_life(tmp_path, store) as first:
        await first.hears(items)
        before = dict(first.board._wrapping_up)
    async with a_life(tmp_path, store) as second:
        assert second.board._wrapping_up == before != {}


async def test_a_journal_that_cannot_be_read_is_said_and_the_service_starts(tmp_path: Path):
    (tmp_path / "main").write_text("no folder")
    async with a_life(tmp_path / "main", Store()) as life:
        await life.hears(list(islice(items_of("q_first_agent"), 5)))

    assert life.journal.trouble is not None
