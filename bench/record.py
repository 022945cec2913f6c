"""Finished calls to disk: the recorder's groups against a commit for each call, on the same file, each commit synced (FULL).

Both write the same rows: the interaction with its document and its legs. The peer is plain sqlite3 in one thread, prepared and
warm; the third line is our own recorder when nobody else calls, one commit for each call.
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from statistics import median

import orjson

from bench import store
from bench.figures import ROUNDS, Figure, Goal, ratio_of
from cti_bridge.domain.call import Call, call_document
from storage.database import Database
from storage.recorder import Recorder
from storage.schema import new_id
from tests.support.store import a_finished_call

CALLS_A_ROUND = 1000
ALONE_A_ROUND = 200

_INTERACTION = (
    "INSERT INTO interactions (interaction_id, account_set_by_agent, channel, direction, started_at, ended_at, agent, queue,"
    " outcome, call_id, call) VALUES (?, 0, 'phone', 'inbound', ?, ?, '1002', 'support', 'answered', ?, ?)"
)
_LEG = "INSERT INTO interaction_legs (interaction_id, position, kind, party, started_at) VALUES (?, ?, ?, ?, ?)"


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(Path(folder) / "bench.db"))


async def _measure(file: Path) -> list[Figure]:
    database = Database(store.url_of(file))
    await database.migrate()
    plain = _plain(file)
    recorder = Recorder(database)
    running = asyncio.create_task(recorder.run())
    numbers = count(1)
    rates: dict[str, list[float]] = {"grouped": [], "plain": [], "alone": []}
    try:
        for number in range(ROUNDS + 1):
            rounds = {
                "grouped": await _grouped(recorder, _calls(numbers, CALLS_A_ROUND)),
                "plain": _one_by_one(plain, _calls(numbers, CALLS_A_ROUND)),
                "alone": await _alone(recorder, _calls(numbers, ALONE_A_ROUND)),
            }
            if number:  # the first one warms up
                for name, rate in rounds.items():
                    rates[name].append(rate)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()
        plain.close()
    return [
        Figure(
            name="record / commit each, sqlite3",
            ours=f"{median(rates['grouped']):.0f} calls/s",
            peer=f"{median(rates['plain']):.0f} calls/s",
            ratio=ratio_of(rates["grouped"], rates["plain"]),
        ),
        Figure(
            name="record / commit each, recorder",
            ours=f"{median(rates['grouped']):.0f} calls/s",
            peer=f"{median(rates['alone']):.0f} calls/s",
            ratio=ratio_of(rates["grouped"], rates["alone"]),
            goal=Goal(at_least=8),
        ),
    ]


def _calls(numbers: "count[int]", how_many: int) -> list[Call]:
    return [a_finished_call(next(numbers)) for _ in range(how_many)]


async def _grouped(recorder: Recorder, calls: Sequence[Call]) -> float:
    """All calls end at once; acknowledged each when it is on disk."""
    began = time.perf_counter()
    await asyncio.gather(*(recorder.put(call, None) for call in calls))
    return len(calls) / (time.perf_counter() - began)


async def _alone(recorder: Recorder, calls: Sequence[Call]) -> float:
    began = time.perf_counter()
    for call in calls:
        await recorder.put(call, None)
    return len(calls) / (time.perf_counter() - began)


def _plain(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _one_by_one(connection: sqlite3.Connection, calls: Sequence[Call]) -> float:
    began = time.perf_counter()
    for call in calls:
        id_, start = new_id(), str(call.started_at)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            _INTERACTION, (id_, start, str(call.ended_at), call.call_id, orjson.dumps(call_document(call)).decode())
        )
        parties = [("offer", offer.agent) for offer in call.offers] + [("talk", talk.party) for talk in call.talks]
        for position, (kind, party) in enumerate(parties):
            connection.execute(_LEG, (id_, position, kind, party, start))
        connection.execute("COMMIT")
    return len(calls) / (time.perf_counter() - began)
