from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId, Extension
from cti_bridge.domain.interaction import Channel, InteractionId
from cti_bridge.domain.listing import InteractionFilter
from storage.accounts import Accounts
from storage.database import Database
from storage.interactions import Interactions
from tests.support.store import NOW, an_account, an_email


@pytest.fixture
def interactions(database: Database) -> Interactions:
    return Interactions(database)


@pytest.fixture
async def zoe(database: Database) -> AccountId:
    return (await an_account(Accounts(database, region="GB"))).account_id


async def test_added_interaction_reads_back_whole(interactions: Interactions, zoe: AccountId):
    email = an_email(account_id=zoe, call={"name": "a\0b\ud800", "list": [1, None, "x\0"]}, note="grüße")

    added = await interactions.add(email, idempotency_key=None)

    assert added.call == {"name": "a\ufffdb\ufffd", "list": [1, None, "x\ufffd"]}
    assert added.note == "grüße"
    assert await interactions.by_id(email.interaction_id) == added


async def test_the_same_key_gives_the_first_answer_again(interactions: Interactions):
    first = await interactions.add(an_email(subject="first"), idempotency_key="k")

    again = await interactions.add(an_email(subject="second"), idempotency_key="k")

    assert again == first
    assert len((await interactions.list(InteractionFilter(), cursor=None, limit=9)).items) == 1


async def test_an_interaction_on_no_account_we_know_is_refused(interactions: Interactions):
    with pytest.raises(ValueError, match="no account"):
        await interactions.add(an_email(account_id=AccountId("nobody")), idempotency_key=None)


async def test_timeline_is_newest_first_and_pages_without_gap_at_equal_times(interactions: Interactions, zoe: AccountId):
    for minute in (0, 1, 1, 1, 2):
        await interactions.add(an_email(minute, account_id=zoe), idempotency_key=None)
    await interactions.add(an_email(3), idempotency_key=None)

    pages, cursor = [], None
    while True:
        page = await interactions.timeline(zoe, cursor=cursor, limit=2)
        pages.append(page.items)
        if (cursor := page.next) is None:
            break

    rows = [interaction for items in pages for interaction in items]
    assert [len(items) for items in pages] == [2, 2, 1]
    assert [row.started_at for row in rows] == [NOW + timedelta(minutes=minute) for minute in (2, 1, 1, 1, 0)]
    assert len({row.interaction_id for row in rows}) == 5


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_page_of_a_timeline_is_one_walk_along_its_index(database: Database, interactions: Interactions, zoe: AccountId):
    """Flat in cost: the page's first row is found by the index and nothing is sorted."""
    for minute in range(3):
        await interactions.add(an_email(minute, account_id=zoe), idempotency_key=None)
    seen: list[tuple[str, Any]] = []
    event.listen(
        database._reader.sync_engine, "before_cursor_execute", lambda *arguments: seen.append((arguments[2], arguments[3]))
    )

    first = await interactions.timeline(zoe, cursor=None, limit=1)
    await interactions.timeline(zoe, cursor=first.next, limit=1)

    async with database._reader.connect() as connection:
        for statement, parameters in tuple(seen):
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
            assert [step[3].partition("(")[0] for step in plan] == [
                "SEARCH interactions USING INDEX ix_interactions_account_id_started_at_interaction_id "
            ]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (InteractionFilter(), ["late", "mid", "early"]),
        (InteractionFilter(since=NOW + timedelta(minutes=1)), ["late", "mid"]),
        (InteractionFilter(until=NOW + timedelta(minutes=1)), ["early"]),
        (InteractionFilter(agent="1001"), ["late"]),
        (InteractionFilter(queue="support"), ["mid"]),
        (InteractionFilter(channel="letter"), ["early"]),
        (InteractionFilter(outcome="answered"), ["mid"]),
        (InteractionFilter(outcome="answered", agent="1001"), []),
        (InteractionFilter(account=AccountId("nobody")), []),
        (InteractionFilter(queue="x' OR 1=1 --\0"), []),
    ],
)
async def test_filters_hold_together(interactions: Interactions, wanted: InteractionFilter, expected: list[str]):
    await interactions.add(an_email(0, subject="early", channel=Channel.LETTER), idempotency_key=None)
    await interactions.add(an_email(1, subject="mid", queue="support", outcome="answered"), idempotency_key=None)
    await interactions.add(an_email(2, subject="late", agent=Extension("1001")), idempotency_key=None)

    assert [row.subject for row in (await interactions.list(wanted, cursor=None, limit=9)).items] == expected


async def test_change_sets_only_the_keys_given(interactions: Interactions, zoe: AccountId):
    email = await interactions.add(an_email(note="kept"), idempotency_key=None)

    changed = await interactions.change(email.interaction_id, changes={"disposition": "solved", "account_id": zoe})

    assert changed is not None
    assert (changed.disposition, changed.note, changed.account_id) == ("solved", "kept", zoe)
    assert await interactions.by_id(email.interaction_id) == changed


async def test_change_refuses_other_keys_and_unknown_accounts(interactions: Interactions):
    email = await interactions.add(an_email(), idempotency_key=None)

    with pytest.raises(ValueError, match="outcome"):
        await interactions.change(email.interaction_id, changes={"outcome": "answered"})
    with pytest.raises(ValueError, match="note is longer"):
        await interactions.change(email.interaction_id, changes={"note": "x" * 20_001})
    with pytest.raises(ValueError, match="no account"):
        await interactions.change(email.interaction_id, changes={"account_id": "nobody"})
    assert await interactions.by_id(email.interaction_id) == email


async def test_what_is_not_there_is_none(interactions: Interactions):
    assert await interactions.by_id(InteractionId("none")) is None
    assert await interactions.by_call(CallId("none")) is None
    assert await interactions.change(InteractionId("none"), changes={"note": "x"}) is None


@pytest.mark.parametrize("cursor", ["", "x", "é", "bm90anNvbg", "WzEsMl0", "W10", "a" * 3000, "WyIyMDI2LTExLTIyIiwgIngiXQ"])
async def test_a_cursor_not_ours_is_refused(interactions: Interactions, cursor: str):
    with pytest.raises(ValueError, match=r"cursor|isoformat"):
        await interactions.list(InteractionFilter(), cursor=cursor, limit=9)
