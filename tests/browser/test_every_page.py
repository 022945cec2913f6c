"""What holds of every page: hostile text stays text, both languages are whole, nothing is out of reach of assistive tools."""

import re
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from cti_bridge.domain.call import CallState
from cti_bridge.domain.case import CaseKind, ComplaintStep
from cti_bridge.domain.relation import Relation, SignKind
from tests.browser.conftest import open_live
from tests.support import page_data
from tests.support.page_cases import commitments, promise
from tests.support.page_rules import admin_snapshot
from tests.support.page_server import PageServer, serve
from tests.support.relations import a_score, a_sign

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

USERS: dict[str, tuple[dict[str, Any], Any]] = {
    "/agent": (page_data.AGENT, page_data.agent_snapshot),
    "/supervisor": (page_data.SUPERVISOR, page_data.supervisor_snapshot),
    "/admin": (page_data.ADMIN, admin_snapshot),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '"><script>alert(1)</script>',
    "'-alert(1)-'",
    "javascript:alert(1)",
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<a href=javascript:alert(1)>x</a>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example>",
    "<form action=//evil.example><button>x",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "${alert(1)}",
    "{{constructor.constructor('alert(1)')()}}",
    "</textarea><script>alert(1)</script>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "evil\u202egnp.exe",
    "tab\tnew\r\nline\x00nul\x1b[31m",
    "zero\u200bwidth\ufeff\U000e0041",
    "Z" + "\u0310" * 200,
    "__proto__",
    "A" * 5000,
]


@pytest_asyncio.fixture(loop_scope="module", params=list(USERS))
async def somebody(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, PageServer]]:
    user, snapshot = USERS[request.param]
    async with serve(user, snapshot()) as one:
        one.interactions = page_data.recent()
        one.accounts = {"a-wang": page_data.account(), "a-silva": page_data.account("a-silva", "Marta Silva")}
        yield request.param, one


def everywhere(text: str, number: int) -> dict[str, Any]:
    """A pop that carries the text in every field a caller or a colleague can write."""
    call = page_data.call(f"main:{number}", name=text, number=text, queue=text, ringing=("1001",))
    complaints = a_sign(SignKind.REPEATED_COMPLAINTS, problem=text)
    relation = Relation(judged_at=complaints.noticed_at, signs=(complaints,))
    who = page_data.account(f"a{number}", text, company=text, note=text, relation=relation)
    routing = {"rule": text, "queue": text, "priority": 1, "reason": text, "rules_version": text}
    written = {"subject": text, "note": text, "disposition": text, "agent": text, "queue": text}
    contacts = [page_data.interaction(f"i{number}", satisfaction=a_score(comment=text), **written)]
    candidates = [{"account": who, "reason": "exact_number"}]
    facts = [{"label": text, "value": text}]
    elsewhere = [page_data.external(source=text, id=text, name=text, company=text, link=text, facts=facts)]
    promised = commitments(promise(subject=text, owner=text), more=1)
    shown = {"account": who, "candidates": candidates, "history": contacts, "routing": routing, "external": elsewhere}
    shown["commitments"] = promised
    return page_data.pop(f"p{number}", of=call | {"did": text}, **shown)


async def test_hostile_text_creates_no_element_dialog_or_violation(desk: Page, server: PageServer) -> None:
    """Dialogs, policy violations and script errors fail the test in the page fixture."""
    await server.push("pop", **everywhere("plain", 0))
    await expect(desk.locator(".call-card h2")).to_contain_text("plain")
    regions = ".call-card, .context, .current-call"
    shape = f"[...document.querySelectorAll(':is({regions}) :not(bdi)')].map((one) => one.tagName).join()"
    plain = await desk.evaluate(shape)
    await server.push("pop.withdrawn", pop_id="p0", call_id="main:0", why="abandoned")
    await expect(desk.locator(".call-card")).to_have_count(0)

    for number, text in enumerate(HOSTILE, start=1):
        await server.push("pop", **everywhere(text, number))
        await expect(desk.locator(".call-card .facts")).to_have_count(1)
        assert await desk.evaluate(shape) == plain, text
        for kind, where in (("title", "document.title"), ("text", "document.body.innerText")):
            found = re.search("[\u202a-\u202e\u2066-\u2069\u200b\x00\x1b]", await desk.evaluate(where))
            assert found is None, (kind, text)
        assert await desk.evaluate("document.documentElement.scrollWidth <= innerWidth"), text
        await server.push("pop.withdrawn", pop_id=f"p{number}", call_id=f"main:{number}", why="abandoned")
        await expect(desk.locator(".call-card")).to_have_count(0)


async def test_bidi_overrides_and_controls_are_shown_by_their_code(desk: Page, server: PageServer) -> None:
    await server.push("pop", **everywhere("evil\u202egnp.exe\r\nx", 1))

    await expect(desk.locator(".call-card h2 bdi")).to_have_text("evil[U+202E]gnp.exe[U+000D][U+000A]x")


async def sweep(page: Page, name: str) -> None:
    """No serious finding of axe in either theme, and no word that the catalogue lacks."""
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        findings = await Axe().run(page)
        assert findings.response["passes"]
        serious = [
            (finding["id"], finding["impact"], [node["html"][:160] for node in finding["nodes"]])
            for finding in findings.response["violations"]
            if finding["impact"] in {"serious", "critical"}
        ]
        assert serious == [], f"{name} {scheme}"
    assert await page.evaluate("import('/static/lib/locale.js').then(({missing}) => [...missing])") == [], name


def elsewhere() -> list[dict[str, Any]]:
    """Every state that another system's answer may have."""
    facts = [{"label": "open orders", "value": "3"}, {"label": "newsletter", "value": True}]
    found = page_data.external(id="4711", name="Fang Weiss", company="Lantern Tea", link="https://crm.example/", facts=facts)
    return [found, *(page_data.external(state) for state in ("pending", "not_found", "timed_out", "failed"))]


async def test_every_page_is_accessible_in_both_languages_and_themes(page: Page, somebody: tuple[str, PageServer]) -> None:
    path, server = somebody
    await page.emulate_media(reduced_motion="reduce")
    await open_live(page, server, path)
    if path == "/agent":
        await server.push("pop", **page_data.pop(untrusted=True, external=elsewhere()))
        await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",), untrusted=True))
        await expect(page.locator(".call-card")).to_be_visible()

    await sweep(page, f"{path} en")
    await page.get_by_role("button", name="Switch to Chinese").click()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await sweep(page, f"{path} zh")

    assert await page.evaluate(LATIN_WORDS, list(LATIN_ALLOWED)) == [], "words that were not translated"
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_the_search_for_an_account_and_what_was_promised_are_accessible(desk: Page, server: PageServer) -> None:
    await desk.emulate_media(reduced_motion="reduce")
    server.accounts = {"a-wang": page_data.account(), "a-lei": page_data.account("a-lei", "Wang Lei 王磊")}
    await server.push("pop", **page_data.pop(lookup="unknown"))
    await desk.get_by_role("button", name="Find an account").click()
    await desk.get_by_role("combobox").fill("wang")
    await expect(desk.get_by_role("option")).to_have_count(2)
    await sweep(desk, "search")
    await desk.set_viewport_size({"width": 320, "height": 640})
    assert await desk.evaluate("document.documentElement.scrollWidth") <= 320

    cases = [promise(f"c-{n}", kind, step=ComplaintStep.RECORDED) for n, kind in enumerate(CaseKind)]
    await server.push("pop.update", **page_data.pop(commitments=commitments(*cases, more=2)))
    await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",)))
    await expect(desk.locator(".promises li")).to_have_count(5)
    assert await desk.evaluate("document.documentElement.scrollWidth") <= 320
    await desk.set_viewport_size({"width": 1280, "height": 800})
    await sweep(desk, "promises")


LATIN_ALLOWED = ("PBX", "EN", "Alt", "Ctrl", "Enter", "Asterisk", "SIP", "manager.conf", "permit", "A", "H", "U", "R", "N", "s")
# Text that the page itself wrote (not in <bdi>, <code>, tables' data or data fields) holds no Latin words in Chinese
LATIN_WORDS = """(allowed) => {
  const walk = document.createTreeWalker(document.getElementById('app'), NodeFilter.SHOW_TEXT);
  const found = new Set();
  const data = [
    'bdi, code, kbd, tbody th, tbody td, time, strong, .me, .queue-name, .version, .recent-detail, .timeline .quiet',
    '.facts dd, .current-detail, .timeline-note, .contact-points, .pbx-link h3, .pbx-link .quiet, .problems',
    '.line-problem, .routing-state .quiet, .face',
  ].join();
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.parentElement.closest(data)) continue;
    for (const word of node.data.match(/[A-Za-z][A-Za-z.]*/g) ?? []) if (!allowed.includes(word)) found.add(word);
  }
  return [...found];
}"""


async def test_sign_in_is_accessible_in_both_languages_and_themes(page: Page) -> None:
    async with serve(None, {}) as server:
        await page.goto(f"{server.url}/login")
        await page.fill("#username", "ana")
        await page.fill("#password", "wrong")
        await page.keyboard.press("Enter")
        await expect(page.locator("#refused")).to_contain_text("User name or password is wrong")
        await sweep(page, "/login en")

        await page.get_by_role("button", name="Switch to Chinese").click()
        await expect(page.locator("h2")).to_have_text("登录")

        await sweep(page, "/login zh")


async def test_sign_in_leads_to_the_own_page(page: Page, server: PageServer) -> None:
    await page.goto(f"{server.url}/login")
    await page.fill("#username", " ana ")
    await page.fill("#password", "demo")
    await page.keyboard.press("Enter")

    await page.wait_for_url("**/agent")
    assert ("POST", "/session", {"username": "ana", "password": "demo"}) in server.requests


async def test_every_page_fits_a_narrow_screen(page: Page, somebody: tuple[str, PageServer]) -> None:
    path, server = somebody
    await page.set_viewport_size({"width": 320, "height": 640})
    await open_live(page, server, path)
    if path == "/agent":
        await server.push("pop", **page_data.pop())
        await expect(page.locator(".call-card")).to_be_visible()

    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
