"""Satisfaction and churn signs over REST: who may give which score, and whose relation is judged anew by what."""

import pytest

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.satisfaction import ScoreRefused
from screen_pop.api.answers import AccountAnswer, InteractionAnswer
from tests.support.relations import a_relation
from tests.support.stores import ADMIN, AGENT, OTHER_AGENT, SUPERVISOR, a_call, an_account, an_interaction
from tests.support.web import Web

API = "/api/v1"
NOWHERE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def account_id(web: Web) -> str:
    account = an_account()
    web.accounts.kept[account.account_id] = account
    return account.account_id


@pytest.fixture
def path(web: Web, account_id: str) -> str:
    """Of the score of a contact that AGENT had."""
    contact = web.interactions.put(an_interaction(account_id=account_id, agent=AGENT.extension))
    return f"{API}/interactions/{contact.interaction_id}/satisfaction"


async def test_the_agent_who_had_the_contact_gives_it_a_score(web: Web, path: str, account_id: str) -> None:
    status, scored = await web.call("PUT", path, {"score": 4, "comment": "calm <b>"}, user=AGENT)

    assert status == 200
    assert InteractionAnswer.model_validate(scored)
    assert scored["satisfaction"] == {
        "score": 4, "source": "agent", "by": AGENT.extension, "at": iso_utc(web.clock.now()), "comment": "calm <b>",
    }  # fmt: skip
    assert web.relations.refreshed == [account_id]


async def test_a_score_is_taken_back_by_null(web: Web, path: str) -> None:
    await web.call("PUT", path, {"score": 4}, user=AGENT)

    status, scored = await web.call("PUT", path, {"score": None}, user=AGENT)

    assert (status, scored["satisfaction"]) == (200, None)


@pytest.mark.parametrize("user", [SUPERVISOR, ADMIN], ids=["supervisor", "admin"])
async def test_a_survey_is_entered_by_a_supervisor_or_a_program(web: Web, path: str, user) -> None:
    status, scored = await web.call("PUT", path, {"score": 1, "source": "survey"}, user=user)

    assert status == 200
    assert (scored["satisfaction"]["source"], scored["satisfaction"]["by"]) == ("survey", user.username)


async def test_an_agent_speaks_neither_for_the_customer_nor_of_others_contacts(web: Web, path: str, account_id: str) -> None:
    refused = [
        await web.call("PUT", path, {"score": 5, "source": "survey"}, user=AGENT),
        await web.call("PUT", path, {"score": 5}, user=OTHER_AGENT),
        await web.call(
            "POST", f"{API}/interactions", {"channel": "chat", "satisfaction": {"score": 5, "source": "survey"}}, user=AGENT
        ),
    ]

    assert [(status, body["type"]) for status, body in refused] == [(403, "urn:cti-bridge:problem:not-allowed")] * 3
    assert web.relations.refreshed == []


async def test_what_the_customer_said_stands_against_the_agents_impression(web: Web, path: str) -> None:
    web.scores.refusal = ScoreRefused("customers-own-word", "The customer gave a score.")

    status, body = await web.call("PUT", path, {"score": 5}, user=AGENT)

    assert (status, body["type"]) == (409, "urn:cti-bridge:problem:customers-own-word")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"score": 0}, {"score": 6}, {"score": 3.5}, {"score": "4"}, {"score": True}, {"score": 4, "source": "guess"},
     {"score": 4, "comment": ""}, {"score": 4, "comment": "x" * 1001}, {"score": 4, "by": "me"}],
)  # fmt: skip
async def test_a_wrong_score_is_told_with_its_place(web: Web, path: str, wrong: dict) -> None:
    status, body = await web.call("PUT", path, wrong, user=AGENT)

    assert (status, body["type"]) == (422, "urn:cti-bridge:problem:wrong-fields")
    assert body["errors"][0]["at"] in {"score", "source", "comment", "by"}


async def test_a_contact_that_is_not_there_has_no_score(web: Web) -> None:
    for interaction_id in (NOWHERE, "x"):
        status, _ = await web.call("PUT", f"{API}/interactions/{interaction_id}/satisfaction", {"score": 3}, user=SUPERVISOR)
        assert status == 404


async def test_a_contact_of_another_channel_comes_with_its_score(web: Web, account_id: str) -> None:
    given = {"score": 2, "source": "import", "comment": "slow"}

    status, added = await web.call(
        "POST", f"{API}/interactions", {"channel": "chat", "account_id": account_id, "satisfaction": given}, user=SUPERVISOR
    )

    assert status == 201
    assert added["satisfaction"] == given | {"by": SUPERVISOR.username, "at": iso_utc(web.clock.now())}
    assert web.relations.refreshed == [account_id]


async def test_the_agent_scores_the_call_with_the_wrap_up(web: Web) -> None:
    web.live.the_calls = [a_call(talking=("1001",))]
    wrap_up = f"{API}/calls/main:1.1/wrap-up"

    _, first = await web.call("PATCH", wrap_up, {"satisfaction": 2, "note": "cross"}, user=AGENT)
    _, second = await web.call("PATCH", wrap_up, {"note": "calm"}, user=AGENT)
    _, third = await web.call("PATCH", wrap_up, {"satisfaction": None}, user=AGENT)
    status, _ = await web.call("PATCH", wrap_up, {"satisfaction": 9}, user=AGENT)

    assert (first["satisfaction"]["score"], first["satisfaction"]["source"], first["note"]) == (2, "agent", "cross")
    assert second["satisfaction"] == first["satisfaction"]
    assert (third["satisfaction"], third["note"]) == (None, "calm")
    assert status == 422
    assert len(web.relations.refreshed) == 2


async def test_customers_at_risk_are_listed_for_leaders(web: Web, account_id: str) -> None:
    account = an_account("Zoë", relation=a_relation())
    web.accounts.kept[account.account_id] = account

    status, body = await web.call("GET", f"{API}/churn-signs", user=SUPERVISOR)
    wrong, _ = await web.call("GET", f"{API}/churn-signs?cursor=x", user=SUPERVISOR)

    assert status == 200
    (shown,) = body["items"]
    assert AccountAnswer.model_validate(shown)
    signs = {one["sign"]: one["figures"] for one in shown["relation"]["churn_signs"]}
    assert signs["repeated_complaints"] == {"complaints": 3, "days": 180, "came_back": 2, "problem": "late parcel"}
    assert shown["relation"]["satisfaction"] == {"average": 2.4, "count": 7}
    assert wrong == 422


async def test_a_contact_put_on_another_account_has_both_judged_anew(web: Web, account_id: str) -> None:
    other = an_account("Other")
    web.accounts.kept[other.account_id] = other
    contact = web.interactions.put(an_interaction(account_id=account_id))

    await web.call("PATCH", f"{API}/interactions/{contact.interaction_id}", {"note": "x"}, user=SUPERVISOR)
    assert web.relations.refreshed == []
    await web.call("PATCH", f"{API}/interactions/{contact.interaction_id}", {"account_id": other.account_id}, user=SUPERVISOR)

    assert web.relations.refreshed == [account_id, other.account_id]


async def test_commitments_and_merges_have_the_relation_judged_anew(web: Web, account_id: str) -> None:
    other = an_account("Double")
    web.accounts.kept[other.account_id] = other

    fields = {"account_id": account_id, "kind": "complaint", "subject": "late"}
    _, case = await web.call("POST", f"{API}/cases", fields, user=AGENT)
    await web.call("PATCH", f"{API}/cases/{case['case_id']}", {"open": False}, user=AGENT)
    _, merge = await web.call("POST", f"{API}/accounts/{account_id}/merge", {"from": other.account_id}, user=AGENT)
    await web.call("POST", f"{API}/merges/{merge['merge_id']}/undo", {}, user=AGENT)

    assert web.relations.refreshed == [account_id, account_id, *(2 * [account_id, other.account_id])]
