"""`/calls/{call_id}/account`: who may say who is calling, what is refused, and which other ways say it too."""

from typing import Any

import pytest

from screen_pop.api.answers import IdentityAnswer
from screen_pop.ports import CommandRefused
from tests.support.stores import AGENT, SUPERVISOR, a_call, an_account, an_interaction
from tests.support.web import Web

API = "/api/v1"
CALL = "main:1.1"
PATH = f"{API}/calls/{CALL}/account"


def kind(body: Any) -> str:
    return str(body["type"]).removeprefix("urn:cti-bridge:problem:")


@pytest.fixture
def account_id(web: Web) -> str:
    """A customer; agent 1001's phone rings."""
    account = an_account()
    web.accounts.kept[account.account_id] = account
    web.live.the_calls = [a_call(CALL, ringing=("1001",))]
    return account.account_id


async def test_choosing_taking_back_and_making_answer_with_who_is_calling(web: Web, account_id: str) -> None:
    chose, chosen = await web.call("PUT", PATH, {"account_id": account_id}, user=AGENT)
    denied, nobody = await web.call("PUT", PATH, {"account_id": None}, user=AGENT)
    undid, undone = await web.call("DELETE", PATH, user=AGENT)
    made, provisional = await web.call("POST", PATH, user=AGENT)

    assert (chose, denied, undid, made) == (200, 200, 200, 201)
    for body in (chosen, nobody, undone, provisional):
        IdentityAnswer.model_validate(body)
        assert IdentityAnswer.model_fields.keys() == body.keys()
        assert body["call_id"] == CALL
    assert (chosen["account"]["account_id"], chosen["chosen"]["by"]) == (account_id, "1001")
    assert (nobody["account"], nobody["chosen"]["by"], undone["chosen"]) == (None, "1001", None)
    assert provisional["account"]["provisional"]
    assert [told[0] for told in web.callers.told] == ["choose", "choose", "undo", "add_provisional"]


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, "account_id"),
        ({"account_id": ""}, "account_id"),
        ({"account_id": 7}, "account_id"),
        ({"account_id": "01990000-0000-7000-8000-0000000000ff"}, "account_id"),
        ({"account_id": None, "number": "+442079460018"}, "number"),
    ],
    ids=["missing", "empty", "a number", "nobody's", "one field too many"],
)
async def test_a_wrong_choice_is_told_with_its_place(web: Web, account_id: str, body: dict[str, Any], at: str) -> None:
    status, problem = await web.call("PUT", PATH, body, user=AGENT)

    assert (status, kind(problem), problem["errors"][0]["at"]) == (422, "wrong-fields", at)
    assert web.callers.told == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_who_has_no_part_in_the_call_says_nothing_about_it(web: Web, account_id: str, method: str) -> None:
    web.live.the_calls = [a_call(CALL, ringing=("1002",))]
    body = {"account_id": account_id} if method == "PUT" else None

    status, problem = await web.call(method, PATH, body, user=AGENT)

    assert (status, kind(problem)) == (409, "not-in-this-call")
    assert web.callers.told == []


async def test_an_account_of_who_another_system_knows_is_made_by_its_name(web: Web, account_id: str) -> None:
    status, body = await web.call("POST", PATH, {"source": "CRM"}, user=AGENT)
    wrong = [await web.call("POST", PATH, fields, user=AGENT) for fields in ({"source": ""}, {"source": 7}, {"name": "Eve"})]
    web.callers.refusal = CommandRefused("not-one-there", "that system does not tell exactly one customer")
    refused, problem = await web.call("POST", PATH, {"source": "ERP"}, user=AGENT)

    IdentityAnswer.model_validate(body)
    assert (status, body["account"]["name"]) == (201, "Customer of CRM")
    assert [(code, kind(problem)) for code, problem in wrong] == [(422, "wrong-fields")] * 3
    assert (refused, kind(problem)) == (409, "not-one-there")
    assert web.callers.told == [("add_external", CALL, "1001", "CRM")]


async def test_a_caller_without_a_number_gets_no_provisional_account(web: Web, account_id: str) -> None:
    web.callers.refusal = CommandRefused("no-number", "this caller shows no number")

    status, problem = await web.call("POST", PATH, user=AGENT)

    assert (status, kind(problem)) == (409, "no-number")


async def test_an_account_named_in_a_label_is_a_choice_too(web: Web, account_id: str) -> None:
    stored = web.interactions.put(an_interaction(call_id=CALL))
    label = {"account_id": account_id, "note": "asked for Zoë"}

    await web.call("PATCH", f"{API}/calls/{CALL}/wrap-up", label, user=AGENT)
    await web.call("PATCH", f"{API}/interactions/{stored.interaction_id}", {"account_id": None}, user=SUPERVISOR)
    await web.call("PATCH", f"{API}/interactions/{stored.interaction_id}", {"note": "x"}, user=SUPERVISOR)

    assert web.callers.told == [("chosen", CALL, account_id, "1001"), ("chosen", CALL, None, SUPERVISOR.username)]


async def test_an_e_mails_account_is_no_choice_for_a_number(web: Web, account_id: str) -> None:
    stored = web.interactions.put(an_interaction(call_id=None))

    await web.call("PATCH", f"{API}/interactions/{stored.interaction_id}", {"account_id": account_id}, user=SUPERVISOR)

    assert web.callers.told == []
