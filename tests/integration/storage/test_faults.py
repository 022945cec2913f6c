"""What is acknowledged is on disk; what goes wrong in between is tried again, once stored."""

import asyncio
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from cti_bridge.domain.account import Candidate, Found, MatchReason, TimedOut
from cti_bridge.domain.case import Commitments
from cti_bridge.lookup import Lookup
from storage.accounts import Accounts
from storage.database import READERS, Database
from storage.recorder import Recorder
from storage.schema import accounts, interactions
from tests.support.store import a_finished_call, an_account

ROOT = Path(__file__).parents[3]

RECORD_FOREVER = """
import asyncio, sys
from storage.database import READERS, Database
from storage.recorder import Recorder
from tests.support.store import a_finished_call

async def main():
    recorder = Recorder(Database(sys.argv[1]))
    running = asyncio.create_task(recorder.run())
    async def one(number):
        call = a_finished_call(number)
        await recorder.put(call, None)
        print(call.call_id, flush=True)
    for number in range(0, 1_000_000, 20):
        await asyncio.gather(*(one(n) for n in range(number, number + 20)))

asyncio.run(main())
"""

SLOW = text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000) SELECT count(*) FROM n")


async def test_every_acknowledged_call_survives_kill_9(database_url: str, database: Database):
    process = subprocess.Popen([sys.executable, "-c", RECORD_FOREVER, database_url], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    acknowledged = {process.stdout.readline().strip() for _ in range(200)}
    process.kill()
    acknowledged |= {line.strip() for line in process.stdout if line.endswith("\n")}
    process.stdout.close()
    process.wait()

    stored = {row.call_id for row in await database.fetch(select(interactions.c.call_id))}

    assert len(acknowledged) >= 200
    assert acknowledged - stored == set()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_calls_are_stored_once_though_the_server_cut_the_writer(database_url: str, database: Database):
    """F35: the commit is unknown, the retry is harmless."""
    recorder = Recorder(database)
    running = asyncio.create_task(recorder.run())
    await recorder.put(a_finished_call(1), None)
    url = make_url(database_url)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database])

    await asyncio.gather(*(recorder.put(a_finished_call(number), None) for number in (1, 2)))

    assert recorder.counters["retries"] == 1
    assert len(await database.fetch(select(interactions.c.call_id))) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_read_given_up_half_way_leaves_the_pool_whole(database: Database):
    for _ in range(5):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(database.fetch(SLOW), 0.01)

    rows = await asyncio.gather(*(database.fetch(select(accounts)) for _ in range(8)))

    assert rows == [[]] * 8


async def test_reports_do_not_delay_a_look_up(database: Database):
    """F42: with every connection for reports taken and more waiting, a caller is still found."""
    store = Accounts(database, region="GB")
    zoe = await an_account(store)
    reports = [asyncio.create_task(database.fetch(SLOW)) for _ in range(READERS * 2)]
    await asyncio.sleep(0)

    match = Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER, commitments=Commitments())
    assert await store.by_phone("+442079460018") == (match,)

    assert not reports[-1].done()
    await asyncio.gather(*reports)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_locked_table_delays_the_answer_not_the_pop(database_url: str, database: Database):
    """F33: the look-up says in time that it has no answer yet, and gives it later."""
    store = Accounts(database, region="GB")
    zoe = await an_account(store)
    lookup = Lookup(store, "GB", deadline_seconds=0.02)
    url = make_url(database_url)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname=url.database) as other:
        other.execute("LOCK TABLE accounts")
        assert await lookup.by_number("020 7946 0018") == TimedOut()
        late = asyncio.create_task(lookup.late("020 7946 0018"))

    match = Candidate(account=zoe, reason=MatchReason.EXACT_NUMBER, commitments=Commitments())
    assert await late == Found(candidates=(match,))
