"""The gap book: opened once, closed by the resync, settled by an audit, and kept whatever the store does meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from cti_bridge import gaps as gaps_module
from cti_bridge.domain.agent import PhoneState, QueueMember
from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.call_events import MemberChanged
from cti_bridge.domain.gap import Gap, GapCause
from cti_bridge.gaps import REMEMBERED, SHOWN, GapBook
from cti_bridge.live.board import Board
from cti_bridge.tracking.resync import Rebuilt
from tests.support.gaps import GapAudit, GapStore, a_gap
from tests.support.store import NOW

BACK = NOW + timedelta(seconds=28.4)


def a_board(*queues: str) -> Board:
    board = Board(since=NOW - timedelta(hours=1), service_level_seconds=20, short_abandon_seconds=5, wrap_up_seconds=0)
    for queue in queues:
        seat = QueueMember("main", queue, Extension("1001"), "PJSIP/1001", "One", False, None, 0, PhoneState.IDLE)
        board.feed(MemberChanged(member=seat, at=NOW))
    return board


def found(*, restarted: bool = False) -> Rebuilt:
    return Rebuilt(
        restarted=restarted,
        rebuilt=(CallId("main:1.1"), CallId("main:1.2")),
        ended_unseen=(CallId("main:1.3"),),
        appeared=(),
        queues=("support", "sales"),
    )


class Book:
    """A gap book that runs, and all around it."""

    def __init__(self, *, settles_at: int = 1, recorded: tuple[str, ...] = ("main",), store: GapStore | None = None) -> None:
        self.store, self.audit, self.board = store or GapStore(), GapAudit(settles_at), a_board("sales", "support", "vip")
        self.gaps = GapBook(self.store, self.board, auditor=self.audit, recorded=recorded)

    def provisional(self) -> list[str]:
        return [figures.queue for figures in self.board.queues(BACK) if figures.provisional]

    def shown(self) -> list[Gap]:
        return [seen.gap for seen in self.gaps.seen(NOW - timedelta(days=1))]


@asynccontextmanager
async def running(book: Book) -> AsyncIterator[Book]:
    async with asyncio.timeout(10):
        await book.gaps.load()
        task = asyncio.create_task(book.gaps.run())
        yield book
        task.cancel()


async def test_a_gap_is_opened_closed_and_settled_and_each_step_is_stored():
    async with running(Book()) as book:
        book.gaps.lost("main", NOW, queues=["sales"])
        opened = await book.store.until(lambda gap: gap.until is None)
        assert book.provisional() == ["sales"]
        book.gaps.resynced("main", BACK, found())
        assert book.provisional() == ["sales", "support"]
        settled = await book.store.until(lambda gap: gap.settled_at is not None)

    assert opened == Gap(gap_id=a_gap().gap_id, pbx="main", cause=GapCause.LINK, since=NOW, queues=("sales",))
    closed = replace(opened, until=BACK, rebuilt=2, ended_unseen=1, queues=("sales", "support"))
    assert book.audit.asked == [closed]
    assert settled == replace(closed, added=2, settled_at=NOW)
    assert book.shown() == [settled]
    assert book.provisional() == []
    assert book.gaps.counters == {"opened": 1, "closed": 1, "settled": 1}


async def test_a_link_that_breaks_again_before_it_was_resynced_makes_one_gap():
    async with running(Book()) as book:
        book.gaps.lost("main", NOW, queues=[])
        book.gaps.lost("main", NOW + timedelta(seconds=5), queues=["sales"])
        book.gaps.resynced("main", BACK, found())

        (gap,) = book.shown()
        assert (gap.since, gap.until) == (NOW, BACK)


async def test_a_first_connection_is_no_gap():
    async with running(Book()) as book:
        book.gaps.resynced("main", BACK, found())

        assert book.shown() == []


@pytest.mark.parametrize("restarted", [False, True], ids=["the service was away", "and the PBX was restarted meanwhile"])
async def test_a_service_that_was_away_has_a_gap_since_it_last_heard_of_the_pbx(restarted: bool):
    async with running(Book()) as book:
        book.gaps.away_since("main", NOW)
        book.gaps.resynced("main", BACK, found(restarted=restarted))

        (gap,) = book.shown()
        assert (gap.since, gap.cause) == (NOW, GapCause.PBX if restarted else GapCause.SERVICE)


async def test_an_open_gap_survives_a_restart_of_the_service():
    store = GapStore()
    async with running(Book(store=store)) as before:
        before.gaps.lost("main", NOW, queues=["sales"])
        await store.until(lambda gap: gap.until is None)

    async with running(Book(store=store)) as book:
        assert book.provisional() == ["sales"]
        book.gaps.away_since("main", NOW + timedelta(seconds=20))
        book.gaps.resynced("main", BACK, found())

        gap = await store.until(lambda gap: gap.until is not None)
        assert (gap.since, gap.cause) == (NOW, GapCause.LINK)
        assert len(store.held) == 1


async def test_a_gap_that_no_audit_had_settled_is_audited_after_a_restart():
    store = GapStore()
    store.held[a_gap().gap_id] = a_gap()

    async with running(Book(store=store)):
        assert (await store.until(lambda gap: gap.settled_at is not None)).added == 2


async def test_what_is_not_settled_is_audited_again_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gaps_module, "AUDIT_AGAIN_SECONDS", (0.01, 0.02, 0.03))
    async with running(Book(settles_at=3)) as book:
        book.gaps.lost("main", NOW, queues=[])
        book.gaps.resynced("main", BACK, found())

        await book.store.until(lambda gap: gap.settled_at is not None)
        assert len(book.audit.asked) == 3


async def test_without_a_record_nothing_is_audited_and_the_figures_stay_provisional():
    async with running(Book(recorded=("branch",))) as book:
        book.gaps.lost("main", NOW, queues=[])
        book.gaps.resynced("main", BACK, found())
        await book.store.until(lambda gap: gap.until is not None)

        assert [seen.is_audited for seen in book.gaps.seen(NOW)] == [False]
        assert (book.audit.asked, book.provisional()) == ([], ["sales", "support"])


async def test_a_gap_waits_for_a_store_that_is_away_and_is_shown_meanwhile():
    book = Book()
    with capture_logs() as logs:
        async with running(book):
            book.store.away = True
            book.gaps.lost("main", NOW, queues=["sales"])
            while not book.gaps.counters["store_retries"]:  # noqa: ASYNC110 - turns of the loop, no time
                await asyncio.sleep(0)
            shown = book.shown()
            book.store.away = False

            assert await book.store.until(lambda _: True) == shown[0]
    assert next(entry["waiting"] for entry in logs if entry["event"] == "gap.waits_for_store") == 1


async def test_a_link_that_flaps_fills_neither_the_memory_nor_the_board():
    book = Book(recorded=())
    book.store.away = True
    async with running(book):
        book.gaps.lost("branch", NOW - timedelta(hours=1), queues=[])
        for turn in range(REMEMBERED + 50):
            at = NOW + timedelta(seconds=turn)
            book.gaps.lost("main", at, queues=[])
            book.gaps.resynced("main", at + timedelta(seconds=0.5), found())

        assert len(book.shown()) == SHOWN
        assert book.gaps.counters["dropped"] == 51
        book.store.away = False
        await book.store.until(lambda gap: gap.since == at)
    assert len(book.store.held) == REMEMBERED
    assert any(gap.pbx == "branch" for gap in book.store.held.values())


async def test_a_gap_of_yesterday_makes_no_figure_of_today_provisional():
    async with running(Book(recorded=())) as book:
        book.gaps.lost("main", NOW, queues=[])
        book.gaps.resynced("main", BACK, found())
        book.gaps.lost("branch", NOW, queues=["vip"])
        assert book.provisional() == ["sales", "support", "vip"]

        book.board.begin_day(BACK + timedelta(seconds=1))

        assert book.provisional() == ["vip"]
