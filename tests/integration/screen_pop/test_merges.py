"""Merging accounts over REST, and what agents see of it while they talk to that customer."""

from dataclasses import replace

import pytest

from cti_bridge.domain.account import Candidate, Found, MatchReason
from cti_bridge.domain.merge import Duplicate, DuplicateReason, MergeRefused
from screen_pop.pop import build_pop
from tests.support.stores import AGENT, NOW, a_call, an_account
from tests.support.web import Web

API = "/api/v1"
NOBODY = "00000000-0000-7000-8000-000000000000"


def known(web: Web, *names: str) -> list:
    accounts = [an_account(name) for name in names]
    web.accounts.kept.update({account.account_id: account for account in accounts})
    return accounts


async def test_a_merge_is_done_listed_and_undone(web: Web) -> None:
    zoe, double = known(web, "Zoë", "Zoe")
    path = f"{API}/accounts/{zoe.account_id}"

    created, merge = await web.call("POST", f"{path}/merge", {"from": double.account_id}, user=AGENT)
    listed = await web.call("GET", f"{path}/merges", user=AGENT)
    _, undone = await web.call("POST", f"{API}/merges/{merge['merge_id']}/undo", {}, user=AGENT)

    assert created == 201
    assert (merge["account_id"], merge["from"], merge["by"]) == (zoe.account_id, double.account_id, AGENT.username)
    assert listed == (200, {"items": [merge], "next": None})
    assert undone["undone_by"] == AGENT.username


@pytest.mark.parametrize(("kind", "status"), [("same-account", 409), ("account-merged", 409), ("no-such-account", 404)])
async def test_a_merge_that_cannot_be_is_a_problem_of_its_kind(web: Web, kind: str, status: int) -> None:
    zoe, double = known(web, "Zoë", "Zoe")
    web.merges.refusal = MergeRefused(kind, "Why not.")

    answer, problem = await web.call("POST", f"{API}/accounts/{zoe.account_id}/merge", {"from": double.account_id}, user=AGENT)

    assert (answer, problem["type"], problem["detail"]) == (status, f"urn:cti-bridge:problem:{kind}", "Why not.")


@pytest.mark.parametrize("body", [{}, {"from": "x"}, {"merged": NOBODY}, {"from": NOBODY, "by": "eve"}])
async def test_a_merge_needs_the_other_account_and_nothing_else(web: Web, body: dict) -> None:
    (zoe,) = known(web, "Zoë")

    assert (await web.call("POST", f"{API}/accounts/{zoe.account_id}/merge", body, user=AGENT))[0] == 422
    assert web.merges.done == []


async def test_proposals_come_with_their_reasons(web: Web) -> None:
    zoe, double = known(web, "Zoë", "Zoe")
    web.merges.proposals = [Duplicate(account=double, reasons=(DuplicateReason.SAME_SOUND,), score=35)]

    _, body = await web.call("GET", f"{API}/accounts/{zoe.account_id}/duplicates", user=AGENT)

    assert [(one["account"]["name"], one["reasons"], one["score"]) for one in body["items"]] == [("Zoe", ["same_sound"], 35)]


async def test_the_agent_on_the_phone_sees_the_account_that_is_left(web: Web) -> None:
    zoe, double = known(web, "Zoë", "Zoe")
    found = Found(candidates=tuple(Candidate(account=one, reason=MatchReason.SHARED_NUMBER) for one in (double, zoe)))
    call = a_call(ringing=(AGENT.extension,))
    await web.hub.pop(build_pop(call, AGENT.extension, 1, found, decision=None), at=NOW)
    web.accounts.kept[zoe.account_id] = replace(zoe, company="Quinn & Co")

    await web.call("POST", f"{API}/accounts/{zoe.account_id}/merge", {"from": double.account_id}, user=AGENT)

    (pop,) = web.hub.standing_pops(AGENT.extension)
    assert pop.account is not None
    assert (pop.account.account_id, pop.account.company) == (zoe.account_id, "Quinn & Co")
    assert [candidate.account.account_id for candidate in pop.candidates] == [zoe.account_id]


async def test_a_call_with_another_customer_is_left_alone(web: Web) -> None:
    zoe, double, other = known(web, "Zoë", "Zoe", "Bo")
    found = Found(candidates=(Candidate(account=other, reason=MatchReason.EXACT_NUMBER),))
    pop = build_pop(a_call(ringing=(AGENT.extension,)), AGENT.extension, 1, found, decision=None)
    await web.hub.pop(pop, at=NOW)

    await web.call("POST", f"{API}/accounts/{zoe.account_id}/merge", {"from": double.account_id}, user=AGENT)

    assert web.hub.standing_pops(AGENT.extension) == (pop,)
