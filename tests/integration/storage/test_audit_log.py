"""The audit log on both databases: what is written down, and that a row changed, taken away or moved is found."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from cti_bridge.domain.account import Tier
from cti_bridge.domain.audit_log import FIRST_HASH, AuditAction, Head, head_of
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.tiers import TierRules
from storage import audit_log as module
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.database import Database
from storage.merges import Merges
from storage.profiles import Profiles
from tests.support.store import NOW, an_account

ROWS = 7


@pytest.fixture
def log(database: Database) -> AuditLog:
    return AuditLog(database)


@pytest.fixture
async def written(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> AuditLog:
    """Seven rows, read three at a time."""
    monkeypatch.setattr(module, "PAGE", 3)
    for number in range(ROWS):
        detail = {"count": number, "name": None, "format": "csv é\0"}
        at = NOW + timedelta(seconds=number)
        await log.append(AuditAction.ACCOUNTS_EXPORTED, actor="ada", detail=detail, now=at)
    return log


async def tamper(database: Database, *statements: str) -> None:
    """As somebody who may do anything in the database."""
    async with database.write() as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("DROP TRIGGER audit_log_no_change ON audit_log"))
            await connection.execute(text("DROP TRIGGER audit_log_no_delete ON audit_log"))
        else:
            await connection.execute(text("DROP TRIGGER audit_log_no_update"))
            await connection.execute(text("DROP TRIGGER audit_log_no_delete"))
        for statement in statements:
            await connection.execute(text(statement))


async def test_an_empty_log_is_whole(log: AuditLog):
    verified = await log.verify()

    assert (verified.count, verified.head, verified.broken) == (0, Head(seq=0, hash=FIRST_HASH), None)


async def test_a_log_that_nobody_touched_is_whole(written: AuditLog):
    page = await written.list(cursor=None, limit=200)

    verified = await written.verify()

    assert (verified.count, verified.broken) == (ROWS, None)
    assert verified.head == Head(seq=ROWS, hash=page.items[0].hash)
    assert (await written.verify(head_of(str(verified.head)))).broken is None


@pytest.mark.parametrize(
    ("statements", "seq", "why"),
    [
        pytest.param(["UPDATE audit_log SET actor = 'eve' WHERE seq = 4"], 4, "was changed", id="actor"),
        pytest.param(["UPDATE audit_log SET action = 'x' WHERE seq = 1"], 1, "was changed", id="action"),
        pytest.param(["UPDATE audit_log SET subject = 'x' WHERE seq = 7"], 7, "was changed", id="subject"),
        pytest.param(["""UPDATE audit_log SET detail = '{"count": 9}' WHERE seq = 2"""], 2, "was changed", id="detail"),
        pytest.param(["UPDATE audit_log SET at = '2026-11-22 09:00:00.000000' WHERE seq = 5"], 5, "was changed", id="time"),
        pytest.param(["UPDATE audit_log SET hash = prev_hash WHERE seq = 3"], 3, "was changed", id="hash"),
        pytest.param(["DELETE FROM audit_log WHERE seq = 4"], 4, "is missing", id="delete"),
        pytest.param(["DELETE FROM audit_log WHERE seq <= 3"], 1, "is missing", id="delete the first page"),
        pytest.param(
            [
                "DELETE FROM audit_log WHERE seq = 4",
                "UPDATE audit_log SET seq = -seq WHERE seq > 4",
                "UPDATE audit_log SET seq = -seq - 1 WHERE seq < 0",
            ],
            4,
            "does not follow the one before it",
            id="delete and close the gap",
        ),
        pytest.param(
            [
                "UPDATE audit_log SET seq = 99 WHERE seq = 3",
                "UPDATE audit_log SET seq = 3 WHERE seq = 5",
                "UPDATE audit_log SET seq = 5 WHERE seq = 99",
            ],
            3,
            "does not follow the one before it",
            id="swap",
        ),
        pytest.param(
            ["INSERT INTO audit_log SELECT 8, at, actor, action, subject, detail, prev_hash, hash FROM audit_log WHERE seq = 7"],
            8,
            "does not follow the one before it",
            id="copy",
        ),
    ],
)
async def test_the_first_broken_row_is_named(written: AuditLog, database: Database, statements: list[str], seq: int, why: str):
    await tamper(database, *statements)

    verified = await written.verify()

    assert verified.broken is not None
    assert (verified.broken.seq, verified.broken.why) == (seq, why)
    assert verified.count == seq - 1


@pytest.mark.parametrize("statement", ["detail = 'no JSON'", "at = 'no time'", "detail = '[1]'", "at = 5"])
async def test_what_cannot_be_read_is_a_broken_row_too(written: AuditLog, database: Database, statement: str):
    if database.dialect == "postgresql":
        pytest.skip("PostgreSQL takes nothing of the kind")
    await tamper(database, f"UPDATE audit_log SET {statement} WHERE seq = 5")  # noqa: S608

    broken = (await written.verify()).broken

    assert broken is not None
    assert broken.seq == 5


async def test_rows_taken_from_the_end_show_by_a_head_noted_before(written: AuditLog, database: Database):
    head = (await written.verify()).head
    await tamper(database, "DELETE FROM audit_log WHERE seq >= 6")

    alone, with_head = await written.verify(), await written.verify(head)

    assert alone.broken is None
    assert with_head.broken is not None
    assert (with_head.broken.seq, with_head.broken.why) == (6, "is missing, and all after it")


async def test_a_chain_written_anew_shows_by_a_head_noted_before(written: AuditLog, database: Database):
    head = (await written.verify()).head
    await tamper(database, "DELETE FROM audit_log")
    for _ in range(ROWS):
        await written.append(AuditAction.ACCOUNTS_EXPORTED, actor="eve", detail={}, now=NOW)

    broken = (await written.verify(head)).broken

    assert (await written.verify()).broken is None
    assert broken is not None
    assert (broken.seq, broken.why) == (ROWS, "is not the one noted before")


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor = 'eve'", "DELETE FROM audit_log"])
async def test_the_table_takes_no_changes(written: AuditLog, database: Database, statement: str):
    with pytest.raises(StorageError, match="append-only"):
        async with database.write() as connection:
            await connection.execute(text(statement))

    assert (await written.verify()).count == ROWS


async def test_the_list_is_newest_first_and_paged(written: AuditLog):
    first = await written.list(cursor=None, limit=4)
    rest = await written.list(cursor=first.next, limit=4)

    assert [entry.seq for entry in (*first.items, *rest.items)] == [7, 6, 5, 4, 3, 2, 1]
    assert rest.next is None
    with pytest.raises(ValueError, match="cursor"):
        await written.list(cursor="bm90IG91cnM", limit=4)


async def test_merges_partings_and_tiers_by_hand_are_written_down(database: Database, log: AuditLog):
    accounts = Accounts(database, region="GB")
    merges = Merges(database, accounts)
    profiles = Profiles(database, accounts, rules=TierRules(rules=(), hysteresis_percent=0), fields={})
    zoe, double = await an_account(accounts), await an_account(accounts, name="Zoe Q")

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    await merges.undo(merge.merge_id, by="bo", now=NOW)
    await profiles.set_tier(zoe.account_id, Tier.PLATINUM, by="sue", now=NOW)

    told = {"merge_id": merge.merge_id, "merged_id": double.account_id}
    assert [(one.action, one.actor, one.subject, one.detail) for one in (await log.list(cursor=None, limit=9)).items] == [
        ("account.tier_set", "sue", zoe.account_id, {"before": zoe.tier and zoe.tier.value, "after": "platinum"}),
        ("account.parted", "bo", zoe.account_id, told),
        ("account.merged", "ada", zoe.account_id, told),
    ]
    assert (await log.verify()).broken is None
