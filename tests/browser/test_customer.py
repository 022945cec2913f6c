"""What the agent's desktop shows of a customer beside the call, and the merging of doubles there."""

from datetime import date
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from cti_bridge.domain.call import CallState
from cti_bridge.domain.profile import Alert, AlertKind, KeyDate, Profile, Stage
from tests.support import page_data
from tests.support.page_server import PageServer

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
