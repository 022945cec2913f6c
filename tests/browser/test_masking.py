"""Numbers that are masked for the reader's role, and the way to see one: a reason, which is written down."""

from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect

from cti_bridge.domain.call import CallState
from screen_pop.masking import masked_account, masked_call
from tests.browser.conftest import open_live
from tests.support import page_data
from tests.support.page_server import PageServer, problem, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALL = page_data.call("main:7", state=CallState.TALKING, name="Ann Marsh", talking=("1002",))


@pytest_asyncio.fixture(loop_scope="module")
async def board(page: Page):
    """The supervisor's board with one call, whose number is masked."""
    async with serve(page_data.SUPERVISOR, page_data.supervisor_snapshot() | {"calls": [masked_call(CALL)]}) as server:
        await open_live(page, server, "/supervisor")
        yield page, server


async def test_a_supervisor_says_why_and_sees_the_number(board: tuple[Page, PageServer]) -> None:
    page, server = board

    async def revealed(body: Any) -> web.Response:
        return web.json_response(CALL)

    server.answers["POST", "/calls/main:7/reveal"] = revealed
    await page.get_by_role("button", name="Ann Marsh").click()
    record = page.get_by_role("dialog")
    await expect(record).to_contain_text("+44********18")

    await record.get_by_role("button", name="Show what is masked").click()
    await expect(record.get_by_role("menu")).to_contain_text("It is written down")
    await page.keyboard.press("Escape")
    await expect(record).to_be_visible()
    await record.get_by_role("button", name="Show what is masked").click()
    await record.get_by_role("menuitemradio", name="To call back").click()

    await expect(record).to_contain_text("+44 20 7946 0018")
    await expect(record.get_by_role("button", name="Show what is masked")).to_have_count(0)
    await server.push("call.changed", call=masked_call(CALL))
    await expect(record).to_contain_text("+44 20 7946 0018")
    assert ("POST", "/calls/main:7/reveal", {"reason": "call_back"}) in server.requests


async def test_what_cannot_be_written_down_is_told_and_stays_masked(board: tuple[Page, PageServer]) -> None:
    page, server = board

    async def away(body: Any) -> web.Response:
        return problem(503, "store-away")

    server.answers["POST", "/calls/main:7/reveal"] = away
    await page.get_by_role("button", name="Ann Marsh").click()
    record = page.get_by_role("dialog")
    await record.get_by_role("button", name="Show what is masked").click()
    await record.get_by_role("menuitemradio", name="Another reason").click()

    await expect(record.get_by_role("alert")).not_to_be_empty()
    await expect(record).to_contain_text("+44********18")


async def test_an_agent_sees_how_to_reach_a_customer_of_before(desk: Page, server: PageServer) -> None:
    """After the call the account comes masked; so does the contact that a colleague had."""
    whole = page_data.pop()["account"]

    async def revealed(body: Any) -> web.Response:
        return web.json_response(whole)

    server.answers["POST", f"/accounts/{whole['account_id']}/reveal"] = revealed
    await server.push("pop", **page_data.pop() | {"account": masked_account(whole)})
    points = desk.locator(".contact-points")
    await expect(points).to_contain_text("+44********18")

    await points.get_by_role("button", name="Show what is masked").click()
    await points.get_by_role("menuitemradio", name="To make sure who it is").click()

    await expect(points).to_contain_text("+44 20 7946 0018")
    await expect(points.get_by_role("button")).to_have_count(0)
