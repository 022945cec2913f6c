import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import Call, CallId, Outcome, call_document
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.interaction import Interaction
from cti_bridge.domain.listing import InteractionFilter
from cti_bridge.domain.relation import AverageScore
from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource
from cti_bridge.domain.webhook import WebhookEvent
from storage.accounts import Accounts
from storage.database import Database
from storage.interactions import Interactions
from storage.recorder import Recorder
from storage.relations import Relations
from storage.schema import interaction_legs, interactions
from storage.scores import Scores
from storage.webhooks import Deliveries, Outbox
from tests.support.relations import a_score
from tests.support.store import NOW, a_finished_call, an_account


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[Recorder]:
    task = asyncio.create_task(recorder.run())
    try:
        yield recorder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def recorder(database: Database) -> AsyncIterator[Recorder]:
    async with running(Recorder(database)) as recorder:
        yield recorder


@pytest.fixture
async def zoe(database: Database) -> AccountId:
    return (await an_account(Accounts(database, region="GB"))).account_id


async def stored(database: Database, call: Call) -> Interaction:
    interaction = await Interactions(database).by_call(call.call_id)
    assert interaction is not None
    return interaction


async def legs_of(database: Database) -> list[tuple]:
    columns = [column for column in interaction_legs.c if column.name != "interaction_id"]
    return [tuple(row) for row in await database.fetch(select(*columns).order_by(interaction_legs.c.position))]


async def test_a_finished_call_is_one_interaction_with_its_legs(database: Database, recorder: Recorder, zoe: AccountId):
    call = a_finished_call()

    await recorder.put(call, zoe)

    interaction = await stored(database, call)
    assert (interaction.account_id, interaction.agent, interaction.queue, interaction.outcome) == (
        zoe,
        "1002",
        "support",
        "answered",
    )
    assert (interaction.started_at, interaction.ended_at) == (call.started_at, call.ended_at)
    assert interaction.call == call_document(call)
    first, second, talk = *call.offers, call.talks[0]
    assert await legs_of(database) == [
        (0, "offer", "1001", "support", first.rang_at, first.ended_at, "no_answer"),
        (1, "offer", "1002", "support", second.rang_at, second.ended_at, "answered"),
        (2, "talk", "1002", None, talk.started_at, talk.ended_at, None),
    ]


async def test_a_replay_changes_nothing(database: Database, recorder: Recorder, zoe: AccountId):
    call = a_finished_call()
    await recorder.put(call, zoe)
    before = (await stored(database, call), await legs_of(database))

    await recorder.put(call, None)
    await asyncio.gather(recorder.put(call, zoe), recorder.put(call, None), recorder.put(call, zoe))

    assert (await stored(database, call), await legs_of(database)) == before
    assert len(await database.fetch(select(interactions.c.interaction_id))) == 1


async def test_a_later_truth_about_the_same_call_replaces_the_earlier(database: Database, recorder: Recorder):
    call = a_finished_call()
    await recorder.put(call._replace(outcome=Outcome.LOST, talks=()), None)

    await recorder.put(call, None)

    assert (await stored(database, call)).outcome == "answered"
    assert len(await legs_of(database)) == 3


async def test_an_account_found_later_is_added_but_never_replaced(database: Database, recorder: Recorder, zoe: AccountId):
    yan = (await an_account(Accounts(database, region="GB"), "Yan")).account_id
    call = a_finished_call()

    await recorder.put(call, None)
    await recorder.put(call, zoe)
    await recorder.put(call, yan)

    assert (await stored(database, call)).account_id == zoe


async def test_an_account_that_is_gone_does_not_lose_the_call(database: Database, recorder: Recorder):
    call = a_finished_call()

    await recorder.put(call, AccountId("gone"))

    assert (await stored(database, call)).account_id is None


async def test_hostile_caller_names_are_stored_as_text(database: Database, recorder: Recorder):
    call = a_finished_call(customer_name="Robert'); DROP TABLE accounts;--\0\ud83d\u202e", did="80\x0001", queues=("q\0",))

    await recorder.put(call, None)

    interaction = await stored(database, call)
    assert interaction.call is not None
    assert interaction.call["customer_name"] == "Robert'); DROP TABLE accounts;--\ufffd\ufffd\u202e"
    assert interaction.queue == "q\ufffd"


async def test_many_calls_share_commits(database: Database, recorder: Recorder):
    calls = [a_finished_call(number) for number in range(450)]

    await asyncio.gather(*(recorder.put(call, None) for call in calls))

    assert (await database.fetch(select(func.count()).select_from(interactions)))[0][0] == 450
    assert recorder.counters["recorded"] == 450
    assert recorder.counters["commits"] <= 4
    assert recorder.waiting == 0


async def test_agents_filter_finds_every_agent_who_talked(database: Database, recorder: Recorder):
    call = a_finished_call()
    await recorder.put(call._replace(talks=(call.talks[0]._replace(party="1007"), *call.talks)), None)

    for agent, count in (("1002", 1), ("1007", 1), ("1001", 0)):
        page = await Interactions(database).list(InteractionFilter(agent=agent), cursor=None, limit=9)
        assert len(page.items) == count


async def test_wrap_up_saved_before_the_call_ended_is_kept(database: Database, recorder: Recorder, zoe: AccountId):
    call = a_finished_call()

    early = await recorder.set_wrap_up(call.call_id, {"disposition": "sale", "note": "calls back"}, call=None, now=NOW)
    assert (early.outcome, early.disposition, early.account_id) == ("in_progress", "sale", None)
    await recorder.put(call, zoe)

    late = await stored(database, call)
    assert late.interaction_id == early.interaction_id
    assert (late.outcome, late.disposition, late.note) == ("answered", "sale", "calls back")
    assert (late.account_id, late.started_at) == (zoe, call.started_at)


async def test_wrap_up_of_a_known_call_carries_its_facts(database: Database, recorder: Recorder):
    call = a_finished_call(outcome=Outcome.IN_PROGRESS, ended_at=None)

    saved = await recorder.set_wrap_up(call.call_id, {"note": "x"}, call=call, now=NOW)

    assert (saved.started_at, saved.agent, saved.queue, saved.call) == (call.started_at, "1002", "support", call_document(call))


async def test_wrap_up_after_the_end_sets_only_what_is_given(database: Database, recorder: Recorder):
    call = a_finished_call()
    await recorder.put(call, None)
    await recorder.set_wrap_up(call.call_id, {"disposition": "sale"}, call=None, now=NOW)

    await recorder.set_wrap_up(call.call_id, {"note": "paid"}, call=None, now=NOW)

    after = await stored(database, call)
    assert (after.disposition, after.note, after.outcome, after.started_at) == ("sale", "paid", "answered", call.started_at)


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "unlinked"])
async def test_an_account_set_by_the_agent_is_left_alone(database: Database, recorder: Recorder, zoe: AccountId, linked: bool):
    yan = (await an_account(Accounts(database, region="GB"), "Yan")).account_id
    call = a_finished_call()

    await recorder.set_wrap_up(call.call_id, {"account_id": yan if linked else None}, call=None, now=NOW)
    await recorder.put(call, zoe)

    assert (await stored(database, call)).account_id == (yan if linked else None)


async def test_an_account_changed_on_the_interaction_is_left_alone_by_a_replay(
    database: Database, recorder: Recorder, zoe: AccountId
):
    yan = (await an_account(Accounts(database, region="GB"), "Yan")).account_id
    call = a_finished_call()
    await recorder.put(call, zoe)
    await Interactions(database).change((await stored(database, call)).interaction_id, changes={"account_id": yan})

    await recorder.put(call, zoe)

    assert (await stored(database, call)).account_id == yan


async def test_wrap_up_refuses_what_is_not_the_agents(recorder: Recorder):
    for changes, why in (({"outcome": "x"}, "outcome"), ({"account_id": "nobody"}, "no account"), ({"note": 1}, "note")):
        with pytest.raises(ValueError, match=why):
            await recorder.set_wrap_up(CallId("main:1.1"), changes, call=None, now=NOW)


async def test_a_full_buffer_refuses_and_keeps_what_it_has(database: Database):
    recorder = Recorder(database, capacity=2)
    kept = [recorder.put(a_finished_call(number), None) for number in (1, 2)]

    with pytest.raises(StorageError, match="2 calls wait"):
        recorder.put(a_finished_call(3), None)

    async with running(recorder):
        await asyncio.gather(*kept)
    assert recorder.counters["refused"] == 1
    assert recorder.counters["recorded"] == 2


async def test_a_stopped_recorder_says_what_it_did_not_store(database: Database):
    recorder = Recorder(database)
    waiting = recorder.put(a_finished_call(), None)

    task = asyncio.create_task(recorder.run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    with pytest.raises(StorageError, match="stopped before"):
        await waiting


async def test_flush_returns_when_everything_is_on_disk(database: Database, recorder: Recorder):
    await recorder.flush()
    done = [recorder.put(a_finished_call(number), None) for number in range(5)]

    await recorder.flush()

    assert all(future.done() for future in done)


async def test_one_call_that_cannot_be_stored_does_not_hold_up_the_others(database: Database, recorder: Recorder):
    naive = a_finished_call(2, started_at=NOW.replace(tzinfo=None))
    first, bad, last = (recorder.put(call, None) for call in (a_finished_call(1), naive, a_finished_call(3)))

    with pytest.raises(StorageError, match="aware times"):
        await bad
    await asyncio.gather(first, last)

    assert recorder.counters["rejected"] == 1
    assert recorder.counters["recorded"] == 2


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_calls_wait_while_another_process_holds_the_lock(
    database_url: str, database: Database, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """F32: the writes wait, reads go on, nothing is lost."""
    other = sqlite3.connect(make_url(database_url).database or "", isolation_level=None, check_same_thread=False)
    await Interactions(database).list(InteractionFilter(), cursor=None, limit=1)
    retried = asyncio.Event()
    monkeypatch.setattr("storage.recorder.FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr("storage.recorder.log", _Notes(retried))
    monkeypatch.setattr("storage.database.BUSY_TIMEOUT_MS", 1)
    other.execute("BEGIN IMMEDIATE")

    waiting = recorder.put(a_finished_call(), None)
    await retried.wait()

    assert not waiting.done()
    assert await Interactions(database).by_call(a_finished_call().call_id) is None
    other.execute("COMMIT")
    await waiting
    assert await stored(database, a_finished_call())
    other.close()


class _Notes:
    """A log that tells when the store was found away."""

    def __init__(self, retried: asyncio.Event) -> None:
        self._retried = retried

    def warning(self, event: str, **_: object) -> None:
        assert event == "recorder.store_away"
        self._retried.set()


async def test_the_answer_to_a_survey_is_put_on_the_contact_once(database: Database, zoe: AccountId):
    """A replay after a crash puts the call again: what a supervisor made of the score since stays."""
    outbox = Outbox(database=database, asked_for={WebhookEvent.INTERACTION_SCORED: ["crm"]}, now=lambda: NOW)
    call = a_finished_call(survey_score=2)
    agents = a_score(5, source=ScoreSource.AGENT, by="1002", comment=None)
    async with running(Recorder(database, outbox=outbox)) as recorder:
        await recorder.set_wrap_up(call.call_id, {"satisfaction": agents}, call=call, now=NOW)
        await recorder.put(call, zoe)
        surveyed = await stored(database, call)
        mended = a_score(3, by="sue")
        await Scores(database).set(surveyed.interaction_id, mended, by="sue", by_agent=False, now=NOW)
        await recorder.put(call, zoe)
        await recorder.put(a_finished_call(2), zoe)

    assert surveyed.satisfaction == Satisfaction(score=2, source=ScoreSource.SURVEY, by="main", at=call.ended_at)
    assert (await stored(database, call)).satisfaction == mended
    assert (await stored(database, a_finished_call(2))).satisfaction is None
    assert len(await Deliveries(database).due("crm", now=NOW, limit=9)) == 2
    accounts = Accounts(database, region="GB")
    await Relations(database, accounts).refresh_of_call(call.call_id, now=NOW)
    account = await accounts.by_id(zoe)
    assert account.relation.satisfaction == AverageScore(average=3.0, count=1)
