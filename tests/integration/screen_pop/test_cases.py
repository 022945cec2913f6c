"""Commitments over REST."""

from datetime import timedelta

import pytest

from cti_bridge.domain.account import AccountId, Candidate, Found, MatchReason
from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.case import CaseFilter, CaseKind, CaseRefused
from screen_pop.pop import build_pop
from tests.support.stores import AGENT, NOW, OTHER_AGENT, a_call, an_account
from tests.support.web import Browser, Web

API = "/api/v1/cases"


@pytest.fixture
def account_id(web: Web) -> str:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    return account.account_id


async def opened(web: Web, account_id: str, **more) -> tuple[int, dict]:
    return await web.call("POST", API, {"account_id": account_id, "kind": "call_back", "subject": "Ring back"} | more, user=AGENT)


async def test_a_promise_is_made_read_handed_on_and_kept(web: Web, account_id: str) -> None:
    status, case = await opened(web, account_id, owner="ada", problem="late parcel")
    path = f"{API}/{case['case_id']}"

    _, shown = await web.call("GET", path, user=AGENT)
    _, handed = await web.call("PATCH", path, {"owner": "bo"}, user=AGENT)
    _, kept = await web.call("PATCH", path, {"open": False, "solution": "rang"}, user=AGENT)

    assert (status, case["opened_by"], case["owner"], case["closed_at"]) == (201, AGENT.username, "ada", None)
    assert shown == case
    assert handed["owner"] == "bo"
    assert (kept["closed_by"], kept["solution"]) == (AGENT.username, "rang")


async def test_minutes_are_working_time_of_the_centre(web: Web, account_id: str) -> None:
    _, case = await opened(web, account_id, due_in_minutes=90)

    assert case["due_at"] == iso_utc(web.clock.now() + timedelta(minutes=90))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "wish"},
        {"subject": ""},
        {"due_in_minutes": 0},
        {"due_at": "2026-11-22T10:00:00"},
        {"due_at": "2026-11-22T10:00:00Z", "due_in_minutes": 5},
        {"step": "confirmed"},
    ],
)
async def test_a_wrong_promise_is_told_and_not_made(web: Web, account_id: str, wrong: dict) -> None:
    assert (await opened(web, account_id, **wrong))[0] == 422
    assert web.cases.kept == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"step": None},
        {"open": None},
        {"subject": None},
        {"case_id": "x"},
        {"open": "no"},
        {"open": True, "call_id": "main:1.1"},
        {"open": False, "call_id": "x"},
        {"open": False, "call_id": None},
    ],
)
async def test_a_wrong_change_is_told(web: Web, account_id: str, wrong: dict) -> None:
    _, case = await opened(web, account_id)

    assert (await web.call("PATCH", f"{API}/{case['case_id']}", wrong, user=AGENT))[0] == 422


async def test_a_refusal_is_a_problem_of_its_kind(web: Web, account_id: str) -> None:
    _, case = await opened(web, account_id)
    web.cases.refusal = CaseRefused("step-left-out", "The step apologised comes first.")

    status, problem = await web.call("PATCH", f"{API}/{case['case_id']}", {"step": "confirmed"}, user=AGENT)

    assert (status, problem["type"]) == (409, "urn:cti-bridge:problem:step-left-out")


async def test_a_list_is_asked_for_by_its_filters(web: Web, account_id: str) -> None:
    status, _ = await web.call("GET", f"{API}?account={account_id}&kind=complaint&open=true&overdue=true&owner=bo", user=AGENT)

    assert status == 200
    assert web.cases.asked == [CaseFilter(account=account_id, kind=CaseKind.COMPLAINT, is_open=True, overdue=True, owner="bo")]


async def ringing(web: Web, account_id: str, call_id: str = "main:1.1") -> Browser:
    """Ada's browser, with a pop of this customer's call; the call is on."""
    call = a_call(call_id, ringing=(AGENT.extension,))
    web.live.the_calls.append(call)
    found = Found(candidates=(Candidate(account=web.accounts.kept[AccountId(account_id)], reason=MatchReason.EXACT_NUMBER),))
    await web.hub.pop(build_pop(call, AGENT.extension, 1, found, decision=None), at=NOW)
    return await web.open(AGENT)


async def test_a_promise_is_kept_by_the_call_of_the_agent_who_has_it(web: Web, account_id: str) -> None:
    _, case = await opened(web, account_id)
    browser = await ringing(web, account_id)
    path, by_call = f"{API}/{case['case_id']}", {"open": False, "call_id": "main:1.1"}

    refused, problem = await web.call("PATCH", path, by_call, user=OTHER_AGENT)
    status, kept = await web.call("PATCH", path, by_call, user=AGENT)

    assert (refused, problem["type"]) == (409, "urn:cti-bridge:problem:not-in-this-call")
    assert (status, kept["closed_by"], kept["closed_by_call"]) == (200, AGENT.username, "main:1.1")
    assert (await browser.hear())["commitments"] == {"items": [], "more": 0}


async def test_what_is_promised_meanwhile_is_on_the_pop_and_on_those_to_come(web: Web, account_id: str) -> None:
    browser = await ringing(web, account_id)

    _, case = await opened(web, account_id)
    update = await browser.hear()
    await ringing(web, account_id, "main:2.1")  # looked up before the promise was made
    later = await browser.hear()

    assert (update["type"], later["type"]) == ("pop.update", "pop")
    assert update["commitments"] == later["commitments"] == {"items": [case], "more": 0}


async def test_all_open_ones_of_an_account_are_listed(web: Web, account_id: str) -> None:
    made = [(await opened(web, account_id, subject=f"Number {n}"))[1] for n in range(7)]

    status, body = await web.call("GET", f"/api/v1/accounts/{account_id}/commitments", user=AGENT)
    missing, _ = await web.call("GET", f"/api/v1/accounts/{account_id[:-1]}0/commitments", user=AGENT)

    assert (status, body, missing) == (200, {"items": made, "next": None}, 404)
