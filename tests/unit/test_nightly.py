"""The night's work: done soon after the start and each night, whatever the store says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import insert
from structlog.testing import capture_logs

from config.settings import ChurnSettings, MergingSettings, PbxSettings, RetentionSettings, Settings
from cti_bridge.domain.account import ContactKind
from cti_bridge.nightly import SETTLED_SECONDS, Night, every_night
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.merges import Merges
from storage.relations import Relations
from storage.schema import gaps
from tests.support.virtual_time import run_in_virtual_time

OLD = datetime(2020, 1, 1, tzinfo=UTC)
DAY_SECONDS, LONGEST_DAY_SECONDS = 86_400.0, 90_000.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")
    await database.migrate()
    counts = dict.fromkeys(("rebuilt", "ended_unseen", "appeared", "added", "corrected"), 0)
    gap = {"gap_id": "main:1", "pbx": "main", "cause": "link", "since": OLD, "until": OLD, "queues": [], **counts}
    await database.commit(lambda connection: connection.execute(insert(gaps).values(gap)))
    yield database
    await database.close()


def a_night(database: Database, **sections: Any) -> Night:
    settings = Settings(pbx=(PbxSettings(name="main", username="cti", secret="s3cret"),), **sections)
    accounts = Accounts(database, region="GB")
    return Night(
        settings,
        database,
        accounts=accounts,
        cases=Cases(database),
        merges=Merges(database, accounts),
        relations=Relations(database, accounts, rules=settings.churn.as_rules()),
        hub=Hub(WebMetrics(CollectorRegistry())),
    )


def test_work_is_done_after_the_start_and_each_night() -> None:
    done: list[float] = []

    async def work() -> None:
        done.append(asyncio.get_running_loop().time())

    async def two_days() -> None:
        task = asyncio.create_task(every_night("04:30", work))
        await asyncio.sleep(SETTLED_SECONDS + 2 * DAY_SECONDS + 1)
        assert not task.done()
        task.cancel()

    run_in_virtual_time(two_days())

    assert done[0] == SETTLED_SECONDS
    assert len(done) >= 2
    assert all(0 < later - sooner <= LONGEST_DAY_SECONDS for sooner, later in pairwise(done))


async def test_what_was_kept_long_enough_goes_counted_and_logged(store: Database) -> None:
    night = a_night(store, retention=RetentionSettings(gaps_days=30))

    with capture_logs() as logs:
        await night.let_go()
        await night.let_go()

    assert night.counters == {"gaps": 1}
    assert [(line["event"], line["gaps"]) for line in logs] == [("retention.done", 1), ("retention.done", 0)]


async def test_a_store_that_is_away_ends_the_pass_only(tmp_path: Path) -> None:
    away = Database(f"sqlite+aiosqlite:///{tmp_path}/no/folder/cti.db")
    merging = MergingSettings(same=(ContactKind.EMAIL,))
    night = a_night(away, retention=RetentionSettings(gaps_days=30), merging=merging)

    with capture_logs() as logs:
        await night.let_go()
        await night.merge_doubles()
        await night.judge_relations()

    assert night.counters == {"failed": 1}
    assert [line["event"] for line in logs] == ["retention.failed", "merging.stopped", "churn.not_judged"]
    await away.close()


async def test_only_what_the_settings_want_is_done_at_its_time(store: Database) -> None:
    wanting = a_night(
        store,
        churn=ChurnSettings(nightly_at="01:00"),
        merging=MergingSettings(same=(ContactKind.EMAIL,), nightly_at="02:00"),
        retention=RetentionSettings(gaps_days=30, nightly_at="03:00"),
    )

    assert [at for at, _ in wanting._works()] == ["01:00", "02:00", "03:00"]
    plain = a_night(store)
    assert [work for _, work in plain._works()] == [plain.judge_relations]
