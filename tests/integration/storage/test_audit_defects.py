"""The audit on a real store: it finds every planted defect, by kind and field, nothing else, and mends all of them."""

import pytest
from sqlalchemy import select

from storage.database import Database
from storage.schema import interactions
from tests.support.audited import (
    CALLS,
    DEFECTS,
    NOW,
    Defect,
    audited,
    everything,
    expected,
    found,
    places,
    planted,
    store_calls,
    the_calls,
)
from tests.support.records import FakeRecord


@pytest.fixture
async def record(database: Database) -> FakeRecord:
    """The record of the calls that the store holds, all of them right."""
    told = the_calls()
    await store_calls(database, [one.stored for one in told])
    return FakeRecord([one.recorded for one in told], newest=NOW)


async def test_nothing_is_found_in_a_sound_store(database: Database, record: FakeRecord):
    result = await audited(database, record)

    assert result.findings == ()
    assert (result.calls, result.stored, result.going_on, result.left, result.error) == (CALLS, CALLS, 0, 0, None)
    assert result.is_clean


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_planted_defect_is_found_and_mended(database: Database, record: FakeRecord, defect: Defect):
    number = 7 if defect.unanswered else 9
    await planted(database, (defect, number))

    looked = await audited(database, record)
    mended = await audited(database, record, repair=True)
    again = await audited(database, record)

    assert found(looked) == expected(defect, number)
    assert found(mended) == expected(defect, number)
    assert all(finding.repaired for finding in mended.findings)
    assert (mended.left, again.findings) == (0, ())


async def test_all_defects_at_once_are_found_and_mended(database: Database, record: FakeRecord):
    at_once = places()
    await planted(database, *at_once)

    looked = await audited(database, record)
    mended = await audited(database, record, repair=True)
    before = await everything(database)
    again = await audited(database, record, repair=True)

    assert len(at_once) >= 30
    assert found(looked) == set().union(*(expected(defect, number) for defect, number in at_once))
    assert sum(looked.counts.values()) == len(at_once)
    assert looked.left == len(at_once)
    assert (mended.left, again.findings) == (0, ())
    assert await everything(database) == before


async def test_pages_lose_no_call_and_give_none_twice(database: Database, record: FakeRecord, monkeypatch: pytest.MonkeyPatch):
    """Ghosts and doubles were copied: they began at the very moment of their originals."""
    monkeypatch.setattr("storage.audits.PAGE", 3)
    monkeypatch.setattr("storage.audits.IDS", 2)
    at_once = places()
    await planted(database, *at_once)

    result = await audited(database, record)

    assert found(result) == set().union(*(expected(defect, number) for defect, number in at_once))
    assert result.stored == len(await database.fetch(select(interactions.c.call_id)))
