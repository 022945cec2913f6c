"""One customer's data handed out and erased, on both databases: nothing of a canary is left in any column of any table."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from cti_bridge.domain.account import Account, AccountId, ContactKind, Tier
from cti_bridge.domain.audit import PutCall
from cti_bridge.domain.call import CallId, Direction, Transfer, TransferType
from cti_bridge.domain.case import CaseKind
from cti_bridge.domain.churn import ChurnRules
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.person import PersonRefused
from cti_bridge.domain.recorded_call import RecordSource
from cti_bridge.domain.tiers import TierRules
from cti_bridge.domain.webhook import WebhookEvent
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.audits import Audits
from storage.cases import Cases
from storage.database import Database
from storage.identity import Choices
from storage.interactions import Interactions
from storage.merges import Merges
from storage.persons import Persons, _erase
from storage.profiles import Profiles
from storage.recorder import Recorder
from storage.relations import Relations
from storage.schema import interaction_legs, interactions, metadata
from storage.webhooks import Outbox
from tests.support.relations import a_score
from tests.support.store import NOW, a_finished_call, an_account, an_email

NUMBER, AS_SHOWN = "+442079460777", "02079460777"
CANARIES = ("canary", "2079460777", "7700900777")
"""Whatever tells of the customer of these tests holds one of them."""
TRANSFERS = (Transfer(type=TransferType.BLIND, from_agent="1002", to=AS_SHOWN, at=NOW),)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def persons(database: Database, accounts: Accounts) -> Persons:
    return Persons(database, accounts)


@pytest.fixture
def outbox(database: Database) -> Outbox:
    """One webhook that is told of everything, and whose target has taken nothing yet."""
    return Outbox(database=database, asked_for={event: ["crm"] for event in WebhookEvent})


@pytest.fixture
async def recorder(database: Database, outbox: Outbox) -> AsyncIterator[Recorder]:
    recorder = Recorder(database, outbox=outbox)
    running = asyncio.create_task(recorder.run())
    yield recorder
    running.cancel()


def a_canarys_call(number: int, **changes):
    return a_finished_call(number, customer_number=NUMBER, presented_number=AS_SHOWN, customer_name="Canary", **changes)


@pytest.fixture
async def canary(database: Database, accounts: Accounts, recorder: Recorder, outbox: Outbox) -> Account:
    """A customer with everything a customer can have: a double merged in, a merge undone, calls, contacts, cases, choices."""
    phones = [(ContactKind.PHONE, AS_SHOWN, "canary's desk"), (ContactKind.EMAIL, "canary@example.org", None)]
    one = await an_account(accounts, name="Canary Quill", company="Canary & Sons", note="canary note", contact_points=phones)
    mobile = [(ContactKind.PHONE, "07700 900777", None)]
    double = await an_account(accounts, name="C. Canary", note="canary too", contact_points=mobile)
    wrong = await an_account(accounts, name="Someone", phone="020 7946 0111")
    merges, interactions_, choices = Merges(database, accounts, outbox), Interactions(database), Choices(database)
    profiles = Profiles(database, accounts, rules=TierRules(), fields={})
    await profiles.change(one.account_id, {"preferences": "canary seeds", "taboos": "canary cats"}, now=NOW)
    await profiles.set_tier(one.account_id, Tier.GOLD, by="sue", now=NOW)

    mistaken = await merges.merge(wrong.account_id, one.account_id, by="ada", now=NOW)
    await merges.undo(mistaken.merge_id, by="ada", now=NOW)
    mail = an_email(account_id=double.account_id, note="canary mail", satisfaction=a_score(comment="canary is cross"))
    await interactions_.add(mail, idempotency_key="canary-1")
    await merges.merge(one.account_id, double.account_id, by="ada", now=NOW)

    await recorder.put(a_canarys_call(1, transfers=TRANSFERS), one.account_id)
    await recorder.put(a_canarys_call(2, did=NUMBER, direction=Direction.OUTBOUND), None)
    await recorder.put(a_canarys_call(3), wrong.account_id)
    for number in (1, 2):
        call_id = CallId(f"main:1795314829.{number}")
        await recorder.set_wrap_up(call_id, {"note": "canary sang", "disposition": "canary"}, call=None, now=NOW)
    await choices.learn(NUMBER, one.account_id, call_id=CallId("main:1795314829.1"), chosen_by="1002", now=NOW)
    await Cases(database, outbox).open(one.account_id, kind=CaseKind.COMPLAINT, subject="canary is ill", by="ada", now=NOW)
    rules = ChurnRules(complaints_at_least=1)
    await Relations(database, accounts, rules=rules, outbox=outbox).refresh([one.account_id], now=NOW)
    found = await accounts.by_id(one.account_id)
    assert found is not None
    return found


async def traces(database: Database) -> list[str]:
    """Every column of every table that holds a canary, also as part of a document."""
    found = []
    for table in metadata.sorted_tables:
        for row in await database.fetch(select(table)):
            cells = {name: json.dumps(value, default=str, ensure_ascii=False) for name, value in row._mapping.items()}
            found += [f"{table.name}.{name}" for name, cell in cells.items() if any(one in cell.lower() for one in CANARIES)]
    return sorted(set(found))


async def test_nothing_of_an_erased_customer_is_left(database: Database, persons: Persons, canary: Account):
    before = await traces(database)

    erased = await persons.erase(canary.account_id, by="root", now=NOW)

    assert {name.partition(".")[0] for name in before} >= {
        "accounts", "contact_points", "merges", "interactions", "cases", "match_choices", "webhook_deliveries",
    }  # fmt: skip
    assert await traces(database) == []
    assert (erased.accounts, erased.interactions, erased.cases) == (2, 2, 1)


async def test_a_customer_is_known_by_what_the_pbx_said(accounts: Accounts, persons: Persons, canary: Account):
    """The journal is searched for these. A number that another account has too counts in the customer's own calls only."""
    await an_account(accounts, name="Bo", phone="07700 900777")

    traces = await persons.traces(canary.account_id)

    assert (traces.numbers, traces.shown) == ({NUMBER}, {"+447700900777", AS_SHOWN})
    assert traces.names == {"Canary Quill", "C. Canary", "Canary"}
    assert traces.calls == {f"main:1795314829.{number}" for number in (1, 2, 3)}


async def test_no_file_of_sqlite_holds_an_erased_customer(
    database: Database, database_url: str, persons: Persons, canary: Account, tmp_path: Path
):
    if database.dialect == "postgresql":
        pytest.skip("the server's own files are not ours to read")

    await persons.erase(canary.account_id, by="root", now=NOW)
    await database.close()

    files = {file.name: file.read_bytes().lower() for file in tmp_path.glob("cti.db*")}
    assert {(name, one) for name, body in files.items() for one in CANARIES if one.encode() in body} == set()


async def test_the_contacts_stay_as_figures(database: Database, persons: Persons, canary: Account):
    await persons.erase(canary.account_id, by="root", now=NOW)

    calls = await database.fetch(select(interactions).where(interactions.c.call_id == "main:1795314829.1"))
    legs = await database.fetch(select(interaction_legs))
    call = calls[0]
    assert (call.account_id, call.queue, call.agent, call.outcome) == (None, "support", "1002", "answered")
    assert (call.note, call.subject, call.disposition, call.erased_at) == (None, None, None, NOW)
    assert (call.call["talk_s"], call.call["queues"], call.call["customer_number"]) == (31.0, ["support"], None)
    assert call.call["transfers"] == [{"type": "blind", "from": "1002", "to": ""}]
    assert len(legs) == 9
    (mail,) = await database.fetch(select(interactions).where(interactions.c.channel == "email"))
    assert (mail.score, mail.score_source, mail.score_comment) == (4, "survey", None)
    assert {leg.party for leg in legs} == {"1001", "1002"}


async def test_others_keep_what_is_theirs(database, accounts, persons, recorder, canary):
    """A number of a household tells of its other people too: their calls keep it."""
    other = await an_account(accounts, name="Bo Quill", phone=AS_SHOWN, note="the same household")
    bos_call = a_finished_call(9, customer_number=NUMBER, presented_number=AS_SHOWN, customer_name="Bo")
    await recorder.put(bos_call, other.account_id)

    await persons.erase(canary.account_id, by="root", now=NOW)

    assert await accounts.by_id(other.account_id) == other
    (row,) = await database.fetch(select(interactions).where(interactions.c.call_id == bos_call.call_id))
    assert (row.account_id, row.call["customer_number"], row.erased_at) == (other.account_id, NUMBER, None)
    wrong = await database.fetch(select(interactions).where(interactions.c.call_id == "main:1795314829.3"))
    assert wrong[0].account_id is not None


async def test_what_is_written_down_names_nobody(database: Database, persons: Persons, canary: Account):
    await persons.erase(canary.account_id, by="root", now=NOW)

    log = AuditLog(database)
    newest = (await log.list(cursor=None, limit=1)).items[0]
    assert (newest.action, newest.actor, newest.subject) == ("person.erased", "root", canary.account_id)
    assert newest.detail == {"accounts": 2, "interactions": 2, "cases": 1, "journal": 0}
    assert (await log.verify()).broken is None


async def test_a_record_that_comes_later_brings_nothing_back(
    database: Database, persons: Persons, recorder: Recorder, canary: Account
):
    """A replay of the journal, and a call that was going on meanwhile."""
    await persons.erase(canary.account_id, by="root", now=NOW)

    await recorder.put(a_canarys_call(1, transfers=TRANSFERS), canary.account_id)
    await Audits(database).mend([PutCall(call=a_canarys_call(1), source=RecordSource.CEL)])
    await recorder.put(a_finished_call(8, customer_number=None, presented_number=None), canary.account_id)

    assert await traces(database) == []
    rows = await database.fetch(select(interactions.c.account_id).where(interactions.c.account_id == canary.account_id))
    assert rows == []
    stored = await Audits(database).by_call_ids([CallId("main:1795314829.1")])
    assert [one.is_erased for one in stored] == [True]


async def test_a_call_that_is_recorded_meanwhile_is_not_lost(
    database: Database, persons: Persons, recorder: Recorder, canary: Account
):
    """SQLite writes one after the other; on PostgreSQL the recorder must not see an account that is about to go."""
    if database.dialect == "sqlite":
        pytest.skip("one writer at a time")
    waiting = select(func.count()).select_from(text("pg_locks")).where(text("NOT granted"))
    async with database.write() as connection:
        await connection.run_sync(lambda sync: _erase(sync, canary.account_id, (), (), "root", NOW))
        recorded = recorder.put(a_finished_call(7), canary.account_id)
        async with asyncio.timeout(10):
            while not (await database.fetch(waiting))[0][0]:  # noqa: ASYNC110 (the server tells nobody)
                await asyncio.sleep(0.01)

    await recorded

    rows = await database.fetch(select(interactions.c.account_id).where(interactions.c.call_id == "main:1795314829.7"))
    assert [row.account_id for row in rows] == [None]


async def test_nobody_is_half_erased(database: Database, persons: Persons, canary: Account):
    """The row of the audit log is the last step: where it cannot be written, nothing is erased."""
    before = await traces(database)
    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE audit_log RENAME TO hidden"))

    with pytest.raises(StorageError):
        await persons.erase(canary.account_id, by="root", now=NOW)

    async with database.write() as connection:
        await connection.execute(text("ALTER TABLE hidden RENAME TO audit_log"))
    assert await traces(database) == before


async def test_a_husk_and_a_stranger_are_told(
    database: Database, accounts: Accounts, persons: Persons, canary: Account, tmp_path
):
    husk = next(
        AccountId(row.account_id)
        for row in await database.fetch(text("SELECT account_id FROM accounts WHERE merged_into IS NOT NULL"))
    )
    for account_id, kind in ((husk, "account-merged"), (AccountId("nobody"), "no-such-account")):
        with pytest.raises(PersonRefused) as refused:
            await persons.erase(account_id, by="root", now=NOW)
        assert refused.value.kind == kind
        with pytest.raises(PersonRefused):
            await persons.export(account_id, tmp_path / "out.json", by="root", now=NOW)
    assert not (tmp_path / "out.json").exists()


async def test_the_export_holds_everything_of_the_customer(database: Database, persons: Persons, canary: Account, tmp_path: Path):
    await an_email_of_another(database)
    file = tmp_path / "person.json"

    count = await persons.export(canary.account_id, file, by="root", now=NOW)

    told = json.loads(file.read_bytes())
    assert count == len(told["interactions"]) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one["name"] for one in told["accounts"]] == ["Canary Quill", "C. Canary"]
    assert told["accounts"][0]["profile"]["taboos"] == "canary cats"
    assert [one["subject"] for one in told["cases"]] == ["canary is ill"]
    assert [one["tier_after"] for one in told["tier_changes"]] == ["gold"]
    assert [one["number"] for one in told["choices"]] == [NUMBER]
    assert len(told["merges"]) == 2
    by_channel = {one["channel"]: one for one in told["interactions"]}
    assert by_channel["email"]["note"] == "canary mail"
    assert by_channel["email"]["satisfaction"]["comment"] == "canary is cross"
    assert told["accounts"][0]["relation"]["satisfaction"] == {"average": 4.0, "count": 1}
    assert [one["sign"] for one in told["accounts"][0]["relation"]["churn_signs"]] == ["repeated_complaints"]
    assert [leg["party"] for leg in by_channel["phone"]["legs"]] == ["1001", "1002", "1002"]
    assert "theirs" not in file.read_text()


async def test_an_export_is_written_down_and_writes_over_nothing(
    database: Database, persons: Persons, canary: Account, tmp_path: Path
):
    file = tmp_path / "person.json"
    file.write_text("kept")

    with pytest.raises(FileExistsError):
        await persons.export(canary.account_id, file, by="root", now=NOW)

    assert file.read_text() == "kept"
    newest = (await AuditLog(database).list(cursor=None, limit=1)).items[0]
    assert (newest.action, newest.subject, newest.actor) == ("person.exported", canary.account_id, "root")


async def an_email_of_another(database: Database) -> None:
    other = await an_account(Accounts(database, region="GB"), name="Other", phone="020 7946 0222")
    await Interactions(database).add(an_email(account_id=other.account_id, note="theirs"), idempotency_key=None)
