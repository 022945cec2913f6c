"""Who has a number, and what agents chose for it, on both databases."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from alembic import command
from sqlalchemy import delete, select, text

from cti_bridge.domain.account import Account, AccountId, ContactKind, Found, MatchReason
from cti_bridge.domain.call import CallId
from cti_bridge.domain.case import Commitments
from cti_bridge.domain.tiers import TierRules
from storage.accounts import Accounts
from storage.database import Database, alembic_config
from storage.identity import MAX_CANDIDATES, Choices
from storage.interactions import Interactions
from storage.merges import Merges
from storage.profiles import Profiles
from storage.schema import accounts as accounts_table
from storage.schema import match_choices
from tests.support.store import NOW, an_account, an_email

NUMBER = "+442079460018"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def choices(database: Database) -> Choices:
    return Choices(database)


async def choose(choices: Choices, account: Account, *, call: str = "main:1.1", minute: int = 0, number: str = NUMBER) -> bool:
    now = NOW + timedelta(minutes=minute)
    return await choices.learn(number, account.account_id, call_id=CallId(call), chosen_by="1002", now=now)


async def found(accounts: Accounts, number: str = NUMBER) -> list[tuple[str, str]]:
    return [(candidate.account.name, candidate.reason.value) for candidate in await accounts.by_phone(number)]


async def test_extensions_are_kept_and_told(accounts: Accounts):
    sales = [(ContactKind.PHONE, "020 7946 0018 ext. 12", "sales"), (ContactKind.PHONE, "+442079460018;ext=13", "billing")]
    acme = await an_account(accounts, "Acme", contact_points=sales)

    (candidate,) = await accounts.by_phone(NUMBER)

    assert await accounts.by_id(acme.account_id) == acme == candidate.account
    assert [(point.value, point.extension) for point in acme.contact_points] == [(NUMBER, "12"), (NUMBER, "13")]
    assert (candidate.reason, candidate.detail.label, candidate.detail.extension) == (MatchReason.SWITCHBOARD, "sales", "12")


async def test_a_company_is_found_by_its_block_below_who_has_the_number(accounts: Accounts):
    await an_account(accounts, "Acme", contact_points=[(ContactKind.PHONE_RANGE, "020 7946 0xxx", "switchboard")])
    await an_account(accounts, "Zoë")

    assert await found(accounts) == [("Zoë", "exact_number"), ("Acme", "switchboard_prefix")]
    assert await found(accounts, "+442079460999") == [("Acme", "switchboard_prefix")]
    assert await found(accounts, "+442079461000") == []


async def test_search_by_a_number_finds_the_company_by_its_block(accounts: Accounts):
    await an_account(accounts, "Acme", contact_points=[(ContactKind.PHONE_RANGE, "020 7946 0xxx", None)])
    await an_account(accounts, "Zoë")

    by_phone = await accounts.search(phone="020 7946 0018", email=None, q=None, cursor=None, limit=9)
    by_text = await accounts.search(phone=None, email=None, q="+44 20 7946 0999", cursor=None, limit=9)

    assert [account.name for account in by_phone.items] == ["Acme", "Zoë"]
    assert [account.name for account in by_text.items] == ["Acme"]


async def test_a_clear_match_beside_its_company_has_its_history_and_the_company_none(accounts: Accounts, database: Database):
    acme = await an_account(accounts, "Acme", contact_points=[(ContactKind.PHONE_RANGE, "020 7946 0xxx", None)])
    zoe = await an_account(accounts)
    for account in (acme, zoe):
        await Interactions(database).add(an_email(account_id=account.account_id), idempotency_key=None)

    candidates = await accounts.by_phone(NUMBER)

    assert [len(candidate.history) for candidate in candidates] == [1, 0]


async def test_of_a_household_the_one_in_touch_last_comes_first(accounts: Accounts, database: Database):
    members = [await an_account(accounts, name) for name in ("Ann", "Ben", "Cat")]
    for minute, member in enumerate(members[:2]):
        await Interactions(database).add(an_email(minute, account_id=member.account_id), idempotency_key=None)

    (first, *_) = candidates = await accounts.by_phone(NUMBER)

    assert [(one.account.name, one.reason.value) for one in candidates] == [
        ("Ben", "recent_contact"),
        ("Ann", "shared_number"),
        ("Cat", "shared_number"),
    ]
    assert (first.detail.last_contact_at, first.detail.shared_by) == (NOW + timedelta(minutes=1), 3)


async def test_a_choice_is_learnt_for_its_number_only(accounts: Accounts, choices: Choices):
    ann, ben = [await an_account(accounts, name, "020 7946 0018", contact_points=TWO_NUMBERS) for name in ("Ann", "Ben")]

    assert await choose(choices, ben)

    (first, second) = await accounts.by_phone(NUMBER)
    assert (first.account, first.reason, first.detail.chosen_by, first.detail.chosen_at) == (
        ben,
        MatchReason.CHOSEN_BEFORE,
        "1002",
        NOW,
    )
    assert (second.account, second.reason) == (ann, MatchReason.SHARED_NUMBER)
    assert await found(accounts, "+442079460019") == [("Ann", "shared_number"), ("Ben", "shared_number")]


TWO_NUMBERS = [(ContactKind.PHONE, "020 7946 0018", None), (ContactKind.PHONE, "020 7946 0019", None)]


async def test_the_newest_choice_counts_and_undoing_it_brings_the_one_before_back(accounts: Accounts, choices: Choices):
    ann, ben = [await an_account(accounts, name) for name in ("Ann", "Ben")]
    await choose(choices, ben, call="main:1.1")
    await choose(choices, ann, call="main:2.1", minute=5)
    assert (await found(accounts))[0] == ("Ann", "chosen_before")

    await choices.forget(CallId("main:2.1"))
    assert (await found(accounts))[0] == ("Ben", "chosen_before")

    await choices.forget(CallId("main:1.1"))
    assert (await found(accounts))[0] == ("Ann", "shared_number")


async def test_choosing_again_in_a_call_replaces_and_learning_again_changes_nothing(
    accounts: Accounts, choices: Choices, database: Database
):
    ann, ben = [await an_account(accounts, name) for name in ("Ann", "Ben")]

    for account in (ann, ben, ben):
        await choose(choices, account)

    assert (await found(accounts))[0] == ("Ben", "chosen_before")
    assert len(await database.fetch(select(match_choices))) == 1


async def test_an_account_without_the_number_is_proposed_for_it_once_chosen_and_no_more_when_that_is_undone(
    accounts: Accounts, choices: Choices
):
    stranger = await an_account(accounts, "Stranger", "020 7946 0199")
    assert await found(accounts) == []

    assert await choose(choices, stranger)

    (candidate,) = await accounts.by_phone(NUMBER)
    assert (candidate.account, candidate.reason, candidate.detail.shared_by) == (stranger, MatchReason.CHOSEN_BEFORE, 0)
    assert (Found(candidates=(candidate,)).clear, candidate.history) == (None, ())  # one word of an agent is no proof
    await an_account(accounts)
    assert await found(accounts) == [("Stranger", "chosen_before"), ("Zoë Quinn", "exact_number")]
    await choices.forget(CallId("main:1.1"))
    assert await found(accounts) == [("Zoë Quinn", "exact_number")]


async def test_only_the_newest_choice_proposes_an_account_without_the_number(accounts: Accounts, choices: Choices):
    one, other = [await an_account(accounts, name, "020 7946 0199") for name in ("One", "Other")]
    await choose(choices, one)
    await choose(choices, other, call="main:2.1", minute=1)

    assert await found(accounts) == [("Other", "chosen_before")]


async def test_an_account_without_any_contact_point_can_be_chosen_and_is_known_by_it(accounts: Accounts, choices: Choices):
    bare = await an_account(accounts, "Bare", contact_points=[])

    assert await choose(choices, bare)

    assert await found(accounts) == [("Bare", "chosen_before")]


async def test_what_is_no_account_is_not_learnt_and_what_was_learnt_in_the_call_goes(
    accounts: Accounts, choices: Choices, database: Database
):
    zoe, double = await an_account(accounts), await an_account(accounts, "Zoe")
    await Merges(database, accounts).merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    await choose(choices, zoe)

    assert not await choose(choices, double)
    assert not await choose(choices, replace(zoe, account_id=AccountId("none")))
    assert await database.fetch(select(match_choices)) == []


async def test_of_a_whole_building_one_without_the_number_that_was_chosen_is_the_first(accounts: Accounts, choices: Choices):
    drafts = [
        accounts.draft(
            name=f"Ward {number}", company=None, tier=None, language=None, note=None,
            contact_points=[(ContactKind.PHONE, f"020 7946 0018 ext. {number}", None)], now=NOW,
        )
        for number in range(MAX_CANDIDATES + 15)
    ]  # fmt: skip
    await accounts.add(drafts)
    visitor = await an_account(accounts, "Visitor", "020 7946 0199")
    await choose(choices, visitor)

    proposed = await found(accounts)

    assert (proposed[0], len(proposed)) == (("Visitor", "chosen_before"), MAX_CANDIDATES)


CUSTOMER = (ContactKind.CUSTOMER_NUMBER, "4711", None)


async def typed(accounts: Accounts, e164: str | None, number: str = "4711") -> list[tuple[str, str, bool]]:
    candidates = await accounts.of_caller(e164, number)
    clear = Found(candidates=candidates).clear
    return [(one.account.name, one.reason.value, clear is one) for one in candidates]


async def test_a_customer_number_that_was_typed_is_found_exactly_and_first(accounts: Accounts, choices: Choices):
    await an_account(accounts, "Typed", contact_points=[(ContactKind.PHONE, "020 7946 0199", None), CUSTOMER])
    mum = await an_account(accounts, "Mum")
    await choose(choices, mum)

    assert await typed(accounts, None) == [("Typed", "customer_number_entered", True)]
    assert await typed(accounts, "+442079460042") == [("Typed", "customer_number_entered", True)]
    assert await typed(accounts, "+442079460199") == [("Typed", "customer_number_entered", True)]
    assert await typed(accounts, NUMBER) == [("Typed", "customer_number_entered", False), ("Mum", "exact_number", False)]
    for near in ("471", "47110", "04711", "4711%", "471_"):
        assert await typed(accounts, None, near) == []
    assert await typed(accounts, NUMBER, "1") == [("Mum", "exact_number", True)]


async def test_one_of_a_household_who_types_the_customer_number_pops_at_once_with_what_was_before(
    accounts: Accounts, database: Database
):
    await an_account(accounts, "Ann")
    ben = await an_account(accounts, "Ben", contact_points=[(ContactKind.PHONE, "020 7946 0018", None), CUSTOMER])
    await Interactions(database).add(an_email(account_id=ben.account_id), idempotency_key=None)

    (first, second) = await accounts.of_caller(NUMBER, "4711")

    assert (first.account, first.detail.entered, len(first.history)) == (ben, "4711", 1)
    assert (second.account.name, second.reason, second.history) == ("Ann", MatchReason.SHARED_NUMBER, ())
    assert first.commitments == Commitments()


async def test_who_ordered_lately_comes_before_who_was_in_touch_last_but_does_not_pop_at_once(
    accounts: Accounts, database: Database
):
    profiles = Profiles(database, accounts, rules=TierRules(), fields={})
    ann, ben = [await an_account(accounts, name) for name in ("Ann", "Ben")]
    await Interactions(database).add(an_email(account_id=ann.account_id), idempotency_key=None)
    await profiles.change(ben.account_id, {"last_order_on": date(2026, 11, 20)}, now=NOW)
    shop = Accounts(database, region="GB", today=lambda: date(2026, 11, 22))

    candidates = await shop.by_phone(NUMBER)

    assert [(one.account.name, one.reason.value) for one in candidates] == [("Ben", "recent_order"), ("Ann", "recent_contact")]
    assert candidates[0].detail.last_order_on == date(2026, 11, 20)
    assert Found(candidates=candidates).clear is None
    later = Accounts(database, region="GB", today=lambda: date(2026, 12, 21))
    assert await found(later) == [("Ann", "recent_contact"), ("Ben", "shared_number")]


async def test_a_company_can_be_learnt_for_a_number_in_its_block(accounts: Accounts, choices: Choices):
    acme = await an_account(accounts, "Acme", contact_points=[(ContactKind.PHONE_RANGE, "020 7946 0xxx", None)])
    await an_account(accounts)

    assert await choose(choices, acme)

    assert await found(accounts) == [("Acme", "chosen_before"), ("Zoë Quinn", "exact_number")]


async def test_a_choice_falls_away_with_its_account(accounts: Accounts, choices: Choices, database: Database):
    (ann, _, _) = [await an_account(accounts, name) for name in ("Ann", "Ben", "Cat")]
    await choose(choices, ann)

    async with database.write() as connection:
        await connection.execute(delete(accounts_table).where(accounts_table.c.account_id == ann.account_id))

    assert await found(accounts) == [("Ben", "shared_number"), ("Cat", "shared_number")]
    assert await database.fetch(select(match_choices)) == []


async def test_a_choice_falls_away_when_the_account_gives_the_number_up(accounts: Accounts, choices: Choices):
    (ann, _, _) = [await an_account(accounts, name) for name in ("Ann", "Ben", "Cat")]
    await choose(choices, ann)

    await accounts.change(ann.account_id, changes={}, contact_points=[], now=NOW)

    assert await found(accounts) == [("Ben", "shared_number"), ("Cat", "shared_number")]


async def test_of_a_whole_building_the_chosen_and_the_latest_are_among_the_candidates(
    accounts: Accounts, choices: Choices, database: Database
):
    drafts = [
        accounts.draft(
            name=f"Ward {number}", company=None, tier=None, language=None, note=None,
            contact_points=[(ContactKind.PHONE, f"020 7946 0018 ext. {number}", None)], now=NOW,
        )
        for number in range(MAX_CANDIDATES + 15)
    ]  # fmt: skip
    await accounts.add(drafts)
    *_, latest, chosen = drafts
    await Interactions(database).add(an_email(account_id=latest.account_id), idempotency_key=None)
    await choose(choices, chosen)

    proposed = await found(accounts)

    assert proposed[:2] == [(chosen.name, "chosen_before"), (latest.name, "recent_contact")]
    assert len(proposed) == MAX_CANDIDATES


async def test_a_provisional_account_is_one_until_it_is_named(accounts: Accounts):
    made = await accounts.create(
        name=NUMBER, company=None, tier=None, language=None, note=None,
        contact_points=[(ContactKind.PHONE, NUMBER, None)], now=NOW, provisional=True,
    )  # fmt: skip
    assert await accounts.by_id(made.account_id) == made
    assert made.provisional

    noted = await accounts.change(made.account_id, changes={"note": "rang twice"}, contact_points=None, now=NOW)
    named = await accounts.change(made.account_id, changes={"name": "Zoë"}, contact_points=None, now=NOW)

    assert (noted and noted.provisional, named and named.provisional) == (True, False)


async def test_the_schema_goes_back_to_the_older_one_and_forth_again(accounts: Accounts, database: Database):
    sales = [(ContactKind.PHONE, "020 7946 0018 ext. 12", None), (ContactKind.PHONE, "020 7946 0018 ext. 13", None)]
    zoe = await an_account(accounts, contact_points=[*sales, (ContactKind.PHONE_RANGE, "020 7946 0xxx", None)])

    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.downgrade(alembic_config(sync), "0001"))
        kept = (await connection.execute(text("SELECT kind, value FROM contact_points"))).all()
    await database.migrate()

    assert kept == [("phone", NUMBER)]
    again = await accounts.by_id(zoe.account_id)
    assert again is not None
    assert [(point.value, point.extension) for point in again.contact_points] == [(NUMBER, None)]
