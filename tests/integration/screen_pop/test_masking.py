"""Numbers masked by role, over REST and websocket: nothing of a customer's number is in any answer but those that may hold it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cti_bridge.domain.account import Account, AccountId, Candidate, ContactKind, ContactPoint, Found, MatchReason
from cti_bridge.domain.call import CallId, call_document
from cti_bridge.domain.call_events import CallAnswered
from cti_bridge.domain.merge import Duplicate, DuplicateReason
from screen_pop.pop import build_pop
from screen_pop.ports import Role, User
from screen_pop.server import API_ROUTES
from tests.support.relations import a_relation
from tests.support.stores import ADMIN, AGENT, NOW, SUPERVISOR, a_call, an_account, an_interaction
from tests.support.web import Web, running_web

API = "/api/v1"
CALL, OTHERS = CallId("main:1.1"), CallId("main:2.1")
SECRET = ("7946", "zoe@", "777", "42 Seed Lane", "4711")
"""Whatever reaches the customer of these tests holds one of them."""
POINTS = (
    ContactPoint(kind=ContactKind.PHONE, value="+442079460018", as_given="020 7946 0018", extension="777"),
    ContactPoint(kind=ContactKind.EMAIL, value="zoe@example.org", as_given="zoe@example.org"),
    ContactPoint(kind=ContactKind.POSTAL, value="42 Seed Lane", as_given="42 Seed Lane"),
    ContactPoint(kind=ContactKind.CUSTOMER_NUMBER, value="K-4711-9", as_given="K-4711-9"),
)


@pytest.fixture
async def web(page_folder: Path) -> AsyncIterator[Web]:
    """Everybody's view is masked."""
    async with running_web(page_folder, masked_roles=frozenset(Role)) as running:
        yield running


@pytest.fixture
def zoe(web: Web) -> Account:
    """With a call that is on at 1001, one that others have, and one past call of each."""
    account = an_account(name="Zoë", contact_points=POINTS, relation=a_relation())
    web.accounts.kept[account.account_id] = account
    web.live.the_calls = [live_call_of("1001", CALL), live_call_of("1009", OTHERS)]
    web.interactions.put(past_call_of("1001", "main:3.1", account.account_id))
    web.interactions.put(past_call_of("1009", "main:4.1", account.account_id))
    web.merges.proposals.append(Duplicate(account=account, reasons=(DuplicateReason.SAME_NUMBER,), score=40))
    return account


def live_call_of(agent: str, call_id: CallId) -> Any:
    return a_call(call_id, talking=[agent], presented_number="02079460018", customer_number="+442079460018")


def past_call_of(agent: str, call_id: str, account_id: AccountId) -> Any:
    call = a_call(call_id, presented_number="02079460018", customer_number="+442079460018", answered_by=[agent])
    return an_interaction(call_id=CallId(call_id), account_id=account_id, agent=agent, call=call_document(call))


def leaks(body: Any) -> list[str]:
    """What tells of the customer; ids are random, and may hold any digits."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", json.dumps(body, ensure_ascii=False))
    return [one for one in SECRET if one in text]


READS = (
    "/accounts?q=zo",
    "/accounts?phone=02079460018",
    "/accounts/{zoe}",
    "/accounts/{zoe}/timeline",
    "/accounts/{zoe}/duplicates",
    "/accounts/{zoe}/merges",
    "/accounts/{zoe}/tiers",
    "/accounts/{zoe}/commitments",
    "/interactions?account={zoe}",
    "/calls",
    "/calls/main:2.1",
    "/calls/main:4.1",
    "/cases",
    "/churn-signs",
    "/audits",
    "/agents",
)


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("user", [SUPERVISOR, ADMIN], ids=lambda user: user.role.value)
async def test_leaders_are_shown_no_number(web: Web, zoe: Account, user: User, path: str):
    status, body = await web.call("GET", API + path.format(zoe=zoe.account_id), user=user)

    assert status == 200
    assert leaks(body) == []


def test_every_read_that_may_show_a_customer_is_looked_at():
    """A new route stands here, or in the list above."""
    nobody = {
        "session", "queues", "links", "gaps", "webhooks/deliveries", "audit-log", "routing",
        "cases/{case_id}",
    }  # fmt: skip
    patterns = {"accounts/{account_id}" + path.partition("{zoe}")[2] for path in READS if "{zoe}" in path and "?" not in path}
    looked_at = patterns | {path.strip("/").partition("?")[0].partition("/main")[0] for path in READS} | {"calls/{call_id}"}

    reads = {route.path.removeprefix(f"{API}/") for route in API_ROUTES if route.method == "GET"}
    assert reads - looked_at - nobody == set()


async def test_a_masked_value_tells_numbers_apart(web: Web, zoe: Account):
    _, body = await web.call("GET", f"{API}/accounts/{zoe.account_id}", user=SUPERVISOR)
    _, call = await web.call("GET", f"{API}/calls/{OTHERS}", user=SUPERVISOR)

    assert [point["value"] for point in body["contact_points"]] == ["+44********18", "z**@example.org", "**", "K-4***-9"]
    assert [point["extension"] for point in body["contact_points"]] == ["**", None, None, None]
    assert (call["customer_number"], call["presented_number"], call["customer_name"]) == ("+44********18", "020******18", "Zoë")
    assert call["did"] == a_call(OTHERS).did


async def test_an_agent_sees_the_own_calls_whole_and_those_of_others_masked(web: Web, zoe: Account):
    _, live = await web.call("GET", f"{API}/calls", user=AGENT)
    _, page = await web.call("GET", f"{API}/accounts/{zoe.account_id}/timeline", user=AGENT)

    assert [call["customer_number"] for call in live["items"]] == ["+442079460018"]
    assert {one["agent"]: one["call"]["customer_number"] for one in page["items"]} == {
        "1001": "+442079460018",
        "1009": "+44********18",
    }


async def test_an_agent_sees_the_customer_on_the_phone_whole(web: Web, zoe: Account):
    _, before = await web.call("GET", f"{API}/accounts/{zoe.account_id}", user=AGENT)
    found = Found(candidates=(Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER),))
    browser = await web.open(AGENT)
    await web.hub.pop(build_pop(live_call_of("1001", CALL), AGENT.extension, 1, found, decision=None), at=NOW)
    popped = await browser.hear()
    _, during = await web.call("GET", f"{API}/accounts/{zoe.account_id}", user=AGENT)

    assert leaks(before) == []
    assert popped["call"]["customer_number"] == "+442079460018"
    assert leaks(popped["account"]) == leaks(during) == list(SECRET)


async def test_the_board_is_shown_no_number_and_the_agent_of_the_call_is(web: Web, zoe: Account):
    board, desk = await web.open(SUPERVISOR), await web.open(AGENT)

    await web.hub.tell_call(CallAnswered(call=live_call_of("1001", CALL), at=NOW, agent=AGENT.extension))

    on_the_board, on_the_desk = await board.hear(), await desk.hear()
    assert leaks(board.welcome) == leaks(on_the_board) == []
    assert on_the_board["call"]["customer_number"] == "+44********18"
    assert on_the_desk["call"]["customer_number"] == "+442079460018"
    assert [call["customer_number"] for call in desk.welcome["snapshot"]["calls"]] == ["+442079460018"]


async def test_masked_roles_find_whole_numbers_only(web: Web, zoe: Account):
    await web.call("GET", f"{API}/accounts?q=7946", user=SUPERVISOR)

    assert web.accounts.searched_by_part is False


@pytest.mark.parametrize("user", [AGENT, SUPERVISOR, ADMIN], ids=lambda user: user.role.value)
async def test_who_says_why_is_shown_the_account_and_it_is_written_down(web: Web, zoe: Account, user: User):
    status, body = await web.call("POST", f"{API}/accounts/{zoe.account_id}/reveal", {"reason": "identity"}, user=user)

    assert (status, leaks(body)) == (200, list(SECRET))
    assert web.audit_log.told == [("account.revealed", user.username, zoe.account_id, {"reason": "identity"})]


@pytest.mark.parametrize("call_id", [OTHERS, "main:4.1"], ids=["live", "stored"])
async def test_who_says_why_is_shown_the_number_of_a_call(web: Web, zoe: Account, call_id: str):
    status, body = await web.call("POST", f"{API}/calls/{call_id}/reveal", {"reason": "complaint"}, user=SUPERVISOR)

    assert (status, body["customer_number"], body["presented_number"]) == (200, "+442079460018", "02079460018")
    assert web.audit_log.told == [("call.revealed", SUPERVISOR.username, call_id, {"reason": "complaint"})]


@pytest.mark.parametrize(("body", "status"), [({}, 422), ({"reason": "curious"}, 422), ({"reason": "other", "x": 1}, 422)])
async def test_without_a_good_reason_nothing_is_shown(web: Web, zoe: Account, body: dict, status: int):
    answer = await web.call("POST", f"{API}/accounts/{zoe.account_id}/reveal", body, user=SUPERVISOR)

    assert answer[0] == status
    assert leaks(answer[1]) == []
    assert web.audit_log.told == []


@pytest.mark.parametrize("path", ["/accounts/{zoe}/reveal", "/calls/main:4.1/reveal"])
async def test_what_cannot_be_written_down_is_not_shown(web: Web, zoe: Account, path: str):
    web.audit_log.is_away = True

    status, body = await web.call("POST", API + path.format(zoe=zoe.account_id), {"reason": "other"}, user=SUPERVISOR)

    assert (status, leaks(body)) == (503, [])


async def test_others_calls_are_not_revealed_to_an_agent(web: Web, zoe: Account):
    status, _ = await web.call("POST", f"{API}/calls/{OTHERS}/reveal", {"reason": "other"}, user=AGENT)

    assert status == 404
    assert web.audit_log.told == []


async def test_a_masked_number_is_not_written_back(web: Web, zoe: Account):
    path = f"{API}/accounts/{zoe.account_id}"
    _, seen = await web.call("GET", path, user=SUPERVISOR)
    points = [{"kind": point["kind"], "value": point["value"]} for point in seen["contact_points"]]

    status, body = await web.call("PATCH", path, {"contact_points": points}, user=SUPERVISOR)

    assert status == 422
    assert [error["at"] for error in body["errors"]] == [f"contact_points.{place}.value" for place in range(4)]
    assert web.accounts.kept[zoe.account_id].contact_points == POINTS


async def test_nothing_is_masked_unless_the_settings_say_so(page_folder: Path):
    async with running_web(page_folder) as web:
        account = an_account(name="Zoë", contact_points=POINTS)
        web.accounts.kept[account.account_id] = account

        _, body = await web.call("GET", f"{API}/accounts/{account.account_id}", user=SUPERVISOR)

        assert leaks(body) == list(SECRET)
