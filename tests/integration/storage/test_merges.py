"""Two records of one customer become one, and are parted again as if nothing had been, on both databases."""

import asyncio
from datetime import date, timedelta

import pytest

from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.call import CallId
from cti_bridge.domain.merge import DuplicateReason, Merge, MergeId, MergeRefused
from cti_bridge.domain.tiers import TierRules
from storage.accounts import Accounts
from storage.database import Database
from storage.identity import Choices
from storage.interactions import Interactions
from storage.merges import Merges
from storage.profiles import Profiles
from storage.recorder import Recorder
from tests.support.store import NOW, a_finished_call, an_account, an_email

LATER = NOW + timedelta(days=1)
PHONE, MOBILE, EMAIL = "020 7946 0018", "07911 123456", "zoe@example.org"


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def interactions(database: Database) -> Interactions:
    return Interactions(database)


@pytest.fixture
def merges(database: Database, accounts: Accounts) -> Merges:
    return Merges(database, accounts)


@pytest.fixture
async def zoe(accounts: Accounts) -> Account:
    points = [(ContactKind.PHONE, PHONE, None), (ContactKind.EMAIL, EMAIL, "work")]
    return await an_account(accounts, name="Zoë Ångström", note="likes tea", contact_points=points)


@pytest.fixture
async def double(accounts: Accounts) -> Account:
    points = [(ContactKind.PHONE, PHONE, None), (ContactKind.PHONE, MOBILE, "mobile")]
    return await an_account(accounts, name="Zoe Angstrom", company="Quinn & Co", note="deaf in one ear", contact_points=points)


async def values(accounts: Accounts, account: Account) -> list[str]:
    found = await accounts.by_id(account.account_id)
    assert found is not None
    return [point.as_given for point in found.contact_points]


async def written(interactions: Interactions, account: Account, subject: str) -> None:
    await interactions.add(an_email(account_id=account.account_id, subject=subject), idempotency_key=None)


async def subjects(interactions: Interactions, account: Account) -> set[str | None]:
    page = await interactions.timeline(account.account_id, cursor=None, limit=50)
    return {interaction.subject for interaction in page.items}


@pytest.mark.parametrize(
    ("own", "theirs", "after"),
    [(None, 20, 20), (20, None, 20), (20, 19, 20), (19, 20, 20)],
    ids=["only the double's", "only its own", "its own is newer", "the double's is newer"],
)
async def test_the_newer_order_counts_and_undoing_the_merge_parts_the_two(
    database: Database, accounts, merges, zoe, double, own: int | None, theirs: int | None, after: int
):
    profiles = Profiles(database, accounts, rules=TierRules(), fields={})
    for account, day in ((zoe, own), (double, theirs)):
        ordered = None if day is None else date(2026, 11, day)
        await profiles.change(account.account_id, {"last_order_on": ordered}, now=NOW)

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=LATER)
    merged = await accounts.by_id(zoe.account_id)
    await merges.undo(merge.merge_id, by="ada", now=LATER)

    assert merged.profile.last_order_on == date(2026, 11, after)
    assert (await accounts.by_id(zoe.account_id)).profile.last_order_on == (own and date(2026, 11, own))


async def test_a_merged_account_brings_its_contact_points_and_contacts(accounts, interactions, merges, zoe, double):
    await written(interactions, zoe, "first")
    await written(interactions, double, "second")

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=LATER)

    kept, husk = await accounts.by_id(zoe.account_id), await accounts.by_id(double.account_id)
    assert kept is not None
    assert husk is not None
    assert [point.as_given for point in kept.contact_points] == [PHONE, EMAIL, MOBILE]
    assert (kept.name, kept.company, kept.note) == ("Zoë Ångström", "Quinn & Co", "likes tea\ndeaf in one ear")
    assert await subjects(interactions, zoe) == {"first", "second"}
    assert (husk.merged_into, husk.contact_points) == (zoe.account_id, ())
    assert await merges.of(zoe.account_id) == await merges.of(double.account_id) == (merge,)


async def test_only_the_kept_account_is_found(accounts, merges, zoe, double):
    await merges.merge(zoe.account_id, double.account_id, by="ada", now=LATER)

    by_mobile = await accounts.by_phone("+447911123456")
    page = await accounts.search(phone=None, email=None, q="angstrom", cursor=None, limit=10)

    assert [candidate.account.account_id for candidate in by_mobile] == [zoe.account_id]
    assert double.account_id not in [account.account_id for account in page.items]


async def test_undoing_gives_back_both_as_they_were(accounts, interactions, merges, zoe, double):
    await written(interactions, zoe, "first")
    await written(interactions, double, "second")
    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)

    undone = await merges.undo(merge.merge_id, by="bo", now=NOW)

    assert await accounts.by_id(zoe.account_id) == zoe
    assert await accounts.by_id(double.account_id) == double
    assert await subjects(interactions, zoe) == {"first"}
    assert await subjects(interactions, double) == {"second"}
    assert (undone.undone_by, undone.undone_at) == ("bo", NOW)


async def test_undoing_leaves_what_came_and_what_people_changed_since(accounts, interactions, merges, zoe, double):
    await written(interactions, double, "before")
    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    await written(interactions, zoe, "since")
    await accounts.change(zoe.account_id, changes={"note": "prefers coffee now"}, contact_points=None, now=LATER)

    await merges.undo(merge.merge_id, by="ada", now=LATER)

    kept = await accounts.by_id(zoe.account_id)
    assert kept is not None
    assert (kept.note, kept.company) == ("prefers coffee now", zoe.company)
    assert await subjects(interactions, zoe) == {"since"}
    assert await subjects(interactions, double) == {"before"}
    assert await values(accounts, zoe) == [PHONE, EMAIL]
    assert await values(accounts, double) == [PHONE, MOBILE]


async def test_a_call_that_ends_after_the_merge_stands_on_the_kept_account(database, interactions, merges, zoe, double):
    await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)

    recorder = Recorder(database)
    writer = asyncio.create_task(recorder.run())
    await recorder.put(a_finished_call(1), double.account_id)
    writer.cancel()

    page = await interactions.timeline(zoe.account_id, cursor=None, limit=10)
    assert [interaction.call_id for interaction in page.items] == [a_finished_call(1).call_id]


async def test_an_agent_who_still_shows_the_double_writes_on_the_kept_account(database, merges, zoe, double):
    await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    call = a_finished_call(1)

    saved = await Recorder(database).set_wrap_up(call.call_id, {"account_id": double.account_id}, call=call, now=NOW)

    assert saved.account_id == zoe.account_id


async def test_merges_in_a_row_are_undone_last_first(accounts, interactions, merges, zoe, double):
    third = await an_account(accounts, name="Z. Angstrom", contact_points=[(ContactKind.PHONE, "020 7946 0077", None)])
    await written(interactions, double, "oldest")
    first = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    second = await merges.merge(third.account_id, zoe.account_id, by="ada", now=LATER)

    husk = await accounts.by_id(double.account_id)
    assert husk is not None
    assert husk.merged_into == third.account_id
    assert await subjects(interactions, third) == {"oldest"}
    with pytest.raises(MergeRefused) as refused:
        await merges.undo(first.merge_id, by="ada", now=LATER)
    assert refused.value.kind == "merged-on"

    await merges.undo(second.merge_id, by="ada", now=LATER)
    await merges.undo(first.merge_id, by="ada", now=LATER)

    assert await subjects(interactions, double) == {"oldest"}
    assert await values(accounts, third) == ["020 7946 0077"]


async def test_what_cannot_be_merged_is_refused_and_nothing_changes(accounts, merges, zoe, double):
    await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)

    async def refusal(kept: str, merged: str) -> str:
        with pytest.raises(MergeRefused) as refused:
            await merges.merge(AccountId(kept), AccountId(merged), by="ada", now=LATER)
        return refused.value.kind

    assert await refusal(zoe.account_id, zoe.account_id) == "same-account"
    assert await refusal(double.account_id, zoe.account_id) == "account-merged"  # a circle
    assert await refusal(zoe.account_id, double.account_id) == "account-merged"  # a second time
    assert await refusal(zoe.account_id, "01900000-0000-7000-8000-000000000000") == "no-such-account"
    assert await values(accounts, zoe) == [PHONE, EMAIL, MOBILE]


async def test_what_cannot_be_undone_is_refused(merges, zoe, double):
    merge: Merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    await merges.undo(merge.merge_id, by="ada", now=LATER)

    for merge_id, kind in ((merge.merge_id, "already-undone"), (MergeId("none"), "no-such-merge")):
        with pytest.raises(MergeRefused) as refused:
            await merges.undo(merge_id, by="ada", now=LATER)
        assert refused.value.kind == kind


async def test_doubles_are_proposed_with_their_reasons_likeliest_first(accounts, merges, zoe, double):
    namesake = await an_account(accounts, name="Zoe ÅNGSTRÖM", contact_points=[])
    written_otherwise = await an_account(accounts, name="Angström, Zoé", contact_points=[])
    mistyped = await an_account(accounts, name="Zoe Angstroem", contact_points=[])
    await an_account(accounts, name="Ann Angstadt", contact_points=[])

    found = await merges.duplicates(zoe.account_id)

    assert [(one.account.account_id, one.reasons) for one in found] == [
        (double.account_id, (DuplicateReason.SAME_NUMBER, DuplicateReason.SAME_SOUND)),
        *sorted(
            [
                (namesake.account_id, (DuplicateReason.SAME_SOUND,)),
                (written_otherwise.account_id, (DuplicateReason.SAME_SOUND,)),
            ],
            reverse=True,
        ),
        (mistyped.account_id, (DuplicateReason.SIMILAR_NAME,)),
    ]


async def test_a_merged_account_is_proposed_no_more(merges, zoe, double):
    await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)

    assert await merges.duplicates(zoe.account_id) == ()
    assert await merges.duplicates(double.account_id) == ()


async def test_what_agents_chose_for_a_number_goes_along_and_comes_back(database, accounts, merges, zoe, double):
    choices = Choices(database)
    learnt = await choices.learn("+442079460018", double.account_id, call_id=CallId("main:1.1"), chosen_by="1001", now=NOW)
    assert learnt

    async def first() -> AccountId:
        return (await accounts.by_phone("+442079460018"))[0].account.account_id

    chosen = await first()
    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    merged = await first()
    await merges.undo(merge.merge_id, by="ada", now=NOW)

    assert (chosen, merged, await first()) == (double.account_id, zoe.account_id, double.account_id)
