"""The measures of a relation in the store, on both databases: counted right, kept with the account, moved by a merge and back."""

import json
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti_bridge.domain.account import Account, AccountId
from cti_bridge.domain.call import Direction
from cti_bridge.domain.case import CaseKind, ComplaintStep
from cti_bridge.domain.churn import ChurnRules
from cti_bridge.domain.profile import Stage
from cti_bridge.domain.relation import NOTHING_MEASURED, AverageScore, Relation, SignKind
from cti_bridge.domain.tiers import TierRules
from cti_bridge.domain.webhook import WebhookEvent
from storage import relations as relations_module
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.interactions import Interactions
from storage.merges import Merges
from storage.profiles import Profiles
from storage.relations import Relations
from storage.webhooks import Deliveries, Outbox
from tests.support.relations import a_score
from tests.support.store import NOW, an_account, an_email

DAY = timedelta(days=1)
NOBODY = AccountId("00000000-0000-7000-8000-000000000000")


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def relations(database: Database, accounts: Accounts) -> Relations:
    return Relations(database, accounts)


@pytest.fixture
async def zoe(accounts: Accounts) -> Account:
    return await an_account(accounts)


async def contact(database: Database, account: Account, days: float, **more: Any) -> None:
    """A contact so many days ago."""
    email = an_email(account_id=account.account_id, **{"started_at": NOW - days * DAY} | more)
    await Interactions(database).add(email, idempotency_key=None)


async def complaint(database: Database, account: Account, days: float, problem: str | None = None, **more: Any) -> Any:
    fields = {"kind": CaseKind.COMPLAINT, "subject": "x", "by": "ada", "now": NOW - days * DAY, "problem": problem}
    return await Cases(database).open(account.account_id, **(fields | more))


async def relation(accounts: Accounts, account: Account) -> Relation:
    found = await accounts.by_id(account.account_id)
    assert found is not None
    return found.relation


def kinds(measured: Relation) -> list[SignKind]:
    return [sign.kind for sign in measured.signs]


async def test_contacts_are_counted_in_their_spans_and_only_those_that_the_customer_made(database, accounts, relations, zoe):
    for days in (89, 91, 100, 120, 179):
        await contact(database, zoe, days)
    for days in (1, 2, 3):
        await contact(database, zoe, days, direction=Direction.OUTBOUND)
    await contact(database, zoe, 181)
    await contact(database, await an_account(accounts, name="Other"), 1)

    await relations.refresh([zoe.account_id, None, NOBODY], now=NOW)

    (sign,) = (await relation(accounts, zoe)).signs
    assert (sign.kind, dict(sign.figures)) == (SignKind.FALLING_CONTACT, {"contacts": 1, "before": 4, "days": 90})


async def test_silence_ends_with_the_customers_own_next_contact(database, accounts, relations, zoe):
    profiles = Profiles(database, accounts, rules=TierRules(), fields={})
    await profiles.change(zoe.account_id, {"stage": Stage.LOYAL}, now=NOW)
    await contact(database, zoe, 150)
    await contact(database, zoe, 10, direction=Direction.OUTBOUND)
    await relations.refresh([zoe.account_id], now=NOW)
    silent = await relation(accounts, zoe)

    await contact(database, zoe, 0)
    await relations.refresh([zoe.account_id], now=NOW)

    assert [(sign.kind, sign.figures["days"]) for sign in silent.signs] == [(SignKind.LONG_SILENCE, 150)]
    assert await relation(accounts, zoe) == NOTHING_MEASURED


async def test_a_complaint_opened_again_is_told_and_remembered(database, accounts, relations, zoe):
    cases = Cases(database)
    case = await complaint(database, zoe, 300, "late parcel")
    for step in tuple(ComplaintStep)[1:]:
        await cases.change(case.case_id, {"step": step}, by="ada", now=NOW - 290 * DAY)
    await cases.change(case.case_id, {"is_open": False}, by="ada", now=NOW - 290 * DAY)
    still_open = await complaint(database, zoe, 250)
    assert (await cases.change(still_open.case_id, {"is_open": True}, by="ada", now=NOW)).reopened_at is None

    reopened = await cases.change(case.case_id, {"is_open": True}, by="ada", now=NOW - DAY)
    await relations.refresh([zoe.account_id], now=NOW)

    (sign,) = (await relation(accounts, zoe)).signs
    assert reopened.reopened_at == NOW - DAY
    assert dict(sign.figures) == {"complaints": 1, "days": 180, "came_back": 1, "problem": "late parcel"}


async def test_promises_count_once_they_were_escalated(database, accounts, relations, zoe):
    for days in (20, 10):
        await complaint(database, zoe, days, kind=CaseKind.CALL_BACK, due_at=NOW - (days - 1) * DAY)
    await relations.refresh([zoe.account_id], now=NOW)
    assert await relation(accounts, zoe) == NOTHING_MEASURED

    await Cases(database).escalate(now=NOW)
    await relations.refresh([zoe.account_id], now=NOW)

    assert kinds(await relation(accounts, zoe)) == [SignKind.UNKEPT_PROMISES]


async def test_a_merge_puts_scores_and_signs_together_and_its_undoing_parts_them(database, accounts, relations, zoe):
    double = await an_account(accounts, name="Zoe Quinn", phone="020 7946 0019")
    both = [zoe.account_id, double.account_id]
    for days, score in ((30, 1), (20, 2)):
        await contact(database, zoe, days, satisfaction=a_score(score))
    await contact(database, double, 10, satisfaction=a_score(4))
    await complaint(database, zoe, 9, "late parcel")
    await complaint(database, double, 8, "Late parcel")
    await relations.refresh(both, now=NOW)
    before = [await relation(accounts, one) for one in (zoe, double)]
    assert [one.satisfaction for one in before] == [AverageScore(average=1.5, count=2), AverageScore(average=4.0, count=1)]
    assert [kinds(one) for one in before] == [[], []]
    merges = Merges(database, accounts)

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    await relations.refresh(both, now=NOW)
    together, husk = await relation(accounts, zoe), await relation(accounts, double)
    await merges.undo(merge.merge_id, by="ada", now=NOW)
    await relations.refresh(both, now=NOW)

    assert together.satisfaction == AverageScore(average=2.33, count=3)
    assert kinds(together) == [SignKind.REPEATED_COMPLAINTS, SignKind.LOW_SATISFACTION]
    assert husk == NOTHING_MEASURED
    assert [await relation(accounts, one) for one in (zoe, double)] == [
        Relation(judged_at=NOW, satisfaction=one.satisfaction) for one in before
    ]


async def test_the_nights_pass_judges_everybody_and_time_alone_makes_signs(database, accounts, relations, monkeypatch):
    monkeypatch.setattr(relations_module, "CHUNK", 2)
    people = [await an_account(accounts, name=f"Customer {number}", phone=f"020 7946 00{number}0") for number in range(1, 6)]
    for one in people[1:4]:
        for days in (1, 2, 3, 4):
            await contact(database, one, days)
    merged = people[3]
    await Merges(database, accounts).merge(people[0].account_id, merged.account_id, by="ada", now=NOW)

    assert await relations.judge_all(now=NOW) == 0
    assert await relations.judge_all(now=NOW + 100 * DAY) == 3

    signs = [kinds(await relation(accounts, one)) for one in people]
    assert signs == [[SignKind.FALLING_CONTACT]] * 3 + [[], []]


async def test_customers_at_risk_are_listed_newest_noticed_first_in_pages(database, accounts, relations):
    people = [await an_account(accounts, name=f"Customer {number}", phone=f"020 7946 00{number}0") for number in range(1, 5)]
    for minute, one in enumerate(people[:3]):
        for days in (1, 2, 3):
            await complaint(database, one, days)
        await relations.refresh([one.account_id], now=NOW + timedelta(minutes=minute))

    first = await relations.at_risk(cursor=None, limit=2)
    second = await relations.at_risk(cursor=first.next, limit=2)

    assert [one.name for one in (*first.items, *second.items)] == ["Customer 3", "Customer 2", "Customer 1"]
    assert second.next is None
    with pytest.raises(ValueError, match="cursor"):
        await relations.at_risk(cursor="bm8", limit=2)


async def test_what_was_merged_without_being_judged_is_not_listed_and_cleared_at_night(database, accounts, relations, zoe):
    double = await an_account(accounts, name="Zoe Quinn", phone="020 7946 0019")
    for days in (1, 2, 3):
        await complaint(database, double, days)
    await relations.refresh([double.account_id], now=NOW)
    await Merges(database, accounts).merge(zoe.account_id, double.account_id, by="rule", now=NOW)
    listed = await relations.at_risk(cursor=None, limit=9)

    assert await relations.judge_all(now=NOW) == 1

    assert listed.items == ()
    assert await relation(accounts, double) == NOTHING_MEASURED
    assert [one.account_id for one in (await relations.at_risk(cursor=None, limit=9)).items] == [zoe.account_id]


async def test_webhooks_are_told_once_of_each_new_sign(database, accounts, zoe):
    outbox = Outbox(database=database, asked_for={WebhookEvent.ACCOUNT_AT_RISK: ["crm"]}, now=lambda: NOW)
    relations = Relations(database, accounts, rules=ChurnRules(complaints_at_least=1), outbox=outbox)
    await complaint(database, zoe, 1)

    for minute in range(3):
        await relations.refresh([zoe.account_id], now=NOW + timedelta(minutes=minute))
    for days in (3, 2, 1):
        await contact(database, zoe, days, satisfaction=a_score(1))
    await relations.refresh([zoe.account_id], now=NOW + timedelta(minutes=9))

    told = [json.loads(one.body)["data"] for one in await Deliveries(database).due("crm", now=NOW, limit=9)]
    signs = sorted([sign["sign"] for sign in one["churn_signs"]] for one in told)
    assert signs == [["repeated_complaints"], ["repeated_complaints", "low_satisfaction"]]
    assert {one["account_id"] for one in told} == {zoe.account_id}


async def test_a_store_that_is_away_is_told_in_the_log_only(database, accounts, relations, zoe):
    async with database.write() as connection:
        await connection.exec_driver_sql("ALTER TABLE cases RENAME TO gone")

    with capture_logs() as logs:
        await relations.refresh([zoe.account_id], now=NOW)

    assert [line["event"] for line in logs] == ["churn.not_judged"]
