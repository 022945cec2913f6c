from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from cti_bridge.domain.account import HISTORY_SHOWN, Account, AccountId, Candidate, ContactKind, ContactPoint, MatchReason, Tier
from cti_bridge.domain.case import Commitments
from cti_bridge.domain.listing import Page
from storage.accounts import Accounts
from storage.database import Database
from storage.identity import MAX_CANDIDATES
from storage.interactions import Interactions
from tests.support.store import NOW, an_account, an_email


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


async def names(accounts: Accounts, *, phone=None, email=None, q=None, by_part=True) -> list[str]:
    page = await accounts.search(phone=phone, email=email, q=q, cursor=None, limit=50, by_part=by_part)
    return [account.name for account in page.items]


async def test_created_account_reads_back_whole(accounts: Accounts):
    created = await accounts.create(
        name="  李 雷 ",
        company="Quinn & Co",
        tier=Tier.GOLD,
        language="zh",
        note="likes tea\nnot coffee",
        contact_points=[(ContactKind.PHONE, "020 7946 0018", "desk"), (ContactKind.EMAIL, "Lei@Example.ORG", None)],
        now=NOW,
    )

    expected = Account(
        account_id=created.account_id,
        name="李 雷",
        company="Quinn & Co",
        tier=Tier.GOLD,
        language="zh",
        note="likes tea\nnot coffee",
        contact_points=(
            ContactPoint(kind=ContactKind.PHONE, value="+442079460018", as_given="020 7946 0018", label="desk"),
            ContactPoint(kind=ContactKind.EMAIL, value="lei@example.org", as_given="Lei@Example.ORG"),
        ),
        created_at=NOW,
        updated_at=NOW,
    )
    assert await accounts.by_id(created.account_id) == expected


async def test_account_without_contact_points_reads_back(accounts: Accounts):
    created = await an_account(accounts, contact_points=[])

    assert await accounts.by_id(created.account_id) == created


async def test_unknown_account_is_none(accounts: Accounts):
    assert await accounts.by_id(AccountId("no\0such")) is None


async def test_number_of_one_account_is_an_exact_match(accounts: Accounts):
    zoe = await an_account(accounts)
    await an_account(accounts, "Somebody Else", "020 7946 0019")

    match = Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER, commitments=Commitments())
    assert await accounts.by_phone("+442079460018") == (match,)


async def test_a_clear_match_comes_with_its_newest_contacts(accounts: Accounts, database: Database):
    zoe = await an_account(accounts)
    yan = await an_account(accounts, "Yan", "020 7946 0019")
    interactions = Interactions(database)
    for minute in range(HISTORY_SHOWN + 2):
        await interactions.add(an_email(minute, account_id=zoe.account_id), idempotency_key=None)
    await interactions.add(an_email(99, account_id=yan.account_id), idempotency_key=None)

    (match,) = await accounts.by_phone("+442079460018")

    newest = await interactions.timeline(zoe.account_id, cursor=None, limit=HISTORY_SHOWN)
    assert match.history == newest.items


async def test_a_history_that_cannot_be_read_does_not_hide_the_customer(accounts: Accounts, database: Database):
    zoe = await an_account(accounts)
    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE interactions RENAME TO elsewhere"))

    assert await accounts.by_phone("+442079460018") == (Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER),)


async def test_number_of_a_household_gives_every_member_as_shared(accounts: Accounts):
    members = [await an_account(accounts, name) for name in ("Zoë", "Yan")]

    found = await accounts.by_phone("+442079460018")

    assert {candidate.account.name: candidate.reason for candidate in found} == dict.fromkeys(
        (member.name for member in members), MatchReason.SHARED_NUMBER
    )


async def test_number_of_nobody_matches_nobody(accounts: Accounts):
    await an_account(accounts)

    assert await accounts.by_phone("+442079460019") == ()


async def test_a_fax_number_is_no_caller(accounts: Accounts):
    await an_account(accounts, contact_points=[(ContactKind.FAX, "020 7946 0018", None)])

    assert await accounts.by_phone("+442079460018") == ()


async def test_a_switchboards_number_gives_a_bounded_choice(accounts: Accounts):
    drafts = [
        accounts.draft(
            name=f"Ward {number}", company=None, tier=None, language=None, note=None,
            contact_points=[(ContactKind.PHONE, "020 7946 0018", None)], now=NOW,
        )
        for number in range(MAX_CANDIDATES + 5)
    ]  # fmt: skip
    await accounts.add(drafts)

    assert len(await accounts.by_phone("+442079460018")) == MAX_CANDIDATES


@pytest.mark.parametrize(
    "phone",
    [
        "02079460018",
        "+44 20 7946 0018",
        "+44-(0)20-7946-0018",
        "0044 20 7946 0018",
        "０２０７９４６００１８",
        "7946 0018",
        "946001",
    ],
)
async def test_search_reads_a_phone_in_any_form(accounts: Accounts, phone: str):
    await an_account(accounts)
    await an_account(accounts, "Somebody Else", "020 7946 0199")

    assert await names(accounts, phone=phone) == ["Zoë Quinn"]


@pytest.mark.parametrize("phone", ["", "12", "%", "anonymous", "00", "'; DROP TABLE accounts; --"])
async def test_search_by_what_is_no_number_finds_nobody(accounts: Accounts, phone: str):
    await an_account(accounts)

    assert await names(accounts, phone=phone) == []


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("quinn", ["Zoë Quinn"]),
        ("ZOË", ["Zoë Quinn"]),
        ("雷", ["李雷"]),
        ("acme", ["李雷"]),
        ("020 7946 0018", ["Zoë Quinn"]),
        ("lei@", ["李雷"]),
        ("%", ["100% Cotton_Ltd"]),
        ("_", ["100% Cotton_Ltd"]),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("nobody\0", []),
    ],
)
async def test_search_finds_part_of_name_company_or_contact_point(accounts: Accounts, q: str, expected: list[str]):
    await an_account(accounts)
    await an_account(accounts, "李雷", company="Acme", contact_points=[(ContactKind.EMAIL, "lei@example.org", None)])
    await an_account(accounts, "100% Cotton_Ltd", "020 7946 0199")

    assert await names(accounts, q=q) == expected


async def test_a_customers_number_is_found_whole_in_any_case_and_in_no_other_kind(accounts: Accounts):
    kind = ContactKind.CUSTOMER_NUMBER
    one = await an_account(accounts, name="One", contact_points=[(kind, "K-4711", "CRM")])
    two = await an_account(accounts, name="Two", contact_points=[(kind, "k-4711", None)])
    await an_account(accounts, name="Part", contact_points=[(kind, "K-47110", None), (ContactKind.MESSENGER, "K-4711", None)])

    assert {found.account for found in await accounts.of_caller(None, "k-4711")} == {one, two}
    assert await accounts.of_caller(None, "k-47") == ()


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("fang wang", ["Wang Fang"]),
        ("WANG lantern", ["Wang Fang"]),
        ("wang li", []),
        ("7946 0018", ["Bo", "Wang Fang"]),
        ("(020) 79", ["Bo", "Wang Fang"]),
        ("46", ["Bo", "Wang Fang"]),
        ("4600", ["Bo", "Wang Fang"]),
        ("1846", ["Wang Fang"]),
        ("k-1846", ["Wang Fang"]),
        ("0018461", []),
    ],
    ids=[
        "turned round", "name and company", "not every word", "part, spaced", "part, national", "two digits", "part",
        "exactly it", "letters", "digits of two numbers",
    ],
)  # fmt: skip
async def test_search_of_a_person_who_types_what_the_caller_says(accounts: Accounts, q: str, expected: list[str]):
    numbers = [(ContactKind.PHONE, "020 7946 0018", None)]
    own = [(ContactKind.CUSTOMER_NUMBER, number, None) for number in ("1846", "K-1846")]
    await an_account(accounts, "Wang Fang", company="Lantern Tea", contact_points=[*numbers, *own])
    await an_account(accounts, "Bo", contact_points=[*numbers, (ContactKind.PHONE, "020 7946 1846", None)])

    assert await names(accounts, q=q) == expected


async def test_pages_of_a_search_begin_with_those_that_have_exactly_it(accounts: Accounts):
    for name in ("a", "b", "c", "d", "e"):
        numbers = [(ContactKind.CUSTOMER_NUMBER, "4711" if name in {"c", "e"} else f"4711{name}", None)]
        await an_account(accounts, name, contact_points=numbers)

    for limit in (1, 2, 3):
        pages, cursor = list[list[str]](), None
        while True:
            page = await accounts.search(phone=None, email=None, q="4711", cursor=cursor, limit=limit)
            pages.append([account.name for account in page.items])
            if (cursor := page.next) is None:
                break
        assert pages[0] == ["c", "e"][:limit]
        assert max(map(len, pages)) <= limit
        assert sorted(name for page in pages for name in page) == ["a", "b", "c", "d", "e"]


async def test_search_conditions_hold_together(accounts: Accounts):
    await an_account(accounts, "Zoë")
    await an_account(accounts, "Yan")

    assert await names(accounts, q="yan", phone="020 7946 0018") == ["Yan"]
    assert await names(accounts, q="yan", email="yan@example.org") == []


async def test_pages_follow_each_other_without_gap_or_repeat(accounts: Accounts):
    for name in ("b", "A", "d", "C", "e"):
        await an_account(accounts, name)

    seen, cursor = [], None
    while True:
        page: Page[Account] = await accounts.search(phone=None, email=None, q=None, cursor=cursor, limit=2)
        seen.append([account.name for account in page.items])
        if page.next is None:
            break
        cursor = page.next

    assert seen == [["A", "b"], ["C", "d"], ["e"]]


async def test_change_sets_only_what_is_given(accounts: Accounts):
    zoe = await an_account(accounts, tier=Tier.IRON, note="old")
    later = NOW + timedelta(hours=1)

    changed = await accounts.change(zoe.account_id, changes={"tier": Tier.GOLD, "note": None}, contact_points=None, now=later)

    assert changed == replace(zoe, tier=Tier.GOLD, note=None, updated_at=later)
    assert await accounts.by_id(zoe.account_id) == changed


async def test_change_replaces_all_contact_points(accounts: Accounts):
    zoe = await an_account(accounts)

    changed = await accounts.change(
        zoe.account_id, changes={}, contact_points=[(ContactKind.PHONE, "020 7946 0019", None)], now=NOW
    )

    assert changed is not None
    assert [point.value for point in changed.contact_points] == ["+442079460019"]
    assert await accounts.by_phone("+442079460018") == ()


async def test_a_renamed_account_is_found_by_its_new_name_only(accounts: Accounts):
    zoe = await an_account(accounts)

    await accounts.change(zoe.account_id, changes={"name": "Zoë Smith"}, contact_points=None, now=NOW)

    assert await names(accounts, q="smith") == ["Zoë Smith"]
    assert await names(accounts, q="quinn") == []


async def test_change_of_an_unknown_account_is_none(accounts: Accounts):
    assert await accounts.change(AccountId("none"), changes={"note": "x"}, contact_points=None, now=NOW) is None


@pytest.mark.parametrize(
    "changes", [{"name": None}, {"name": " "}, {"account_id": "x"}, {"tier": "gold"}, {"name": "x" * 201}, {"note": "x" * 4001}]
)
async def test_change_refuses_what_cannot_be_set(accounts: Accounts, changes: dict):
    zoe = await an_account(accounts)

    with pytest.raises(ValueError, match=next(iter(changes))):
        await accounts.change(zoe.account_id, changes=changes, contact_points=None, now=NOW)


async def test_an_account_with_an_unreadable_number_is_not_made_at_all(accounts: Accounts):
    with pytest.raises(ValueError, match="no phone number of GB"):
        await an_account(accounts, contact_points=[(ContactKind.PHONE, "020 7946 0018", None), (ContactKind.PHONE, "12", None)])

    assert await names(accounts) == []


async def test_the_same_number_written_twice_is_one_contact_point(accounts: Accounts):
    zoe = await an_account(
        accounts, contact_points=[(ContactKind.PHONE, "020 7946 0018", "desk"), (ContactKind.PHONE, "+442079460018", "mobile")]
    )

    assert [(point.value, point.label) for point in zoe.contact_points] == [("+442079460018", "desk")]


async def test_not_by_part_a_number_is_found_whole_only(accounts: Accounts):
    """For those whose view is masked: nobody finds a number out digit by digit."""
    points = [(ContactKind.PHONE, "020 7946 0018", None), (ContactKind.CUSTOMER_NUMBER, "K-4711", None)]
    await an_account(accounts, name="Zoë Quinn", contact_points=points)
    await an_account(accounts, name="+442079460111", phone="020 7946 0111", provisional=True)

    async def found(**query: str) -> tuple[list[str], list[str]]:
        return await names(accounts, **query), await names(accounts, **query, by_part=False)

    zoe, number = ["Zoë Quinn"], ["+442079460111"]
    assert await found(phone="7946 001") == (zoe, [])
    assert await found(q="946001") == (zoe, [])
    assert await found(q="K-47") == (zoe, [])
    assert await found(q="+44207946011") == (number, [])
    assert await found(phone="020 7946 0018") == (zoe, zoe)
    assert await found(q="020 7946 0018") == (zoe, zoe)
    assert await found(q="K-4711") == (zoe, zoe)
    assert await found(q="quin") == (zoe, zoe)
    assert await found(q="+442079460111") == (number, number)
