"""Erasing a customer over REST, never in the middle of a call, and the audit log as admins read it."""

from datetime import UTC, datetime

import pytest

from cti_bridge.domain.account import Account, Candidate, Found, MatchReason
from cti_bridge.domain.audit_log import FIRST_HASH, AuditEntry
from cti_bridge.domain.call import CallId
from cti_bridge.domain.call_events import OfferEnd
from cti_bridge.domain.person import PersonRefused
from screen_pop.pop import build_pop
from tests.support.stores import ADMIN, AGENT, NOW, a_call, an_account, an_interaction
from tests.support.web import Web

API = "/api/v1"
CALL = CallId("main:1.1")


@pytest.fixture
def zoe(web: Web) -> Account:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    return account


async def erase(web: Web, account: Account) -> tuple[int, dict]:
    return await web.call("DELETE", f"{API}/accounts/{account.account_id}", user=ADMIN)


async def test_an_admin_erases_a_customer(web: Web, zoe: Account) -> None:
    status, body = await erase(web, zoe)

    assert (status, body) == (200, {"account_id": zoe.account_id, "accounts": 1, "interactions": 2, "cases": 0, "journal": 0})
    assert web.persons.erased == [(zoe.account_id, ADMIN.username)]
    assert (await erase(web, zoe))[0] == 404


async def test_others_calls_are_no_hindrance(web: Web, zoe: Account) -> None:
    web.live.the_calls = [
        a_call(CALL, customer_number="+442079460999", talking=["1001"]),
        a_call("main:2.1", customer_number=None),
    ]

    assert (await erase(web, zoe))[0] == 200


async def from_its_number(web: Web, zoe: Account) -> None:
    web.live.the_calls = [a_call(CALL)]


async def shown_to_an_agent(web: Web, zoe: Account) -> None:
    call = a_call(CALL, customer_number=None, ringing=["1001"])
    web.live.the_calls = [call]
    found = Found(candidates=(Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER),))
    await web.hub.pop(build_pop(call, AGENT.extension, 1, found, decision=None), at=NOW)


async def stored_as_its_own(web: Web, zoe: Account) -> None:
    web.live.the_calls = [a_call(CALL, customer_number=None)]
    stored = an_interaction(call_id=CALL, account_id=zoe.account_id)
    web.interactions.kept[stored.interaction_id] = stored


@pytest.mark.parametrize("lives", [from_its_number, shown_to_an_agent, stored_as_its_own])
async def test_nobody_is_erased_in_the_middle_of_a_call(web: Web, zoe: Account, lives) -> None:
    await lives(web, zoe)

    status, problem = await erase(web, zoe)

    assert (status, problem["type"]) == (409, "urn:cti-bridge:problem:call-live")
    assert web.persons.erased == []


async def test_a_merged_double_is_not_erased_alone(web: Web, zoe: Account) -> None:
    web.persons.refusal = PersonRefused("account-merged", "Name that one.")

    status, problem = await erase(web, zoe)

    assert (status, problem["type"], problem["detail"]) == (409, "urn:cti-bridge:problem:account-merged", "Name that one.")


async def test_the_audit_log_is_shown_as_it_is(web: Web) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    web.audit_log.entries = [
        AuditEntry(
            seq=1,
            at=at,
            actor="ada",
            action="account.merged",
            subject="a1",
            detail={"merged_id": "a2"},
            prev_hash=FIRST_HASH,
            hash="f" * 64,
        )
    ]

    status, body = await web.call("GET", f"{API}/audit-log", user=ADMIN)

    assert status == 200
    assert body["items"] == [
        {
            "seq": 1,
            "at": "2026-11-22T00:00:00.000Z",
            "actor": "ada",
            "action": "account.merged",
            "subject": "a1",
            "detail": {"merged_id": "a2"},
            "prev_hash": FIRST_HASH,
            "hash": "f" * 64,
        }
    ]
    assert (await web.call("GET", f"{API}/audit-log?cursor=x", user=ADMIN))[0] == 422


async def test_a_browser_that_comes_back_is_not_replayed_an_erased_customer(web: Web, zoe: Account) -> None:
    browser = await web.open(AGENT)
    await shown_to_an_agent(web, zoe)
    pop = await browser.hear()
    await web.hub.withdraw_pop(AGENT.extension, pop["pop_id"], CALL, OfferEnd.ABANDONED, at=NOW)
    withdrawn = await browser.hear()
    web.live.the_calls = []

    assert (await erase(web, zoe))[0] == 200
    up_to_date = await web.open(AGENT, withdrawn["id"])
    behind = await web.open(AGENT, pop["id"] - 1)

    assert up_to_date.welcome["resumed"] is True
    assert behind.welcome["type"] == "gap"
    welcome = await behind.hear()
    assert (welcome["resumed"], welcome["snapshot"]["pops"]) == (False, [])
