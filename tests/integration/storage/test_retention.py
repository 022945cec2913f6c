"""What was kept long enough goes, on both databases; what an open commitment needs stays, and the audit log stays verifiable."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Table, func, insert, select, text, update

from cti_bridge.domain.account import Account
from cti_bridge.domain.audit import AuditReason
from cti_bridge.domain.audit_log import AuditAction, head_of
from cti_bridge.domain.call import CallId
from cti_bridge.domain.case import CaseKind
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.gap import Gap, GapCause, GapId
from cti_bridge.domain.retention import RetentionKind
from storage import audit_log as audit_log_module
from storage import retention as module
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.cases import Cases
from storage.database import Database
from storage.gaps import Gaps
from storage.interactions import Interactions
from storage.recorder import Recorder
from storage.retention import Retention
from storage.schema import (
    accounts,
    audit_log,
    audit_runs,
    cases,
    gaps,
    interaction_legs,
    interactions,
    new_id,
    webhook_deliveries,
)
from tests.support.store import NOW, a_finished_call, an_account, an_email

LATER = NOW + timedelta(days=31)
PERIOD = timedelta(days=30)
"""What is from `NOW` is old, what is from `LATER` is young."""


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(audit_log_module, "CUT_AT_ONCE", 2)


def keeper(database: Database, *kinds: RetentionKind) -> Retention:
    return Retention(database, dict.fromkeys(kinds, PERIOD))


async def count(database: Database, table: Table) -> int:
    rows = await database.fetch(select(func.count()).select_from(table))
    return int(rows[0][0])


async def a_call(database: Database, number: int, at: datetime, **changes: Any) -> CallId:
    recorder = Recorder(database)
    running = asyncio.create_task(recorder.run())
    call = a_finished_call(number)
    moved = at - call.started_at
    talks = tuple(talk._replace(started_at=talk.started_at + moved, ended_at=talk.ended_at + moved) for talk in call.talks)
    await recorder.put(call._replace(started_at=at, ended_at=at + timedelta(minutes=1), talks=talks), changes.get("account_id"))
    running.cancel()
    return call.call_id


async def five_of_each(database: Database, account: Account) -> None:
    """Three that are old, two that are young."""
    outbox = Cases(database)
    for number in range(5):
        at = NOW if number < 3 else LATER
        minute = timedelta(minutes=number)
        email = replace(an_email(account_id=account.account_id), started_at=at + minute)
        await Interactions(database).add(email, idempotency_key=None)
        case = await outbox.open(account.account_id, kind=CaseKind.CALL_BACK, subject=f"{number}", by="ada", now=at)
        await outbox.change(case.case_id, {"is_open": False}, by="ada", now=at + minute)
        gap = Gap(gap_id=GapId(f"main:{number}"), pbx="main", cause=GapCause.LINK, since=at, until=at + minute)
        await Gaps(database).put(gap)
        await put(database, audit_runs, run_id=new_id(), pbx="main", reason=AuditReason.NIGHTLY.value, at=at + minute, result={})
        delivery = {"delivery_id": new_id(), "webhook": "crm", "event": "call.ended", "body": "{}", "tries": 1}
        await put(database, webhook_deliveries, **delivery, created_at=at, dead_at=at)
        await AuditLog(database).append(AuditAction.ACCOUNTS_EXPORTED, actor="ada", detail={}, now=at)


async def put(database: Database, table: Table, **values: Any) -> None:
    await database.commit(lambda connection: connection.execute(insert(table).values(values)))


TABLES = {
    RetentionKind.INTERACTIONS: interactions,
    RetentionKind.CASES: cases,
    RetentionKind.GAPS: gaps,
    RetentionKind.AUDITS: audit_runs,
    RetentionKind.DELIVERIES: webhook_deliveries,
    RetentionKind.AUDIT_LOG: audit_log,
}


async def test_each_kind_goes_by_its_own_time(database: Database):
    account = await an_account(Accounts(database, region="GB"))
    await five_of_each(database, account)
    for kind, table in TABLES.items():
        before = {one: await count(database, other) for one, other in TABLES.items() if one is not kind}
        retention = keeper(database, kind)

        due = await retention.due(now=LATER)
        assert await count(database, table) >= 5  # looking changes nothing
        gone = await retention.carry_out(by="retention", now=LATER)

        assert due == gone == {kind: 3}
        assert (await retention.carry_out(by="retention", now=LATER)) == {kind: 0}
        others = {
            one: await count(database, other) for one, other in TABLES.items() if one not in {kind, RetentionKind.AUDIT_LOG}
        }
        assert others == {one: rows for one, rows in before.items() if one is not RetentionKind.AUDIT_LOG}


async def test_what_went_is_written_down(database: Database):
    account = await an_account(Accounts(database, region="GB"))
    await five_of_each(database, account)

    await keeper(database, RetentionKind.GAPS, RetentionKind.CASES).carry_out(by="retention", now=LATER)
    await keeper(database, RetentionKind.GAPS).carry_out(by="retention", now=LATER)

    newest, before = (await AuditLog(database).list(cursor=None, limit=2)).items
    assert (newest.action, newest.actor, newest.subject, newest.detail) == (
        "retention.done", "retention", None, {"cases": 3, "gaps": 3},
    )  # fmt: skip
    assert before.action == "accounts.exported"


async def test_call_details_go_and_the_call_stays_as_figures(database: Database):
    account = await an_account(Accounts(database, region="GB"))
    old = await a_call(database, 1, NOW, account_id=account.account_id)
    young = await a_call(database, 2, LATER, account_id=account.account_id)
    store = Interactions(database)
    written_on = await store.by_call(old)
    assert written_on is not None
    await store.change(written_on.interaction_id, changes={"note": "wants seeds"})

    gone = await keeper(database, RetentionKind.CALL_DETAILS).carry_out(by="retention", now=LATER)

    thinned, whole = await store.by_call(old), await store.by_call(young)
    assert gone == {RetentionKind.CALL_DETAILS: 1}
    assert thinned is not None
    assert whole is not None
    assert thinned.call is not None
    assert whole.call is not None
    assert (thinned.account_id, thinned.note, thinned.agent, thinned.call["talk_s"]) == (
        account.account_id, "wants seeds", "1002", 31.0,
    )  # fmt: skip
    assert [thinned.call[key] for key in ("customer_number", "presented_number", "customer_name")] == [None, None, None]
    assert whole.call["customer_number"] == "+442079460018"
    legs = await database.fetch(select(interaction_legs.c.interaction_id).distinct())
    assert [row.interaction_id for row in legs] == [whole.interaction_id]


@pytest.mark.parametrize("kind", [RetentionKind.INTERACTIONS, RetentionKind.CALL_DETAILS])
async def test_what_an_open_commitment_came_from_stays(database: Database, kind: RetentionKind):
    account = await an_account(Accounts(database, region="GB"))
    call_id = await a_call(database, 1, NOW, account_id=account.account_id)
    interaction = await Interactions(database).by_call(call_id)
    assert interaction is not None
    desk = Cases(database)
    case = await desk.open(
        account.account_id, kind=CaseKind.CALL_BACK, subject="x", by="ada", now=NOW, interaction_id=interaction.interaction_id
    )
    retention = keeper(database, kind)

    while_open = await retention.carry_out(by="retention", now=LATER)
    await desk.change(case.case_id, {"is_open": False}, by="ada", now=LATER)
    afterwards = await retention.carry_out(by="retention", now=LATER)

    assert (while_open, afterwards) == ({kind: 0}, {kind: 1})


async def test_a_provisional_account_goes_when_nobody_came_back_to_it(database: Database):
    store = Accounts(database, region="GB")
    young, old, promised, named = [
        await an_account(store, name=f"Caller {number}", phone=f"020 7946 000{number}") for number in range(4)
    ]
    provisional = [one.account_id for one in (young, old, promised)]
    nameless = update(accounts).where(accounts.c.account_id.in_(provisional)).values(provisional=True)
    await database.commit(lambda connection: connection.execute(nameless))
    await a_call(database, 1, LATER, account_id=young.account_id)
    call_id = await a_call(database, 2, NOW, account_id=old.account_id)
    await Cases(database).open(promised.account_id, kind=CaseKind.CALL_BACK, subject="x", by="ada", now=NOW)

    gone = await keeper(database, RetentionKind.PROVISIONAL_ACCOUNTS).carry_out(by="retention", now=LATER)

    left = {row.account_id for row in await database.fetch(select(accounts.c.account_id))}
    figures = await Interactions(database).by_call(call_id)
    assert gone == {RetentionKind.PROVISIONAL_ACCOUNTS: 1}
    assert left == {young.account_id, promised.account_id, named.account_id}
    assert figures is not None
    assert figures.call is not None
    assert (figures.account_id, figures.call["customer_number"], figures.queue) == (None, None, "support")


async def test_the_newest_audit_of_a_pbx_stays_however_old(database: Database):
    for number, pbx in enumerate(("main", "main", "second")):
        values = {"run_id": new_id(), "pbx": pbx, "reason": "nightly", "at": NOW + timedelta(minutes=number), "result": {}}
        await put(database, audit_runs, **values)

    gone = await keeper(database, RetentionKind.AUDITS).carry_out(by="retention", now=LATER)

    assert gone == {RetentionKind.AUDITS: 1}
    left = await database.fetch(select(audit_runs.c.pbx).order_by(audit_runs.c.pbx))
    assert [row.pbx for row in left] == ["main", "second"]


async def a_log(database: Database, old: int, young: int) -> AuditLog:
    log = AuditLog(database)
    for number in range(old + young):
        at = NOW if number < old else LATER
        await log.append(AuditAction.ACCOUNTS_EXPORTED, actor="ada", detail={"number": number}, now=at)
    return log


async def test_a_cut_audit_log_is_whole_and_says_where_it_was_cut(database: Database):
    log = await a_log(database, old=5, young=3)
    noted = (await log.verify()).head

    await keeper(database, RetentionKind.AUDIT_LOG).carry_out(by="retention", now=LATER)

    verified = await log.verify(noted)
    assert verified.broken is None
    assert verified.cut is not None
    assert verified.cut.seq == 5
    assert (await log.list(cursor=None, limit=200)).items[-1].seq == 6
    assert (await log.verify(head_of(str(verified.cut)))).broken is None
    forged = await log.verify(head_of(f"5:{'0' * 64}"))
    assert forged.broken is not None


@pytest.mark.parametrize(
    ("statement", "seq", "why"),
    [
        pytest.param("DELETE FROM audit_log WHERE seq = 6", 6, "is missing", id="more than was cut"),
        pytest.param("DELETE FROM audit_log WHERE action = 'audit_log.cut'", 1, "is missing", id="the rows that say so"),
        pytest.param("UPDATE audit_log SET actor = 'eve' WHERE seq = 7", 7, "was changed", id="a row behind the cut"),
    ],
)
async def test_what_was_done_to_a_cut_log_is_found(database: Database, statement: str, seq: int, why: str):
    log = await a_log(database, old=5, young=3)
    await keeper(database, RetentionKind.AUDIT_LOG).carry_out(by="retention", now=LATER)
    on = " ON audit_log" if database.dialect == "postgresql" else ""
    async with database.write() as connection:
        for trigger in ("no_delete", "no_change" if on else "no_update"):
            await connection.execute(text(f"DROP TRIGGER audit_log_{trigger}{on}"))
        await connection.execute(text(statement))

    broken = (await log.verify()).broken

    assert broken is not None
    assert (broken.seq, broken.why) == (seq, why)


async def test_the_table_lets_go_of_nothing_behind_the_cut(database: Database):
    log = await a_log(database, old=5, young=3)
    await keeper(database, RetentionKind.AUDIT_LOG).carry_out(by="retention", now=LATER)

    with pytest.raises(StorageError, match="append-only"):
        async with database.write() as connection:
            await connection.execute(text("DELETE FROM audit_log WHERE seq = 6"))

    assert (await log.verify()).broken is None


async def test_the_last_row_of_the_audit_log_stays(database: Database):
    log = await a_log(database, old=1, young=0)

    assert await keeper(database, RetentionKind.AUDIT_LOG).carry_out(by="retention", now=LATER) == {RetentionKind.AUDIT_LOG: 0}
    assert (await log.verify()).count == 1
