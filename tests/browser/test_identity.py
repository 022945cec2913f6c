"""Who is calling, on the agent's desktop: the reasons in words, one click to choose, and the way back."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from cti_bridge.domain.account import Tier
from cti_bridge.domain.call import CallState, iso_utc
from tests.support import page_data
from tests.support.page_server import PageServer, problem

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

CALL_ID = "main:1795314829.43"
ACCOUNT = f"/calls/{CALL_ID}/account"
FANG = page_data.account()
LEI = page_data.account("a-lei", "Wang Lei 王磊", tier=Tier.GOLD)


async def household(server: PageServer) -> None:
    """Two who share a number; Lei was chosen the day before."""
    server.accounts = {"a-wang": FANG, "a-lei": LEI}
    server.timelines["a-lei"] = [page_data.interaction("x", account_id="a-lei", subject="Asked for a catalogue")]
    chosen = page_data.candidate(
        LEI, "chosen_before", label="home", chosen_by="1002", chosen_at=iso_utc(page_data.ago(86_400)),
        last_contact_at=iso_utc(page_data.ago(86_400 * 40)),
    )  # fmt: skip
    await server.push("pop", **page_data.pop(lookup="several", candidates=[chosen, page_data.candidate(FANG)]))


def asked(server: PageServer, method: str, path: str = ACCOUNT) -> list[Any]:
    return [body for verb, where, body in server.requests if (verb, where) == (method, path)]


async def test_candidates_come_in_order_with_the_reason_of_each(desk: Page, server: PageServer) -> None:
    await household(server)

    first, second = desk.locator(".candidates button").nth(0), desk.locator(".candidates button").nth(1)
    await expect(first).to_contain_text("Wang Lei 王磊")
    await expect(first).to_contain_text("chosen last time by 1002, Yesterday", ignore_case=True)
    await expect(first).to_contain_text("home")
    await expect(first).to_contain_text("last contact")
    await expect(second).to_contain_text("shares this number")


async def test_one_click_chooses_and_says_that_it_is_learnt(desk: Page, server: PageServer) -> None:
    await household(server)

    await desk.get_by_role("button", name="Wang Lei").click()

    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Lei 王磊")
    await expect(desk.locator(".identity")).to_contain_text(
        "Chosen by you for this call. Proposed first when this number calls again."
    )
    await expect(desk.locator(".timeline li").first).to_contain_text("Asked for a catalogue")
    assert asked(server, "PUT") == [{"account_id": "a-lei"}]


async def test_a_choice_is_undone_with_one_click(desk: Page, server: PageServer) -> None:
    await household(server)
    await desk.get_by_role("button", name="Wang Lei").click()

    await desk.get_by_role("button", name="Undo").click()

    await expect(desk.locator(".candidates button")).to_have_count(2)
    await expect(desk.locator(".call-card h2")).not_to_contain_text("Wang Lei")
    assert asked(server, "DELETE") == [None]


async def test_a_clear_match_can_be_somebody_else(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop())
    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Fang")

    await desk.get_by_role("button", name="Somebody else").click()

    await expect(desk.locator(".call-card h2")).not_to_contain_text("Wang Fang")
    await expect(desk.get_by_role("button", name="Create account from this call")).to_be_visible()
    assert asked(server, "PUT") == [{"account_id": None}]


async def test_another_agents_choice_and_its_undoing_come_by_themselves(desk: Page, server: PageServer) -> None:
    await household(server)
    both = [page_data.candidate(LEI), page_data.candidate(FANG)]
    chosen = {"by": "1002", "at": iso_utc(page_data.ago(1)), "learnt": True}

    await server.push("pop.update", **page_data.pop(lookup="several", account=LEI, candidates=both, chosen=chosen))
    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Lei")
    await expect(desk.locator(".identity")).to_contain_text("Chosen by 1002 for this call.")

    await server.push("pop.update", **page_data.pop(lookup="several", candidates=both))
    await expect(desk.locator(".candidates button")).to_have_count(2)


async def test_a_choice_made_while_the_store_is_away_is_sent_with_the_notes(desk: Page, server: PageServer) -> None:
    async def away(_: dict[str, Any]) -> Any:
        return problem(503, "store-away")

    server.answers["PUT", ACCOUNT] = away
    await household(server)

    await desk.get_by_role("button", name="Wang Lei").click()
    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Lei")
    await server.push("call.answered", call=page_data.call(state=CallState.TALKING, talking=("1001",)))

    await server.wait_for(lambda one: ("PATCH", f"/calls/{CALL_ID}/wrap-up", {"account_id": "a-lei"}) in one.requests)


async def test_a_refused_choice_is_told_and_changes_nothing(desk: Page, server: PageServer) -> None:
    async def no(_: dict[str, Any]) -> Any:
        return problem(409, "not-in-this-call")

    server.answers["PUT", ACCOUNT] = no
    await household(server)

    await desk.get_by_role("button", name="Wang Lei").click()

    await expect(desk.locator(".identity > .refused")).not_to_be_empty()
    await expect(desk.locator(".candidates button")).to_have_count(2)


async def test_an_unknown_caller_becomes_an_account_with_a_name(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop(lookup="unknown"))

    await desk.get_by_role("button", name="Create account from this call").click()
    await desk.get_by_label("Name", exact=True).fill("Fang Weiss")
    await desk.get_by_role("button", name="Create account", exact=True).click()

    await expect(desk.locator(".call-card h2")).to_contain_text("Fang Weiss")
    number = {"kind": "phone", "value": "+442079460018"}
    assert asked(server, "POST", "/accounts") == [{"name": "Fang Weiss", "contact_points": [number]}]
    assert asked(server, "PUT") == [{"account_id": "new-Fang Weiss"}]


async def test_a_provisional_account_takes_one_click_and_is_named_later(desk: Page, server: PageServer) -> None:
    await server.push("pop", **page_data.pop(lookup="unknown"))

    await desk.get_by_role("button", name="Provisional account").click()
    await expect(desk.locator(".call-card h2")).to_contain_text("Provisional")
    await desk.get_by_role("button", name="Name this account").click()
    await desk.get_by_label("Name", exact=True).fill("Fang Weiss")
    await desk.get_by_role("button", name="Save name").click()

    await expect(desk.locator(".call-card h2")).to_contain_text("Fang Weiss")
    await expect(desk.locator(".call-card h2")).not_to_contain_text("Provisional")
    assert (asked(server, "POST"), asked(server, "PATCH", "/accounts/a-new")) == ([None], [{"name": "Fang Weiss"}])


@pytest.mark.parametrize("number", ["untrusted", "none", "no number of a plan"])
async def test_a_number_that_proves_nothing_is_put_on_no_account(desk: Page, server: PageServer, number: str) -> None:
    forged, presented = number == "untrusted", {"untrusted": "+442079460018", "none": None}.get(number, "1003")
    call = page_data.call(ringing=("1001",), untrusted=forged, number=presented)
    await server.push("pop", **page_data.pop(of=call, lookup="withheld"))

    await expect(desk.get_by_role("button", name="Provisional account")).to_have_count(0)
    await desk.get_by_role("button", name="Create account from this call").click()
    await desk.get_by_label("Name", exact=True).fill("Fang Weiss")
    await desk.get_by_role("button", name="Create account", exact=True).click()

    await expect(desk.locator(".call-card h2")).to_contain_text("Fang Weiss")
    assert asked(server, "POST", "/accounts") == [{"name": "Fang Weiss"}]


async def test_a_company_is_said_by_its_block_and_extensions_are_shown(desk: Page, server: PageServer) -> None:
    acme = page_data.account("a-acme", "Acme", company=None, tier=None)
    desk_line = {**FANG, "contact_points": [{**FANG["contact_points"][0], "extension": "12"}]}
    server.accounts = {"a-wang": desk_line}
    found = [
        page_data.candidate(desk_line, "switchboard", extension="12", label="sales"),
        page_data.candidate(acme, "switchboard_prefix", range="+442079460xxx", shared_by=0),
    ]
    await server.push("pop", **page_data.pop(lookup="several", candidates=found))

    await expect(desk.locator(".candidates button").nth(0)).to_contain_text("switchboard · sales · ext. 12")
    await expect(desk.locator(".candidates button").nth(1)).to_contain_text("company's block +442079460xxx")
    await desk.get_by_role("button", name="Wang Fang").click()
    await expect(desk.locator(".contact-points")).to_contain_text("ext. 12")


def namesakes() -> dict[str, dict[str, Any]]:
    """Two of one name, told apart by company, own number and telephone; and eight more."""
    own = {"kind": "customer_number", "value": "1846", "as_given": "1846", "label": None, "extension": None}
    other = page_data.account("a-fang2", "Fang Weiss", company="Weiss & Söhne", tier=None, phone="+4930901820")
    other["contact_points"].insert(0, own)
    crowd = [page_data.account(f"a-{n}", f"Customer {n}", tier=None) for n in range(9)]
    first = page_data.account("a-fang1", "Fang Weiss", company=None, tier=Tier.GOLD)
    return {one["account_id"]: one for one in (first, other, *crowd)}


async def test_an_unknown_caller_is_put_on_an_account_that_is_found_with_the_keyboard_alone(
    desk: Page, server: PageServer
) -> None:
    server.accounts = namesakes()
    server.timelines["a-fang2"] = [page_data.interaction("x", account_id="a-fang2", subject="Asked for a catalogue")]
    await server.push("pop", **page_data.pop(lookup="unknown"))

    await desk.keyboard.press("Alt+c")
    field = desk.get_by_role("combobox", name="Name, number or customer number")
    await expect(field).to_be_focused()
    await field.press_sequentially("fang w")
    options = desk.get_by_role("option")
    await expect(options).to_have_count(2)
    await expect(options.nth(0)).to_contain_text("+44 20 7946 0018")
    await expect(options.nth(1)).to_contain_text("Weiss & Söhne · no. 1846 · +49 3 090 1820 · fang@lantern.example")
    await expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    await field.press_sequentially("x")
    await field.press("Enter")  # before the answer: those shown are not what was asked for
    await expect(desk.locator(".find-account [role=status]")).to_contain_text("Nobody found.")
    await field.press("Backspace")
    await expect(options).to_have_count(2)
    await field.press("ArrowDown")
    assert await field.get_attribute("aria-activedescendant") == await options.nth(1).get_attribute("id")
    await field.press("Enter")

    await expect(desk.locator(".call-card h2")).to_contain_text("Fang Weiss")
    await expect(desk.locator(".identity")).to_contain_text("Proposed first when this number calls again.")
    await expect(desk.locator(".timeline li").first).to_contain_text("Asked for a catalogue")
    assert asked(server, "PUT") == [{"account_id": "a-fang2"}]
    assert server.searches[-1] == {"q": "fang w", "limit": "8"}

    await desk.get_by_role("button", name="Undo").click()
    await expect(desk.get_by_role("button", name="Find an account")).to_be_visible()
    assert asked(server, "DELETE") == [None]


TYPED_FAST = """(field, text) => {
  for (let end = 1; end <= text.length; end += 1) {
    field.value = text.slice(0, end);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
}"""


async def test_a_search_shows_eight_says_when_there_are_more_and_when_there_are_none(desk: Page, server: PageServer) -> None:
    server.accounts = namesakes()
    await server.push("pop", **page_data.pop(lookup="unknown"))
    await desk.get_by_role("button", name="Find an account").click()
    field, status = desk.get_by_role("combobox"), desk.locator(".find-account [role=status]")

    await field.evaluate(TYPED_FAST, "customer")
    await expect(desk.get_by_role("option")).to_have_count(8)
    await expect(status).to_have_text("The first 8. Type more to see fewer.")
    await field.fill("customer 7")
    await expect(desk.get_by_role("option")).to_have_count(1)
    await expect(status).to_have_text("1 account")
    await field.fill("<b>nobody</b>")
    await expect(status).to_contain_text("Nobody found.")
    await field.fill("c")
    await expect(status).to_be_empty()
    await field.press("Escape")

    await expect(desk.get_by_role("button", name="Find an account")).to_be_focused()
    assert [one["q"] for one in server.searches] == ["customer", "customer 7", "<b>nobody</b>"]  # only when the typing stopped


async def test_a_search_that_is_refused_says_so_and_a_click_chooses(desk: Page, server: PageServer) -> None:
    async def away(_: Any) -> Any:
        return problem(503, "store-away")

    server.accounts = {"a-lei": LEI}
    server.answers["GET", "/accounts"] = away
    await server.push("pop", **page_data.pop())
    await desk.get_by_role("button", name="Somebody else").click()
    await desk.get_by_role("button", name="Find an account").click()
    await desk.get_by_role("combobox").fill("wang")
    await expect(desk.locator(".find-account .refused")).to_contain_text("The customer store is away")

    del server.answers["GET", "/accounts"]
    await desk.get_by_role("combobox").fill("wang lei")
    await desk.get_by_role("option").click()

    await expect(desk.locator(".call-card h2")).to_contain_text("Wang Lei 王磊")
    assert asked(server, "PUT") == [{"account_id": None}, {"account_id": "a-lei"}]


async def test_a_typed_customer_number_and_a_recent_order_are_said_in_words(desk: Page, server: PageServer) -> None:
    found = [
        page_data.candidate(FANG, "customer_number_entered", entered="1846", shared_by=0),
        page_data.candidate(LEI, "recent_order", last_order_on="2026-11-20"),
    ]
    await server.push("pop", **page_data.pop(lookup="several", candidates=found))
    await expect(desk.locator(".candidates button").nth(0)).to_contain_text("typed customer number 1846")
    await expect(desk.locator(".candidates button").nth(1)).to_contain_text("ordered on 20 Nov 2026")

    await server.push("pop.update", **page_data.pop(candidates=found[:1]))
    await expect(desk.locator(".identity")).to_contain_text(
        "The caller typed this customer number: 1846. It is a hint, not proof"
    )
