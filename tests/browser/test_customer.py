"""What the agent's desktop shows of a customer beside the call, and the merging of doubles there."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from cti_bridge.domain.call import CallState
from cti_bridge.domain.case import Case, CaseKind, ComplaintStep, case_document
from cti_bridge.domain.profile import Alert, AlertKind, KeyDate, Profile, Stage
from cti_bridge.domain.satisfaction import ScoreSource
from tests.support import page_data
from tests.support.page_cases import commitments, promise
from tests.support.page_server import Answer, PageServer
from tests.support.relations import a_relation, a_score

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_what_must_be_known_first_is_on_the_card(desk: Page, server: PageServer) -> None:
    profile = Profile(
        stage=Stage.LOYAL,
        taboos="<b>nuts</b>",
        preferences="to be called Ms Wang",
        dates=(KeyDate(name="contract ends", on=date(2027, 3, 31)),),
        alerts=(
            Alert(kind=AlertKind.COMPLAINT_OPEN, text="order 5512"),
            Alert(kind=AlertKind.DO_NOT_CALL, until=date(2020, 1, 1)),
        ),
        custom=(("newsletter", True),),
    )
    account = page_data.account(profile=profile, tier_reason="revenue 150000 (reaches 100000)")
    await server.push("pop", **page_data.pop(account=account))

    card = desk.locator(".call-card")
    await expect(card).to_contain_text("Complaint open. order 5512")
    await expect(card).not_to_contain_text("Do not call")  # that was over long ago
    await expect(card).to_contain_text("Never: <b>nuts</b>")
    await expect(card).to_contain_text("Likes: to be called Ms Wang")
    await card.get_by_text("Customer's file").click()
    await expect(card.locator(".file")).to_contain_text("loyal")
    await expect(card.locator(".file")).to_contain_text("revenue 150000 (reaches 100000)")
    await expect(card.locator(".file")).to_contain_text("31 Mar 2027")
    await expect(card.locator(".file")).to_contain_text("newsletteryes")


async def test_a_double_is_merged_in_two_clicks_and_parted_in_one(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop())
    await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",)))
    account, double = page_data.pop()["account"], page_data.account("d-1", "WANG Fang <b>")
    of_account = f"/accounts/{account['account_id']}"
    left = [double]

    async def proposals(_: Any) -> web.Response:
        items = [{"account": one, "reasons": ["same_number", "same_sound"], "score": 75} for one in left]
        return web.json_response({"items": items, "next": None})

    async def merged(body: Any) -> web.Response:
        left.clear()
        return web.json_response({"merge_id": "m-1", "account_id": account["account_id"], "from": body["from"]}, status=201)

    async def parted(_: Any) -> web.Response:
        left.append(double)
        return web.json_response({"merge_id": "m-1"})

    server.accounts[account["account_id"]] = account
    server.answers["GET", f"{of_account}/duplicates"] = proposals
    server.answers["POST", f"{of_account}/merge"] = merged
    server.answers["POST", "/merges/m-1/undo"] = parted
    doubles = desk.locator(".doubles")

    await doubles.get_by_text("Possible doubles").click()
    await expect(doubles.locator("li")).to_contain_text("WANG Fang <b>")
    await expect(doubles.locator("li")).to_contain_text("same number · name sounds the same")
    await doubles.get_by_role("button", name="Merge into this account").click()
    assert not any(path.endswith("/merge") for _, path, _ in server.requests)
    await doubles.get_by_role("button", name="Really merge?").click()

    await expect(doubles.get_by_role("status")).to_contain_text("was merged into this account")
    await expect(doubles.locator("li")).to_have_count(0)
    assert ("POST", f"{of_account}/merge", {"from": "d-1"}) in server.requests
    await doubles.get_by_role("button", name="Undo").click()
    await expect(doubles.locator("li")).to_have_count(1)


TALKING = page_data.call(state=CallState.TALKING, talking=("1001",))


def closable(server: PageServer, *cases: Case) -> None:
    """A store of these cases, which closes, opens and brings them forward as it is asked."""
    kept = {case.case_id: case_document(case) for case in cases}
    server.cases = list(kept.values())

    def answer(case_id: str) -> Answer:
        async def change(body: Any) -> web.Response:
            case = kept[case_id]
            if "open" in body:
                closed_at = None if body["open"] else page_data.iso_utc(page_data.ago(0))
                case |= {"closed_at": closed_at, "closed_by_call": body.get("call_id")}
                server.cases = [one for one in kept.values() if one["closed_at"] is None]
            else:
                case |= body
            return web.json_response(case)

        return change

    for case_id in kept:
        server.answers["PATCH", f"/cases/{case_id}"] = answer(case_id)


async def test_a_promise_comes_with_the_pop_and_is_kept_by_the_call_in_one_click(desk: Page, server: PageServer) -> None:
    late = promise(due_at=page_data.ago(7200))
    closable(server, late)
    promises = desk.locator(".promises")

    await server.push("pop", **page_data.pop(commitments=commitments(late)))
    await expect(promises.locator("li")).to_contain_text("Call-back Ring <b>back</b>")
    await expect(promises).to_contain_text("was due")
    await expect(promises.get_by_role("button")).to_have_count(0)  # nothing can have been kept while it rings
    await server.push("call.answered", call=TALKING)
    await promises.get_by_role("button", name="Kept by this call").click()

    await expect(promises.get_by_role("status")).to_contain_text("Kept by this call: Ring <b>back</b>")
    await expect(promises.get_by_role("button", name="Kept by this call")).to_have_count(0)
    assert ("PATCH", "/cases/c-1", {"open": False, "call_id": TALKING["call_id"]}) in server.requests
    assert not any(path.endswith("/commitments") for _, path, _ in server.requests)  # the pop brought them

    await promises.get_by_role("button", name="Undo").click()
    await expect(promises.get_by_role("status")).to_be_empty()
    await expect(promises.get_by_role("button", name="Kept by this call")).to_be_visible()
    assert ("PATCH", "/cases/c-1", {"open": True}) in server.requests


async def test_what_a_colleague_keeps_meanwhile_leaves_the_card(desk: Page, server: PageServer) -> None:
    promises = desk.locator(".promises")
    await server.push("pop", **page_data.pop(commitments=commitments(promise())))
    await expect(promises.locator("li")).to_have_count(1)

    await server.push("pop.update", **page_data.pop(commitments=commitments()))

    await expect(promises.locator("li")).to_have_count(0)


async def test_a_complaint_goes_a_step_forward_and_the_rest_is_shown_when_asked(desk: Page, server: PageServer) -> None:
    complaint = promise("c-2", CaseKind.COMPLAINT, subject="Tin was open", step=ComplaintStep.RECORDED, owner="bo")
    others = [promise(f"c-{n}", CaseKind.FOLLOW_UP, subject=f"Number {n}") for n in range(3, 6)]
    closable(server, complaint, *others)
    promises = desk.locator(".promises")
    await server.push("pop", **page_data.pop(commitments=commitments(complaint, more=3)))
    await server.push("call.answered", call=TALKING)

    await promises.get_by_role("button", name="Apologised").click()
    await expect(promises).to_contain_text("apologised · bo")
    assert ("PATCH", "/cases/c-2", {"step": "apologised"}) in server.requests

    await promises.get_by_role("button", name="Show 3 more").click()
    await expect(promises.locator("li")).to_have_count(4)


async def test_a_promise_is_made_from_the_card(desk: Page, server: PageServer) -> None:
    async def made(body: Any) -> web.Response:
        server.cases = [{**body, "case_id": "c-9", "due_at": None}]
        return web.json_response(server.cases[0], status=201)

    server.answers["POST", "/cases"] = made
    await server.push("pop", **page_data.pop())
    await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",)))
    promises = desk.locator(".promises")

    await promises.get_by_role("button", name="Promise something").click()
    await promises.get_by_label("What was promised").fill("Ring back about 5512")
    await promises.get_by_label("When").select_option("240")
    await promises.get_by_role("button", name="Promise it").click()

    await expect(promises.locator("li")).to_contain_text("Call-back Ring back about 5512")
    account_id = page_data.pop()["account"]["account_id"]
    sent = {"account_id": account_id, "kind": "call_back", "subject": "Ring back about 5512", "due_in_minutes": 240}
    assert ("POST", "/cases", sent) in server.requests


async def test_signs_of_leaving_stand_on_the_card_with_their_figures(desk: Page, server: PageServer) -> None:
    relation = a_relation()
    problem = replace(relation.signs[1], figures={**relation.signs[1].figures, "problem": "<b>late</b> parcel"})
    account = page_data.account(relation=replace(relation, signs=(relation.signs[0], problem, *relation.signs[2:])))
    account["relation"]["churn_signs"].append({"sign": "of a newer server", "since": "", "noticed_at": "", "figures": {}})

    await server.push("pop", **page_data.pop(account=account))

    signs = desk.locator(".call-card .signs")
    await expect(signs).to_contain_text("May be leaving")
    await expect(signs.locator("li")).to_have_count(5)
    for words in (
        "in touch 1 time in 90 days, 6 in the 90 before",
        "3 complaints since 2 Oct",
        "“<b>late</b> parcel” came back",
        "satisfaction 1.7 of 5 (last 3 scores)",
        "silent for 131 days",
        "2 promises not kept in time (180 days)",
    ):
        await expect(signs).to_contain_text(words)
    await desk.get_by_text("Customer's file").click()
    await expect(desk.locator(".file")).to_contain_text("2.4 of 5 (last 7)")


async def test_scores_stand_on_the_timeline_and_say_who_gave_them(desk: Page, server: PageServer) -> None:
    surveyed = page_data.interaction("h1", satisfaction=a_score(2, comment="Nobody <b>rang</b>"))
    judged = page_data.interaction("h2", satisfaction=a_score(5, source=ScoreSource.AGENT, comment=None))
    await server.push("pop", **page_data.pop(history=[surveyed, judged, page_data.interaction("h3")]))

    lines = desk.locator(".timeline li")
    await expect(lines.nth(0).get_by_role("img", name="Satisfaction 2 of 5, given by the customer")).to_have_text("★★☆☆☆")
    await expect(lines.nth(0).locator(".timeline-quote")).to_have_text("Nobody <b>rang</b>")
    await expect(lines.nth(1).get_by_role("img", name="Satisfaction 5 of 5, in the agent's view")).to_have_text("★★★★★")
    await expect(lines.nth(2).locator(".stars")).to_have_count(0)


async def test_the_agent_scores_the_call_and_takes_it_back(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop())
    await expect(desk.locator(".scores")).to_have_count(0)  # while it rings there is nothing to judge
    await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",)))
    scores = desk.locator(".scores")

    await scores.locator("label").nth(3).click()
    await expect(scores).to_contain_text("satisfied")
    await expect(desk.locator(".saved-state")).to_contain_text("Saved")
    await expect(scores.get_by_role("radio", name="4 satisfied")).to_be_checked()
    await scores.get_by_role("button", name="Clear").click()

    await expect(scores.get_by_role("radio", checked=True)).to_have_count(0)
    await server.wait_for(lambda one: sum(method == "PATCH" for method, *_ in one.requests) == 2)
    sent = [body for method, path, body in server.requests if method == "PATCH" and path.endswith("/wrap-up")]
    assert sent == [{"satisfaction": 4}, {"satisfaction": None}]


async def test_a_score_that_the_customer_gave_is_shown_and_not_asked_for(desk: Page, server: PageServer) -> None:
    call = page_data.call(state=CallState.TALKING, talking=("1001",))
    await server.push("pop", **page_data.pop())
    await server.push("call.answered", call=call)
    interaction = page_data.interaction("i1", call_id=call["call_id"], document=call, satisfaction=a_score(5))
    await server.push("wrap_up.saved", call_id=call["call_id"], interaction=interaction)

    await expect(desk.locator(".customers-score")).to_contain_text("★★★★★ given by the customer")
    await expect(desk.locator(".scores")).to_have_count(0)
