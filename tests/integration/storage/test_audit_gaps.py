"""When a gap is settled, and what the night does; on a real store."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cti_bridge.domain.audit import AuditReason, audit_document
from cti_bridge.domain.errors import RecordUnreadable
from cti_bridge.domain.gap import Gap, GapCause, GapId
from storage.database import Database
from storage.schema import interactions
from tests.support.audited import (
    END,
    NOW,
    auditor_of,
    defect,
    in_document,
    planted,
    store_calls,
    the_calls,
    wrong,
)
from tests.support.records import DAY, FakeRecord, began, id_of


async def stored(database: Database, number: int) -> Any:
    rows = await database.fetch(select(interactions).where(interactions.c.call_id == id_of(number)))
    return rows[0] if rows else None


@pytest.fixture
async def record(database: Database) -> FakeRecord:
    """The record of the calls that the store holds, all of them right."""
    told = the_calls()
    await store_calls(database, [one.stored for one in told])
    return FakeRecord([one.recorded for one in told], newest=NOW)


async def test_a_gap_is_filled_and_settled(database: Database, record: FakeRecord):
    await planted(database, (defect("row deleted"), 20), (wrong("", in_document(hung_up_by=None, estimated=True)), 21))
    await planted(database, (defect("row deleted"), 5))  # not of this gap
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=began(21) + timedelta(seconds=30))

    settled = await auditor_of(database, record).gap_closed(gap)

    assert settled == replace(gap, added=1, corrected=1, settled_at=NOW)
    assert await stored(database, 5) is None


async def test_a_gap_with_a_call_that_still_goes_on_waits(database: Database, record: FakeRecord):
    whole, live = record.told[20], replace(record.told[20], ended_at=None, hung_up_by=None, outcome=None, talk_s=None)
    await planted(database, (defect("row deleted"), 20))
    record.told[20] = live
    auditor = auditor_of(database, record)
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=began(20) + timedelta(seconds=5))

    waiting = await auditor.gap_closed(gap)
    record.told[20] = whole
    settled = await auditor.gap_closed(waiting)

    assert waiting == gap
    assert settled == replace(gap, added=1, settled_at=NOW)


async def test_a_gap_that_closed_this_moment_is_not_settled_yet(database: Database, record: FakeRecord):
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=NOW - timedelta(seconds=2))

    assert await auditor_of(database, record).gap_closed(gap) == gap
    assert record.read == []


async def test_a_gap_is_not_settled_where_the_record_cannot_be_read(database: Database, record: FakeRecord):
    auditor = auditor_of(database, record)
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=began(21))
    record.fails = [RecordUnreadable("cel.csv: no such file")]

    waiting = await auditor.gap_closed(gap)

    assert waiting == gap
    assert auditor.last()["main"].error == "cel.csv: no such file"
    assert (await auditor.gap_closed(waiting)).settled_at == NOW


@dataclass
class Night:
    """A clock that stands just before the nightly audit and runs on."""

    at: datetime = field(default_factory=lambda: (NOW.astimezone() + timedelta(minutes=1)).replace(second=0, microsecond=0))
    began: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.at + timedelta(seconds=time.monotonic() - self.began - 0.5)


async def test_the_night_looks_at_the_last_day_and_mends_nothing(database: Database, record: FakeRecord):
    await planted(database, (defect("row deleted"), 20))
    night = Night()
    auditor = auditor_of(database, record, night.now, nightly_at=night.at.strftime("%H:%M"))

    running = asyncio.create_task(auditor.run())
    async with asyncio.timeout(20):
        await record.was_read.wait()
        async with auditor._one_at_a_time:
            running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    result = auditor.last()["main"]
    assert (result.reason, result.since, result.until) == (AuditReason.NIGHTLY, night.at - timedelta(days=1), night.at)
    assert {(finding.kind.value, finding.call_id) for finding in result.findings} == {("lost", id_of(20))}
    assert await stored(database, 20) is None


async def test_the_night_settles_what_the_day_could_not(database: Database, record: FakeRecord):
    await planted(database, (defect("row deleted"), 20))
    night = Night()
    auditor = auditor_of(database, record, night.now, nightly_at=night.at.strftime("%H:%M"))
    record.fails = [RecordUnreadable("cel.csv: no such file")]
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=began(21))
    await auditor.gap_closed(gap)
    changed: asyncio.Queue[Gap] = asyncio.Queue(1)

    running = asyncio.create_task(auditor.run(changed.put_nowait))
    async with asyncio.timeout(20):
        settled = await changed.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert (settled.added, settled.settled_at is not None) == (1, True)


async def test_what_the_night_found_stays_shown_until_it_is_mended(database: Database, record: FakeRecord):
    await planted(database, (defect("row deleted"), 20))
    minutes = iter(range(60))
    auditor = auditor_of(database, record, lambda: NOW + timedelta(minutes=next(minutes)))
    found = await auditor.audit("main", DAY, END, reason=AuditReason.NIGHTLY)
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(30), until=began(31))

    await auditor.gap_closed(gap)
    after_gap = auditor.last()["main"]
    by_command = auditor_of(database, record, lambda: NOW + timedelta(minutes=90))
    mended = await by_command.audit("main", DAY, END, reason=AuditReason.COMMAND, repair=True)
    await auditor._take_in_results()

    assert after_gap == found
    assert audit_document(auditor.last()["main"]) == audit_document(mended)


async def test_a_gap_throws_no_ghost_away_by_itself(database: Database, record: FakeRecord):
    await planted(database, (defect("ghost"), 20), (defect("row deleted"), 21))
    gap = Gap(gap_id=GapId("main:1"), pbx="main", cause=GapCause.LINK, since=began(20), until=began(21))
    auditor = auditor_of(database, record)

    settled = await auditor.gap_closed(gap)

    assert (settled.added, settled.settled_at) == (1, NOW)
    assert (auditor.last()["main"].left, auditor.last()["main"].removed) == (1, 0)


async def test_nothing_is_compared_while_finished_calls_wait_for_the_store(
    database: Database, record: FakeRecord, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cti_bridge.record.auditor.FLUSH_SECONDS", 0.01)
    auditor = auditor_of(database, record, settled=asyncio.Event().wait)

    result = await auditor.audit("main", DAY, END, reason=AuditReason.GAP, repair=True)

    assert result.error == "finished calls wait for the store: there is nothing to compare with yet"
    assert record.read == []
