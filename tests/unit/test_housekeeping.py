"""What the service does by itself: what was kept long enough goes soon after the start and each night."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert
from structlog.testing import capture_logs

from config.settings import RetentionSettings
from cti_bridge.housekeeping import RetentionKeeper
from storage.database import Database
from storage.schema import gaps

OLD = datetime(2020, 1, 1, tzinfo=UTC)


async def a_store(tmp_path: Path) -> Database:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")
    await database.migrate()
    counts = dict.fromkeys(("rebuilt", "ended_unseen", "appeared", "added", "corrected"), 0)
    gap = {"gap_id": "main:1", "pbx": "main", "cause": "link", "since": OLD, "until": OLD, "queues": [], **counts}
    await database.commit(lambda connection: connection.execute(insert(gaps).values(gap)))
    return database


async def test_a_pass_is_counted_and_logged(tmp_path: Path):
    database = await a_store(tmp_path)
    keeper = RetentionKeeper(RetentionSettings(gaps_days=30), database)

    with capture_logs() as logs:
        await keeper.pass_once()
        await keeper.pass_once()

    assert keeper.counters == {"gaps": 1}
    assert [(line["event"], line["gaps"]) for line in logs] == [("retention.done", 1), ("retention.done", 0)]
    await database.close()


async def test_a_store_that_is_away_ends_the_pass_only(tmp_path: Path):
    keeper = RetentionKeeper(RetentionSettings(gaps_days=30), Database(f"sqlite+aiosqlite:///{tmp_path}/no/folder/cti.db"))

    with capture_logs() as logs:
        await keeper.pass_once()

    assert keeper.counters == {"failed": 1}
    assert [line["event"] for line in logs] == ["retention.failed"]


async def test_where_everything_is_kept_there_is_nothing_to_run(tmp_path: Path):
    async with asyncio.timeout(1):
        await RetentionKeeper(RetentionSettings(), Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")).run()
