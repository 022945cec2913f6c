"""One Chromium for each test file; a fresh, isolated context and page for each test. Skipped where there is no Chromium."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.support import page_data
from tests.support.page_server import PageServer, serve

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
WATCH = """
window.broken = [];
addEventListener('securitypolicyviolation', (event) => broken.push(`${event.violatedDirective}: ${event.blockedURI}`));
for (const name of ['alert', 'confirm', 'prompt']) window[name] = (text) => broken.push(`${name}: ${text}`);
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that collects policy violations, dialogs and script errors; any of them fails the test at its end."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(5000)
    await context.add_init_script(WATCH)
    one = await context.new_page()
    faults: list[str] = []
    one.on("pageerror", lambda error: faults.append(str(error)))
    yield one
    faults += await one.evaluate("window.broken ?? []")
    await context.close()
    assert faults == []


@pytest_asyncio.fixture(loop_scope="module")
async def server() -> AsyncIterator[PageServer]:
    """An agent's world: signed in, ready, nothing on."""
    async with serve(page_data.AGENT, page_data.agent_snapshot()) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def desk(page: Page, server: PageServer) -> Page:
    """The agent's desktop, open and live."""
    await open_live(page, server, "/agent")
    return page


async def open_live(page: Page, server: PageServer, path: str) -> None:
    """Opens a page and waits until the server has its hello and the page shows something."""
    await page.goto(server.url + path)
    await page.wait_for_selector(".bar")
    async with asyncio.timeout(5):
        await server.wait_for(lambda one: any(said["type"] == "hello" for said in one.received) and bool(one.sockets))
