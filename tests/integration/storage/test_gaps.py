"""Gaps in the store: kept under their id, open ones over a restart, pages newest first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cti_bridge.domain.gap import Gap, GapCause, GapId
from storage.database import Database
from storage.gaps import Gaps
from tests.support.store import NOW


def a_gap(minutes_ago: int = 0, **changes: object) -> Gap:
    since = NOW - timedelta(minutes=minutes_ago)
    gap = Gap(gap_id=GapId(f"main:{since.timestamp() * 1000:.0f}"), pbx="main", cause=GapCause.LINK, since=since)
    return replace(gap, **changes)


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
    opened, closed = a_gap(10, cause=GapCause.SERVICE), a_gap(5, **WHOLE)

    await store.put(opened)
    await store.put(closed)

    assert await store.recent(10) == (closed, opened)
    assert await store.recent(1) == (closed,)


async def test_the_same_gap_put_again_takes_the_place_of_what_was_there(database: Database):
    store = Gaps(database)
    await store.put(a_gap())

    await store.put(a_gap(**WHOLE))

    assert await store.recent(10) == (a_gap(**WHOLE),)


async def test_a_gap_is_open_until_the_pbx_is_back(database: Database):
    store = Gaps(database)
    away = a_gap(2)
    for gap in (a_gap(1, until=NOW), away, a_gap(3, **WHOLE)):
        await store.put(gap)

    assert await store.open() == (away,)


async def test_pages_are_newest_first_and_whole(database: Database):
    store = Gaps(database)
    for minutes in range(5):
        await store.put(a_gap(minutes))

    first = await store.list(cursor=None, limit=2)
    second = await store.list(cursor=first.next, limit=2)
    third = await store.list(cursor=second.next, limit=2)

    assert [len(page.items) for page in (first, second, third)] == [2, 2, 1]
    assert (*first.items, *second.items, *third.items) == tuple(a_gap(minutes) for minutes in range(5))
    assert third.next is None
    with pytest.raises(ValueError, match="cursor"):
        await store.list(cursor="not ours", limit=2)
