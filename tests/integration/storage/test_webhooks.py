"""The outbox: written with what it tells, in the same transaction or not at all; due, noted, listed, sent again, forgotten."""

import asyncio
import json
from datetime import timedelta

import pytest

from cti_bridge.domain.case import CaseKind
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.merge import MergeRefused
from cti_bridge.domain.webhook import Delivery, DeliveryId, DeliveryState, WebhookEvent
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.merges import Merges
from storage.recorder import Recorder
from storage.webhooks import DELIVERED_KEPT, KEPT, Deliveries, Outbox, Tried
from tests.support.store import NOW, a_finished_call, an_account

NOBODY = DeliveryId("00000000-0000-7000-8000-000000000000")
ALL = dict.fromkeys(WebhookEvent, ("crm",))


def an_outbox(database: Database, asked_for=ALL) -> Outbox:
    return Outbox(database=database, asked_for=asked_for, now=lambda: NOW)


async def record(outbox: Outbox, *calls, account_id=None) -> None:
    recorder = Recorder(outbox.database, outbox=outbox)
    running = asyncio.create_task(recorder.run())
    await asyncio.gather(*(recorder.put(call, account_id) for call in calls))
    running.cancel()


async def waiting(database: Database, webhook: str = "crm") -> tuple[Delivery, ...]:
    return await Deliveries(database).due(webhook, now=NOW, limit=100)


async def recorded(database: Database, *numbers: int) -> tuple[Delivery, ...]:
    """Deliveries of so many calls that ended."""
    await record(an_outbox(database), *(a_finished_call(number) for number in numbers))
    return await waiting(database)


async def test_a_stored_call_is_told_once_with_its_account(database: Database):
    account = await an_account(Accounts(database, region="GB"))

    await record(an_outbox(database), a_finished_call(), account_id=account.account_id)
    await record(an_outbox(database), a_finished_call(), account_id=account.account_id)

    (delivery,) = await waiting(database)
    assert (delivery.webhook, delivery.event, delivery.tries) == ("crm", WebhookEvent.CALL_ENDED, 0)
    assert (delivery.state, delivery.created_at, delivery.next_try_at) == (DeliveryState.WAITING, NOW, NOW)
    event = json.loads(delivery.body)
    assert (event["id"], event["data"]["account_id"]) == (delivery.delivery_id, account.account_id)
    assert event["data"]["call"]["call_id"] == a_finished_call().call_id


async def test_each_webhook_is_told_what_it_asked_for(database: Database):
    asked_for = {WebhookEvent.CALL_ENDED: ("crm", "bi"), WebhookEvent.ACCOUNT_MERGED: ("erp",)}

    await record(an_outbox(database, asked_for), a_finished_call())

    assert [len(await waiting(database, name)) for name in ("crm", "bi", "erp")] == [1, 1, 0]


async def test_hostile_text_reaches_the_store(database: Database):
    call = a_finished_call(customer_name='\0\ud800"}, {"id": "x"')

    await record(an_outbox(database), call)

    (delivery,) = await waiting(database)
    assert delivery.body.encode()
    event = json.loads(delivery.body)
    assert event["id"] == delivery.delivery_id
    assert event["data"]["call"]["customer_name"].endswith('"}, {"id": "x"')


async def test_a_merge_and_its_undoing_are_told_and_a_refused_one_is_not(database: Database):
    accounts = Accounts(database, region="GB")
    merges = Merges(database, accounts, an_outbox(database))
    kept, double = [await an_account(accounts, name) for name in ("Zoë", "Zoe")]

    merge = await merges.merge(kept.account_id, double.account_id, by="eve", now=NOW)
    with pytest.raises(MergeRefused):
        await merges.merge(kept.account_id, double.account_id, by="eve", now=NOW)
    await merges.undo(merge.merge_id, by="eve", now=NOW + timedelta(minutes=1))

    told = {one.event: json.loads(one.body)["data"] for one in await waiting(database)}
    assert told.keys() == {WebhookEvent.ACCOUNT_MERGED, WebhookEvent.ACCOUNT_PARTED}
    assert {(one["account_id"], one["from"]) for one in told.values()} == {(kept.account_id, double.account_id)}
    assert [one["undone_by"] for one in told.values()].count("eve") == 1


async def test_a_case_is_told_at_each_escalation(database: Database):
    account = await an_account(Accounts(database, region="GB"))
    cases = Cases(database, an_outbox(database))
    case = await cases.open(
        account.account_id, kind=CaseKind.CALL_BACK, subject="Invoice", by="eve", now=NOW, due_at=NOW + timedelta(hours=1)
    )
    for hours in (2, 3):
        await cases.escalate(now=NOW + timedelta(hours=hours))
    await cases.change(case.case_id, {"due_at": NOW + timedelta(hours=4)}, by="eve", now=NOW)
    await cases.escalate(now=NOW + timedelta(hours=5))

    told = [json.loads(one.body) for one in await waiting(database)]
    assert {one["subject"] for one in told} == {f"case/{case.case_id}"}
    assert sorted(one["data"]["escalated_at"] for one in told) == ["2026-11-22T04:33:49.120Z", "2026-11-22T07:33:49.120Z"]


async def test_what_could_not_be_told_did_not_happen(database: Database):
    """One transaction: a system that mirrors our accounts must not miss a merge."""
    accounts = Accounts(database, region="GB")
    kept, double = [await an_account(accounts, name) for name in ("Zoë", "Zoe")]
    broken = Outbox(database=database, asked_for=ALL, now=lambda: NOW.replace(tzinfo=None))

    with pytest.raises(StorageError):
        await Merges(database, accounts, broken).merge(kept.account_id, double.account_id, by="eve", now=NOW)

    found = await accounts.by_id(double.account_id)
    assert found is not None
    assert found.merged_into is None


async def test_what_came_of_a_try_is_noted(database: Database):
    arrived, failed, given_up, untouched = await recorded(database, 1, 2, 3, 4)
    deliveries = Deliveries(database)
    later = NOW + timedelta(seconds=5)

    await deliveries.note(
        [
            Tried(delivery_id=arrived.delivery_id, tries=1, at=NOW),
            Tried(delivery_id=failed.delivery_id, tries=1, at=NOW, error="answered 500", next_try_at=later),
            Tried(delivery_id=given_up.delivery_id, tries=11, at=NOW, error="answered 410"),
        ]
    )

    assert await waiting(database) == (untouched,)
    due = await deliveries.due("crm", now=later, limit=100)
    assert [one.delivery_id for one in due] == [untouched.delivery_id, failed.delivery_id]
    by_state = {state: (await deliveries.list(state, cursor=None, limit=50)).items for state in DeliveryState}
    assert [(one.delivery_id, one.delivered_at) for one in by_state[DeliveryState.DELIVERED]] == [(arrived.delivery_id, NOW)]
    assert [(one.delivery_id, one.tries, one.dead_at, one.last_error) for one in by_state[DeliveryState.DEAD]] == [
        (given_up.delivery_id, 11, NOW, "answered 410")
    ]
    assert len(by_state[DeliveryState.WAITING]) == 2


async def test_a_dead_one_is_sent_again_with_all_its_tries(database: Database):
    (dead,) = await recorded(database, 1)
    deliveries = Deliveries(database)
    await deliveries.note([Tried(delivery_id=dead.delivery_id, tries=11, at=NOW, error="answered 500")])

    again = await deliveries.resend(dead.delivery_id, now=NOW)

    assert again is not None
    assert (again.state, again.tries, again.last_error) == (DeliveryState.WAITING, 0, "answered 500")
    assert await waiting(database) == (again,)
    assert await deliveries.resend(NOBODY, now=NOW) is None


async def test_pages_are_whole(database: Database):
    told = await recorded(database, *range(5))
    deliveries = Deliveries(database)

    first = await deliveries.list(None, cursor=None, limit=3)
    second = await deliveries.list(None, cursor=first.next, limit=3)

    assert [len(first.items), len(second.items), second.next] == [3, 2, None]
    assert {*first.items, *second.items} == set(told)
    with pytest.raises(ValueError, match="cursor"):
        await deliveries.list(None, cursor="not ours", limit=3)


async def test_what_was_kept_long_enough_is_forgotten(database: Database):
    arrived, left = await recorded(database, 1, 2)
    deliveries = Deliveries(database)
    await deliveries.note([Tried(delivery_id=arrived.delivery_id, tries=1, at=NOW)])

    async def kept_at(now) -> list[str]:
        await deliveries.forget(now=now)
        return [one.delivery_id for one in (await deliveries.list(None, cursor=None, limit=9)).items]

    assert len(await kept_at(NOW + DELIVERED_KEPT)) == 2
    assert await kept_at(NOW + DELIVERED_KEPT + timedelta(seconds=1)) == [left.delivery_id]
    assert await kept_at(NOW + KEPT + timedelta(seconds=1)) == []
