"""What the audit's mends keep and bring, and when a gap is settled; on a real store."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from cti_bridge.domain.audit import AuditReason, AuditResult, audit_document
from cti_bridge.domain.call import Call, Outcome, call_document
from cti_bridge.domain.listing import InteractionFilter
from cti_bridge.domain.recorded_call import FindingKind
from cti_bridge.record.audit import by_our_clock
from storage.accounts import Accounts
from storage.audits import Audits
from storage.database import Database
from storage.interactions import Interactions
from storage.recorder import Recorder
from storage.schema import audit_runs, interaction_legs, interactions
from tests.support.audited import (
    CALLS,
    DEFECTS,
    END,
    NOW,
    audited,
    auditor_of,
    both,
    defect,
    everything,
    found,
    in_columns,
    in_document,
    moved,
    planted,
    store_calls,
    the_calls,
    wrong,
)
from tests.support.records import DAY, FakeRecord, an_answered_call, began, id_of
from tests.support.store import an_account


@pytest.fixture
async def record(database: Database) -> FakeRecord:
    """The record of the calls that the store holds, all of them right."""
    told = the_calls()
    await store_calls(database, [one.stored for one in told])
    return FakeRecord([one.recorded for one in told], newest=NOW)


async def written(database: Database, number: int, **changes: Any) -> None:
    await Interactions(database).change((await stored(database, number)).interaction_id, changes=changes)


async def stored(database: Database, number: int, suffix: str = "") -> Any:
    rows = await database.fetch(select(interactions).where(interactions.c.call_id == f"{id_of(number)}{suffix}"))
    return rows[0] if rows else None


async def test_a_lost_call_is_added_with_its_source_and_its_customer(database: Database, record: FakeRecord):
    zoe = await an_account(Accounts(database, region="GB"))
    await planted(database, (DEFECTS[0], 1))

    await audited(database, record, repair=True)

    row = await stored(database, 1)
    assert (row.source, row.account_id, row.agent, row.queue, row.outcome) == (
        "cel",
        zoe.account_id,
        "1004",
        "support",
        "answered",
    )
    assert (row.started_at, row.ended_at) == (record.told[1].started_at, record.told[1].ended_at)
    assert row.call["estimated"] is False
    assert row.call["transfers"] == [{"type": "blind", "from": "1002", "to": "1004"}]
    by_agent = await Interactions(database).list(
        InteractionFilter(agent="1002", since=began(1), until=began(2)), cursor=None, limit=9
    )
    assert [one.call_id for one in by_agent.items] == [id_of(1)]


async def test_two_customers_with_the_number_are_no_clear_match(database: Database, record: FakeRecord):
    accounts = Accounts(database, region="GB")
    await an_account(accounts)
    await an_account(accounts, "Yan")
    await planted(database, (DEFECTS[0], 1))

    await audited(database, record, repair=True)

    assert (await stored(database, 1)).account_id is None


async def test_a_corrected_call_keeps_what_the_service_alone_saw(database: Database, record: FakeRecord):
    await planted(database, (wrong("hung up", in_document(hung_up_by="customer"), "hung_up_by"), 2))

    await audited(database, record, repair=True)

    row = await stored(database, 2)
    assert row.source == "cel"
    assert row.call == call_document(the_calls()[2].stored)
    assert await legs(database, 2) == [
        ("offer", "1001", "no_answer"),
        ("offer", "1002", "answered"),
        ("offer", "1004", "answered"),
        ("talk", "1002", None),
        ("talk", "1004", None),
    ]


async def legs(database: Database, number: int) -> list[tuple[Any, ...]]:
    of_call = interaction_legs.c.interaction_id == (await stored(database, number)).interaction_id
    columns = (interaction_legs.c.kind, interaction_legs.c.party, interaction_legs.c.result)
    return [tuple(row) for row in await database.fetch(select(*columns).where(of_call).order_by(interaction_legs.c.position))]


async def test_what_agents_wrote_outlives_every_mend(database: Database, record: FakeRecord):
    zoe = (await an_account(Accounts(database, region="GB"), phone="+33123456789")).account_id
    for number in (1, 2, 5):
        await written(database, number, disposition="sold", note="paid", account_id=zoe)
    await planted(
        database, (defect("number, one digit"), 1), (defect("never closed"), 2), (defect("wrap-up without the call"), 5)
    )

    result = await audited(database, record, repair=True)

    assert result.corrected == 3
    for number in (1, 2, 5):
        row = await stored(database, number)
        assert (row.disposition, row.note, row.account_id, row.account_set_by_agent) == ("sold", "paid", zoe, True)


async def test_a_customer_found_by_a_wrong_number_goes_with_it(database: Database, record: FakeRecord):
    accounts = Accounts(database, region="GB")
    zoe = (await an_account(accounts)).account_id
    wrong_one = (await an_account(accounts, "Yan", "+442079460019")).account_id
    await planted(
        database,
        (
            wrong(
                "number", both(in_document(customer_number="+442079460019"), in_columns(account_id=wrong_one)), "customer_number"
            ),
            1,
        ),
    )

    await audited(database, record, repair=True)

    assert (await stored(database, 1)).account_id == zoe


async def test_wrap_ups_of_both_rows_of_a_doubled_call_are_kept(database: Database, record: FakeRecord):
    zoe = (await an_account(Accounts(database, region="GB"), phone="+33123456789")).account_id
    await planted(database, (defect("doubled under an agent's channel"), 1))
    double = await stored(database, 1, "1")
    await Interactions(database).change(
        double.interaction_id, changes={"disposition": "sold", "note": "second", "account_id": zoe}
    )
    await written(database, 1, disposition="asked", note="first")

    result = await audited(database, record, repair=True)

    row = await stored(database, 1)
    assert (result.merged, result.left) == (1, 0)
    assert await stored(database, 1, "1") is None
    assert (row.disposition, row.note, row.account_id) == ("asked", "first\nsecond\nsold", zoe)


async def test_a_ghost_that_an_agent_wrote_on_stays_and_is_marked(database: Database, record: FakeRecord):
    await planted(database, (defect("ghost"), 1), (defect("ghost"), 2))
    row = (await database.fetch(select(interactions).where(interactions.c.interaction_id == "ghost 2")))[0]
    await Interactions(database).change(row.interaction_id, changes={"note": "she called twice"})

    result = await audited(database, record, repair=True)
    again = await audited(database, record)

    left = await database.fetch(select(interactions).where(interactions.c.interaction_id.like("ghost%")))
    assert [(row.interaction_id, row.is_ghost, row.note) for row in left] == [("ghost 2", True, "she called twice")]
    assert (result.removed, result.left) == (2, 0)
    assert again.findings == ()


async def test_nothing_is_thrown_away_where_the_record_broke_off(database: Database, record: FakeRecord):
    """Its disk is full, the module is unloaded: the calls of the store are then the only trace of themselves."""
    record.told = record.told[:30]
    record.newest = record.told[-1].ended_at

    result = await audited(database, record, repair=True)

    assert result.counts[FindingKind.GHOST] == result.left == CALLS - 30
    assert (result.removed, len(await database.fetch(select(interactions)))) == (0, CALLS)


async def test_calls_older_than_the_record_are_not_judged(database: Database, record: FakeRecord):
    record.told = record.told[10:]

    result = await audited(database, record, repair=True)

    assert result.findings == ()
    (problem,) = result.problems
    assert (
        problem.what
        == f"10 stored calls are older than the record, which begins at {record.told[0].started_at.isoformat(timespec='seconds')}"
    )


async def test_an_empty_record_beside_a_full_store_is_no_audit(database: Database, record: FakeRecord):
    record.told, record.newest = [], None

    result = await audited(database, record, repair=True)

    assert result.error == "the record of main holds no row, the store has calls: is it still being written?"
    assert not result.is_clean


async def test_a_replay_does_not_bring_a_mended_mistake_back(database: Database, record: FakeRecord):
    mistaken = the_calls()[1].stored._replace(outcome=Outcome.LOST, answered_by=(), talks=(), estimated=True)
    await store_calls_again(database, mistaken)
    await audited(database, record, repair=True)
    before = await everything(database)

    await store_calls_again(database, mistaken)

    assert (await audited(database, record)).findings == ()
    assert await everything(database) == before


async def store_calls_again(database: Database, call: Call) -> None:
    recorder = Recorder(database)
    running = asyncio.create_task(recorder.run())
    await recorder.put(call, None)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


# --- clocks, windows, gaps


async def test_clocks_that_differ_are_told_and_allowed_for(database: Database, record: FakeRecord):
    record.told = [by_our_clock(call, -300.0) for call in record.told]
    await planted(database, (defect("began 2 s late"), 1), (defect("row deleted"), 2))

    result = await audited(database, record, repair=True)

    assert found(result) == {("wrong", id_of(1), "started_at"), ("lost", id_of(2), None)}
    assert result.clock_ahead_seconds == pytest.approx(300, abs=0.1)
    assert [problem.what for problem in result.problems] == ["its clock is 300.0 s behind this machine's"]
    assert (await stored(database, 2)).started_at == began(2)
    assert result.left == 0


async def test_estimates_are_put_right_without_a_complaint(database: Database, record: FakeRecord):
    await planted(database, (wrong("", both(moved(6, "ended_at"), in_document(estimated=True, talk_s=35.0))), 1))

    looked = await audited(database, record)
    mended = await audited(database, record, repair=True)

    assert looked.findings == mended.findings == ()
    assert mended.corrected == 1
    row = await stored(database, 1)
    assert (row.ended_at, row.call["talk_s"], row.call["estimated"]) == (record.told[1].ended_at, 29.02, False)
    assert (await audited(database, record, repair=True)).corrected == 0


async def test_results_are_there_after_a_restart(database: Database, record: FakeRecord):
    await planted(database, (defect("row deleted"), 20))
    minutes = iter(range(60))
    auditor = auditor_of(database, record, lambda: NOW + timedelta(minutes=next(minutes)))
    await auditor.audit("main", DAY, END, reason=AuditReason.COMMAND)
    last = await auditor.audit("main", DAY, END, reason=AuditReason.COMMAND, repair=True)

    kept = await Audits(database).last()

    assert [audit_document(result) for result in kept] == [audit_document(last)]


async def test_only_the_newest_results_are_kept(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("storage.audits.KEPT_RUNS", 4)
    audits = Audits(database)
    for number in range(4 + 3):
        for pbx, reason in (("main", AuditReason.GAP), ("main", AuditReason.NIGHTLY), ("branch", AuditReason.GAP)):
            at = DAY + timedelta(seconds=number)
            await audits.keep(AuditResult(pbx=pbx, reason=reason, at=at, since=DAY, until=at))

    assert (await database.fetch(select(func.count()).select_from(audit_runs)))[0][0] == 3 * 4
    assert [result.at for result in await audits.last()] == [DAY + timedelta(seconds=4 + 2)] * 3


async def test_calls_of_another_pbx_are_left_alone(database: Database, record: FakeRecord):
    """`main` and `main2`, and the wildcard of SQL in `ma_n`: only `main:` is main's."""
    for pbx in ("main2", "ma_n", "mai"):
        await store_calls(database, [an_answered_call(1, pbx=pbx).stored])

    result = await audited(database, record)

    assert (result.findings, result.stored) == ((), CALLS)


async def test_a_call_stored_at_a_wrong_time_is_no_ghost(database: Database, record: FakeRecord):
    """Three days off: the record of the window does not know it, that of its channel's time does."""
    await planted(database, (wrong("", moved(-3 * 86400, "started_at", "answered_at", "ended_at")), 20))
    window = (DAY - timedelta(days=4), DAY - timedelta(days=2))
    record.oldest = DAY - timedelta(days=30)

    result = await auditor_of(database, record).audit("main", *window, reason=AuditReason.COMMAND, repair=True)

    assert {finding.field for finding in result.findings} == {"started_at", "answered_at", "ended_at"}
    assert (result.corrected, result.removed, result.left) == (1, 0, 0)
    assert (await audited(database, record)).findings == ()


async def test_a_lost_call_that_stands_elsewhere_in_time_is_not_added_again(database: Database, record: FakeRecord):
    await planted(database, (wrong("", moved(-3 * 86400, "started_at", "answered_at", "ended_at")), 20))

    result = await audited(database, record, repair=True)

    assert (result.counts[FindingKind.LOST], result.counts[FindingKind.WRONG], result.added) == (0, 1, 0)
    assert len(await database.fetch(select(interactions))) == CALLS
