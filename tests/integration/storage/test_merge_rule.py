"""What a rule of the admin's makes one, and what it leaves to people, on both databases."""

from datetime import timedelta

import pytest

from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.merge import Merge, MergeRule
from storage import merge_rule
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.database import Database
from storage.merge_rule import BY, merge_by_rule
from storage.merges import Merges
from tests.support.store import NOW, an_account

NUMBER, EMAIL, PHONE = ContactKind.CUSTOMER_NUMBER, ContactKind.EMAIL, ContactKind.PHONE
SAME_NUMBER = MergeRule(same=frozenset({NUMBER, EMAIL}), likeness=100)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def merges(database: Database, accounts: Accounts) -> Merges:
    return Merges(database, accounts)


@pytest.fixture
def judged(database: Database, merges: Merges):
    async def judge(rule: MergeRule = SAME_NUMBER) -> list[tuple[AccountId, AccountId]]:
        done: list[Merge] = [merge async for merge in merge_by_rule(database, merges, rule, now=NOW)]
        assert all(merge.by == BY for merge in done)
        return [(merge.kept, merge.merged) for merge in done]

    return judge


async def customer(accounts: Accounts, name: str, *points: tuple[ContactKind, str], days: int = 0) -> AccountId:
    made: Account = await an_account(
        accounts, name=name, contact_points=[(*point, None) for point in points], now=NOW + timedelta(days=days)
    )
    return made.account_id


async def test_the_same_customer_number_and_name_are_one_customer_the_older_account_kept(accounts, database, judged) -> None:
    newer = await customer(accounts, "Lei, Li", (NUMBER, "C-7"), (PHONE, "020 7946 0018"), days=2)
    older = await customer(accounts, "李雷", (NUMBER, "c-7"))

    assert await judged() == [(older, newer)]
    audited = await AuditLog(database).list(cursor=None, limit=10)
    assert [(entry.action, entry.actor) for entry in audited.items] == [(AuditAction.ACCOUNT_MERGED, BY)]
    assert await judged() == []


async def test_without_a_rule_nobody_is_merged(accounts, judged) -> None:
    for _ in range(2):
        await customer(accounts, "Zoe", (NUMBER, "7"))

    assert await judged(MergeRule(same=frozenset(), likeness=0)) == []


@pytest.mark.parametrize(("likeness", "merged"), [(100, 0), (88, 1)])
async def test_names_must_be_as_alike_as_the_rule_says(accounts, judged, likeness: int, merged: int) -> None:
    await customer(accounts, "Jon Smith", (EMAIL, "smith@example.org"))
    await customer(accounts, "John Smith", (EMAIL, "smith@example.org"))

    assert len(await judged(MergeRule(same=frozenset({EMAIL}), likeness=likeness))) == merged


async def test_another_kind_of_contact_point_and_an_address_of_many_make_nobody_one(accounts, judged) -> None:
    for _ in range(2):
        await customer(accounts, "Ann Lee", (PHONE, "020 7946 0018"))
    for _ in range(merge_rule.SHARED_BY_MOST + 1):
        await customer(accounts, "Sales", (EMAIL, "none@example.org"))

    assert await judged() == []


async def test_what_a_person_parted_stays_parted(accounts, merges, judged) -> None:
    older = await customer(accounts, "Zoe", (NUMBER, "7"))
    newer = await customer(accounts, "Zoe", (NUMBER, "7"), days=1)
    assert await judged() == [(older, newer)]
    (merge,) = await merges.of(older)
    await merges.undo(merge.merge_id, by="sam", now=NOW)

    assert await judged() == []


async def test_three_accounts_of_one_customer_become_one(accounts, judged) -> None:
    first, *others = [await customer(accounts, "Zoe", (NUMBER, "7"), days=day) for day in range(3)]

    assert await judged() == [(first, other) for other in others]


async def test_all_contact_points_are_looked_at_page_by_page(accounts, judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_rule, "PAGE", 2)
    for number in range(5):
        await customer(accounts, f"Customer {number % 2}", (NUMBER, str(number)))
        await customer(accounts, "Customer 0", (NUMBER, str(number)), days=1)

    assert len(await judged()) == 3
