"""Gaps in the store: kept under their id, open ones over a restart, pages newest first."""

from datetime import timedelta

import pytest

from cti_bridge.domain.gap import Gap, GapCause
from storage.database import Database
from storage.gaps import Gaps
from tests.support.gaps import a_gap
from tests.support.store import NOW


def opened(minutes_ago: int = 0, **changes: object) -> Gap:
    """A gap that still lasts."""
    return a_gap(minutes_ago, **({"until": None, "rebuilt": 0, "queues": ()} | changes))


WHOLE = {
    "until": NOW + timedelta(seconds=28.5),
    "rebuilt": 3,
    "ended_unseen": 1,
    "appeared": 4,
    "added": 2,
    "corrected": 1,
    "queues": ("sales", "süd 南"),
    "settled_at": NOW + timedelta(seconds=40),
}


async def test_a_gap_comes_back_as_it_was_put(database: Database):
    store = Gaps(database)
    away, closed = opened(10, cause=GapCause.SERVICE), opened(5, **WHOLE)

    await store.put(away)
    await store.put(closed)

    assert await store.recent(10) == (closed, away)
    assert await store.recent(1) == (closed,)


async def test_the_same_gap_put_again_takes_the_place_of_what_was_there(database: Database):
    store = Gaps(database)
    await store.put(opened())

    await store.put(opened(**WHOLE))

    assert await store.recent(10) == (opened(**WHOLE),)


async def test_a_gap_is_open_until_the_pbx_is_back(database: Database):
    store = Gaps(database)
    away = opened(2)
    for gap in (opened(1, until=NOW), away, opened(3, **WHOLE)):
        await store.put(gap)

    assert await store.open() == (away,)


async def test_pages_are_newest_first_and_whole(database: Database):
    store = Gaps(database)
    for minutes in range(5):
        await store.put(opened(minutes))

    first = await store.list(cursor=None, limit=2)
    second = await store.list(cursor=first.next, limit=2)
    third = await store.list(cursor=second.next, limit=2)

    assert [len(page.items) for page in (first, second, third)] == [2, 2, 1]
    assert (*first.items, *second.items, *third.items) == tuple(opened(minutes) for minutes in range(5))
    assert third.next is None
    with pytest.raises(ValueError, match="cursor"):
        await store.list(cursor="not ours", limit=2)
