"""What other systems say of the caller, on the agent's desktop: after the pop, as text, with the way there and to an account."""

from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from tests.support import page_data
from tests.support.page_server import PageServer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CALL_ID = "main:1795314829.43"
FANG = page_data.external(
    id="4711",
    name="Fang Weiss",
    company="Lantern Tea",
    tier="gold",
    link="https://crm.example/customers/4711",
    facts=[{"label": "Open orders", "value": "3"}, {"label": "Newsletter", "value": False}],
)


async def unknown(server: PageServer, *external: dict[str, Any], kind: str = "pop") -> None:
    await server.push(kind, **page_data.pop(lookup="unknown", of=page_data.call(ringing=("1001",), name=None), external=external))


async def test_the_card_stands_first_and_the_other_systems_word_comes_on_it(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop(external=[page_data.external("pending")]))
    elsewhere = desk.locator(".elsewhere")
    await expect(elsewhere).to_contain_text("Asking CRM…")

    await server.push("pop.update", **page_data.pop(external=[FANG, page_data.external("timed_out", source="ERP")]))

    await expect(elsewhere.locator(".record")).to_contain_text("From CRM")
    await expect(elsewhere.locator(".record-name")).to_have_text("Fang Weiss gold · Lantern Tea", ignore_case=True)
    await expect(elsewhere.locator("dl")).to_have_text("Customer number4711Open orders3Newsletterno")
    await expect(elsewhere).to_contain_text("ERP did not answer in time.")
    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Fang")
    await expect(elsewhere.get_by_role("button")).to_have_count(0)


async def test_what_comes_late_moves_nothing_that_the_agent_is_about_to_press(desk: Page, server: PageServer) -> None:
    await unknown(server, page_data.external("pending"))
    button = desk.locator(".controls").get_by_role("button", name="Answer")
    before = await button.bounding_box()

    await unknown(server, FANG, kind="pop.update")
    await expect(desk.locator(".elsewhere .record")).to_be_visible()

    assert await button.bounding_box() == before


async def test_the_link_opens_a_tab_of_its_own_that_knows_nothing_of_this_one(desk: Page, server: PageServer) -> None:
    await unknown(server, FANG)

    link = desk.get_by_role("link", name="Open in CRM")

    await expect(link).to_have_attribute("href", "https://crm.example/customers/4711")
    await expect(link).to_have_attribute("target", "_blank")
    await expect(link).to_have_attribute("rel", "noopener noreferrer")


async def test_who_is_known_there_only_is_named_and_becomes_an_account_by_one_click(desk: Page, server: PageServer) -> None:
    async def made(body: Any) -> web.Response:
        account = page_data.account("a-new", "Fang Weiss", company="Lantern Tea", tier=None)
        answer = {"call_id": CALL_ID, "account": account, "candidates": [], "history": [], "lookup": "unknown"}
        return web.json_response(answer | {"chosen": {"by": "1001", "at": account["created_at"], "learnt": True}}, status=201)

    server.answers["POST", f"/calls/{CALL_ID}/account"] = made
    await unknown(server, page_data.external("pending"))
    await expect(desk.locator(".call-card h2")).not_to_contain_text("Fang")

    await unknown(server, FANG, kind="pop.update")
    await expect(desk.locator(".call-card h2")).to_have_text("Fang Weiss From CRM")
    await expect(desk.locator(".current-name")).to_have_text("Fang Weiss")
    await desk.get_by_role("button", name="Make an account of this customer").click()

    await expect(desk.locator(".identity")).to_contain_text("Chosen by you for this call.")
    await expect(desk.locator(".call-card h2")).to_have_text("Fang Weiss")
    await expect(desk.locator(".elsewhere").get_by_role("button")).to_have_count(0)
    assert ("POST", f"/calls/{CALL_ID}/account", {"source": "CRM"}) in server.requests


async def test_several_there_name_nobody_and_make_no_account(desk: Page, server: PageServer) -> None:
    await unknown(server, FANG, FANG | {"id": "4712", "name": "Lei Weiss"})

    await expect(desk.locator(".elsewhere .record")).to_have_count(2)
    await expect(desk.locator(".call-card h2")).not_to_contain_text("Weiss")
    await expect(desk.get_by_role("button", name="Make an account of this customer")).to_have_count(0)


async def test_hostile_answers_are_text_and_lead_nowhere(desk: Page, server: PageServer) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e"
    await unknown(
        server,
        page_data.external(
            source=evil, id=evil, name=evil, company=evil, link="javascript:alert(1)", facts=[{"label": evil, "value": evil}]
        ),
    )

    await expect(desk.locator(".record")).to_contain_text("<img src=x onerror=alert(1)>[U+202E]")
    assert await desk.locator(".record img, .record a").count() == 0


async def test_it_speaks_chinese(desk: Page, server: PageServer) -> None:
    await unknown(server, FANG, page_data.external("failed", source="ERP"))

    await desk.get_by_role("button", name="Switch to Chinese").click()

    await expect(desk.locator(".elsewhere")).to_contain_text("来自 CRM")
    await expect(desk.locator(".elsewhere")).to_contain_text("无法查询 ERP。")
    await expect(desk.get_by_role("button", name="将该客户建为客户帐户")).to_be_visible()
