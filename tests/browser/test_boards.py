"""The supervisor's board and the administrator's page: figures with their formulas, and honesty when the data is old."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Page, expect

from cti_bridge.domain.call import CallState
from cti_bridge.domain.relation import SignKind
from tests.browser.conftest import open_live
from tests.support import page_data
from tests.support.page_rules import admin_snapshot
from tests.support.page_server import PageServer, now, problem, serve
from tests.support.relations import a_relation

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module")
async def board_server() -> AsyncIterator[PageServer]:
    async with serve(page_data.SUPERVISOR, page_data.supervisor_snapshot()) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def board(page: Page, board_server: PageServer) -> Page:
    await page.clock.install()
    await open_live(page, board_server, "/supervisor")
    return page


async def test_queues_stand_worst_first_and_nothing_offered_is_no_figure(board: Page) -> None:
    rows = board.locator("#queues tbody tr")

    await expect(rows.locator("th")).to_have_text(["support", "sales", "vip"])
    await expect(rows.nth(0)).to_contain_text("72%")
    await expect(rows.nth(0)).to_contain_text("4 Talking")
    assert await rows.nth(2).locator("td.number").all_inner_texts() == ["0", "–", "–", "–", "–", "–"]


async def test_a_figure_opens_its_formula(board: Page) -> None:
    await board.get_by_role("button", name="Service level").first.focus()

    formula = board.get_by_role("tooltip").first
    await expect(formula).to_be_visible()
    await expect(formula).to_contain_text("Answered within 20 s ÷ (offered − short abandons).")
    await board.keyboard.press("Escape")
    await expect(board.get_by_role("tooltip")).to_have_count(0)


async def test_live_states_replace_what_the_board_shows(board: Page, board_server: PageServer) -> None:
    await board_server.send({"type": "queue.figures", "at": now(), "queues": [page_data.figures("vip", waiting=9)]})
    await board_server.send({"type": "agent.state", "at": now(), "agents": [page_data.agent("1009", "New Hand")]})
    await board_server.push("call.ended", call=page_data.call("main:3", state=CallState.ENDED))

    await expect(board.locator("#queues tbody th").first).to_have_text("vip")
    await expect(board.locator("#agents")).to_contain_text("New Hand")
    await expect(board.locator("#live-calls tbody tr")).to_have_count(4)


async def test_a_call_opens_its_record_and_gives_the_focus_back(board: Page) -> None:
    opener = board.get_by_role("button", name="Jonas Weber")
    await opener.click()

    await expect(board.get_by_role("dialog")).to_contain_text("Talked with1002")
    await board.keyboard.press("Escape")
    await expect(board.get_by_role("dialog")).to_have_count(0)
    await expect(opener).to_be_focused()


async def test_old_figures_are_dimmed_then_gone_never_shown_as_now(board: Page, board_server: PageServer) -> None:
    board_server.may_connect.clear()
    await board_server.cut()
    await board.clock.run_for(5000)

    await expect(board.locator(".freshness")).to_contain_text("as of")
    await expect(board.locator(".hero-value").first).to_have_text("4")
    await expect(board.locator(".banner")).to_contain_text("Reconnecting")

    await board.clock.run_for(60_000)
    await expect(board.locator(".banner")).to_contain_text("Live data stopped at")
    assert set(await board.locator(".hero-value").all_inner_texts()) == {"–"}
    assert set(await board.locator("#queues td.number").all_inner_texts()) == {"–"}

    board_server.may_connect.set()
    await expect(board.locator(".freshness")).to_have_text("Live")
    await expect(board.locator(".hero-value").first).to_have_text("4")


async def test_a_lost_pbx_is_named_and_its_figures_are_not_called_live(board: Page, board_server: PageServer) -> None:
    since = {"since": page_data.iso_utc(page_data.ago(20))}
    await board_server.send({"type": "link.state", "at": now(), "links": page_data.links("disconnected", **since)})

    await expect(board.locator(".banner")).to_contain_text("The link to PBX main is down since")
    await expect(board.locator(".freshness")).to_contain_text("as of")


async def test_a_call_that_is_on_for_hours_is_marked(board: Page, board_server: PageServer) -> None:
    stuck = page_data.call("main:9", state=CallState.TALKING, name="Old Line", talking=("1002",), started=5 * 3600)
    await board_server.push("call.changed", call=stuck)

    row = board.locator("#live-calls tbody tr", has_text="Old Line")
    await expect(row.locator(".too-long")).to_contain_text("perhaps the PBX has lost its end")
    await expect(board.locator("#live-calls .too-long")).to_have_count(1)


async def test_a_gap_is_named_while_it_lasts_and_told_afterwards(board: Page, board_server: PageServer) -> None:
    lasting = page_data.gap(20, None, rebuilt=0, ended_unseen=0)
    since = await board.evaluate("(at) => new Date(at).toTimeString().slice(0, 8)", lasting["since"])
    await board_server.send({"type": "gap.state", "at": now(), "gaps": [lasting]})
    await board_server.send({"type": "link.state", "at": now(), "links": page_data.links("disconnected", since=lasting["since"])})
    await expect(board.locator(".banner")).to_contain_text(f"Since {since} nothing is seen of PBX main.")
    await board.clock.run_for(6000)
    await expect(board.locator("#polite")).to_contain_text("nothing is seen of PBX main")

    over = page_data.gap(20, 20, gap_id=lasting["gap_id"], added=0)
    figures = [page_data.figures("support", provisional=True)]
    await board_server.send({"type": "link.state", "at": now(), "links": page_data.links()})
    await board_server.send({"type": "gap.state", "at": now(), "gaps": [over]})
    await board_server.send({"type": "queue.figures", "at": now(), "queues": figures})

    status = board.get_by_role("status", name="Completeness of the figures")
    await expect(board.locator(".banner")).to_have_count(0)
    await expect(status).to_contain_text("Link to PBX main lost")
    await expect(status).to_contain_text("3 calls went on, 1 ended unseen.")
    await expect(status).to_contain_text("Figures of sales, support are provisional until the audit.")
    await expect(board.locator("#queues tbody tr", has_text="support")).to_contain_text("provisional")
    await expect(board.locator("#queues tbody tr", has_text="sales")).not_to_contain_text("provisional")
    await expect(board.locator(".heroes .tag")).to_have_count(3)

    settled = over | {"added": 2, "corrected": 1, "settled_at": now()}
    await board_server.send({"type": "gap.state", "at": now(), "gaps": [settled]})
    await board_server.send({"type": "queue.figures", "at": now(), "queues": [page_data.figures("support")]})

    await expect(status).to_contain_text("2 added from the PBX's record, 1 corrected by it. Settled: they are in the store")
    await expect(board.locator("main .tag")).to_have_count(0)


async def test_without_a_record_the_board_says_why_figures_stay_provisional(board: Page, board_server: PageServer) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    gaps = [page_data.gap(60 * turn, 5, is_audited=False, queues=(hostile, *"abcdefg")) for turn in range(2, 7)]
    await board_server.send({"type": "gap.state", "at": now(), "gaps": gaps})

    status = board.get_by_role("status", name="Completeness of the figures")
    await expect(status.locator("li").first).to_contain_text("no record of this PBX can be read ([pbx.record] in the settings)")
    await expect(status.locator("li").first).to_contain_text("<img src=x onerror=ale")
    await expect(status.locator("li").first).to_contain_text("4 more queues")
    await expect(status.locator("> ul > li")).to_have_count(3)
    await status.get_by_text("2 more", exact=True).click()
    await expect(status.locator("details li").last).to_be_visible()


async def test_the_last_audit_is_a_line_on_the_board(board: Page, board_server: PageServer) -> None:
    status = board.get_by_role("status", name="Completeness of the figures")
    await board_server.send({"type": "audit.state", "at": now(), "audits": [page_data.audit()]})
    await expect(status).to_contain_text("1,204 calls, nothing missing.")

    counts = page_data.audit()["counts"] | {"lost": 2, "wrong": 1}
    await board_server.send({"type": "audit.state", "at": now(), "audits": [page_data.audit(counts=counts, left=1)]})
    await expect(status).to_contain_text("1,204 calls, 2 lost, 1 wrong – 1 not mended")

    await board_server.send({"type": "audit.state", "at": now(), "audits": [page_data.audit(error="Master.csv is not there")]})
    await expect(status).to_contain_text("could not look: Master.csv is not there")


async def test_admin_sees_forged_events_as_an_alarm_and_mistakes_at_their_lines(page: Page) -> None:
    async with serve(page_data.ADMIN, admin_snapshot()) as server:
        await open_live(page, server, "/admin")

        await expect(page.get_by_role("alert").filter(has_text="forged")).to_contain_text("3 forged events were found")
        await expect(page.locator(".pbx-link").nth(1)).to_contain_text("Check user name, secret and permit lines")
        await expect(page.locator("#line-11")).to_contain_text("priority must be a whole number, not 'ten' — write priority: 10")
        await expect(page.locator(".routing-state")).to_contain_text("version 3f6c0e1a9b2d is in force")

        mended = server.snapshot["routing"] | {"problems": [], "version": "aaaabbbbcccc"}
        await server.send({"type": "routing.state", "at": now(), "routing": mended})
        await expect(page.locator(".routing-state")).to_contain_text("Sound and in force")


async def test_customers_who_may_be_leaving_are_named_only_when_asked_for(board: Page, board_server: PageServer) -> None:
    first = page_data.account("a-1", "Wang <b>Fang</b>", relation=a_relation(SignKind.REPEATED_COMPLAINTS, SignKind.LONG_SILENCE))
    second = page_data.account("a-2", "Marta Silva", tier=None, relation=a_relation(SignKind.UNKEPT_PROMISES, average=None))
    pages = [{"items": [first], "next": "c2"}, {"items": [second], "next": None}]

    async def next_page(_: object) -> web.Response:
        return web.json_response(pages.pop(0))

    board_server.answers["GET", "/churn-signs"] = next_page
    panel = board.locator(".at-risk")
    assert not any(path == "/churn-signs" for _, path, _ in board_server.requests)

    await panel.get_by_role("heading", name="Customers who may be leaving").click()
    rows = panel.locator("tbody tr")
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("Wang <b>Fang</b> Platinum")
    await expect(rows.first).to_contain_text("2.4")
    await expect(rows.first.locator("li")).to_have_text(
        ["3 complaints since 2 Oct · “late parcel” came back", "silent for 131 days"]
    )
    await panel.get_by_role("button", name="Show more").click()

    await expect(rows).to_have_count(2)
    await expect(rows.nth(1).locator("td").first).to_have_text("–")
    await expect(panel.get_by_role("button")).to_have_count(0)


async def test_that_nobody_may_be_leaving_and_that_it_cannot_be_told_are_told_apart(
    board: Page, board_server: PageServer
) -> None:
    answers = [web.json_response({"items": [], "next": None}), problem(503, "store-away")]

    async def answer(_: object) -> web.Response:
        return answers.pop(0)

    board_server.answers["GET", "/churn-signs"] = answer
    panel = board.locator(".at-risk")

    await panel.locator("summary").click()
    await expect(panel).to_contain_text("No customer shows a sign of leaving.")
    await panel.locator("summary").click()
    await panel.locator("summary").click()

    await expect(panel.get_by_role("status")).to_contain_text("The customer store is away")
    await expect(panel).not_to_contain_text("No customer shows")
