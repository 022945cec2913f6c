import asyncio
import threading
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url

from cti_bridge.domain.errors import StorageError
from storage.database import URGENT_READERS, Database, head_revision
from storage.schema import accounts, metadata, users
from tests.support.store import NOW

ACCOUNT = {"account_id": "a", "name": "Zoë", "search_name": "zoë", "created_at": NOW, "updated_at": NOW}


async def test_migrations_make_exactly_the_tables_of_the_schema(database: Database):
    async with database.write() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync, opts={"compare_type": True}), metadata)
        )

    assert differences == []


async def test_migrating_again_keeps_everything(database: Database):
    async with database.write() as connection:
        await connection.execute(insert(accounts).values(ACCOUNT))

    await database.migrate()

    await database.check_schema()
    assert [row.name for row in await database.fetch(select(accounts))] == ["Zoë"]


async def test_two_processes_migrating_at_once_do_it_once(database_url: str):
    both = (Database(database_url), Database(database_url))

    await asyncio.gather(*(database.migrate() for database in both))

    for database in both:
        await database.check_schema()
        await database.close()


async def test_an_empty_database_is_told_from_a_ready_one(database_url: str):
    database = Database(database_url)

    with pytest.raises(StorageError, match=r"the database is empty, this version needs .*cti-bridge migrate"):
        await database.check_schema()

    await database.close()


async def test_a_newer_schema_is_refused_and_left_alone(database: Database):
    async with database.write() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for attempt in (database.check_schema, database.migrate):
        with pytest.raises(StorageError, match="schema 9999, which this version does not know"):
            await attempt()
    assert await database.fetch(text("SELECT version_num FROM alembic_version")) == [("9999",)]


async def test_a_migration_that_fails_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch):
    database = Database(database_url)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE sessions (in_the_way INTEGER)"))

    with pytest.raises(StorageError, match="sessions"):
        await database.migrate()

    async with database.write() as connection:
        await connection.execute(text("DROP TABLE sessions"))
    await database.migrate()
    await database.check_schema()
    await database.close()


async def add_twice(database: Database) -> None:
    values = {"user_id": "u", "username": "zoe", "name": "Zoë", "role": "agent", "password_hash": "$argon2id$secret"}
    async with database.write() as connection:
        await connection.execute(insert(users).values(values))
        await connection.execute(insert(users).values(values))


async def test_a_failed_block_is_rolled_back_whole(database: Database):
    with pytest.raises(StorageError):
        await add_twice(database)

    assert await database.fetch(select(users)) == []


async def test_readers_see_the_last_commit_while_a_write_is_under_way(database: Database):
    async with database.write() as connection:
        await connection.execute(insert(accounts).values(ACCOUNT))
        assert await database.fetch(select(accounts)) == []

    assert len(await database.fetch(select(accounts))) == 1


async def test_reading_cannot_write(database: Database):
    with pytest.raises(StorageError, match=r"readonly|read-only"):
        await database.fetch(insert(accounts).values(ACCOUNT).returning(accounts.c.name))


async def test_an_urgent_read_that_fails_leaves_the_next_one_a_sound_connection(database: Database):
    for _ in range(5):
        with pytest.raises(StorageError, match="nowhere"):
            await database.fetch_urgent(lambda connection: connection.execute(text("SELECT * FROM nowhere")).all())

    assert await database.fetch_urgent(lambda connection: connection.execute(select(accounts)).all()) == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_work_that_nobody_waits_for_any_more_is_not_begun(database: Database):
    gate, begun = threading.Event(), []
    under_way = [asyncio.ensure_future(database.fetch_urgent(lambda _: gate.wait())) for _ in range(URGENT_READERS)]
    given_up, awaited = (asyncio.ensure_future(database.fetch_urgent(lambda _, name=name: begun.append(name))) for name in "ab")

    given_up.cancel()
    gate.set()
    await asyncio.gather(*under_way, awaited)

    assert begun == ["b"]


async def test_an_error_never_tells_the_values(database: Database):
    with pytest.raises(StorageError) as caught:
        await add_twice(database)

    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.__cause__)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_sqlite_is_durable_and_lets_readers_in(database: Database):
    async with database.write() as connection:
        pragmas = {
            name: (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_read_survives_the_servers_loss_of_its_connections(database_url: str, database: Database):
    await asyncio.gather(*(database.fetch(select(accounts)) for _ in range(4)))
    url = make_url(database_url)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])

    assert await database.fetch(select(accounts)) == []


async def test_a_server_that_is_away_is_a_storage_error():
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    with pytest.raises(StorageError, match="the store failed"):
        await database.fetch(text("SELECT 1"))
    await database.close()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path):
    (tmp_path / "cti.db").write_bytes(b"not a database" * 100)
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")

    with pytest.raises(StorageError, match="file is not a database"):
        await database.migrate()
    await database.close()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
def test_a_store_that_forgets_is_refused(url: str):
    with pytest.raises(StorageError, match="needs a file"):
        Database(url)


def test_head_is_the_newest_file_of_the_migrations():
    newest = max(path.name for path in (Path(__file__).parents[3] / "storage/migrations/versions").glob("*.py"))

    assert newest.startswith(head_revision())
