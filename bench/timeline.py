"""One customer's timeline, page by page: does page 1,000 cost what page 1 does, and what the only page of a small account does?

`Interactions.timeline` as the API calls it, on a SQLite file and, where PostgreSQL is installed, on a server of its own. One
account has 50,000 interactions of every channel among as many of others, another has one page of them. The pages are the API's.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from sqlalchemy import insert

from bench import store
from bench.figures import ROUNDS, Figure, Goal, percentile, ratio_of
from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId, call_document
from cti_bridge.domain.interaction import Channel
from storage.accounts import Accounts
from storage.database import Database
from storage.interactions import Interactions
from storage.schema import interactions, new_id
from tests.support.postgres import private_postgres, why_no_postgres
from tests.support.store import NOW, a_finished_call, an_account

PAGE = 50
PAGES = 1000
OTHERS = 100
"""Accounts whose interactions lie between those of the large one."""
ASKED_A_ROUND = 100


def measure() -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        figures = asyncio.run(_measure("SQLite", store.url_of(folder / "bench.db")))
        if why_no_postgres() is None:
            server = stack.enter_context(private_postgres())
            with psycopg.connect(server.replace("+psycopg", "") + "postgres", autocommit=True) as connection:
                connection.execute("CREATE DATABASE bench")
            figures += asyncio.run(_measure("PostgreSQL", server + "bench"))
    return figures


async def _measure(name: str, url: str) -> list[Figure]:
    database = Database(url)
    try:
        await database.migrate()
        large, small = await _fill(database)
        log = Interactions(database)
        cursor = await _last_page_of(log, large)
        sides: dict[str, tuple[AccountId, str | None]] = {
            "first": (large, None),
            "last": (large, cursor),
            "small": (small, None),
        }
        delays: dict[str, list[list[float]]] = {side: [] for side in sides}
        for number in range(ROUNDS + 1):
            for side in sides if number % 2 == 0 else reversed(sides):
                asked = [await _timed(log, *sides[side]) for _ in range(ASKED_A_ROUND)]
                if number:  # the first round warms up
                    delays[side].append(asked)
        return _figures(name, delays)
    finally:
        await database.close()


async def _fill(database: Database) -> tuple[AccountId, AccountId]:
    accounts = Accounts(database, region="GB")
    large, small, *others = [
        (await an_account(accounts, f"Customer {n}", contact_points=[])).account_id for n in range(2 + OTHERS)
    ]
    owners = [owner for pair in zip([large] * OTHERS, others, strict=True) for owner in pair]
    rows = [*_contacts(cycle(owners), 2 * PAGE * PAGES), *_contacts(cycle([small]), PAGE)]
    async with database.write() as connection:
        for start in range(0, len(rows), 5000):
            await connection.execute(insert(interactions), rows[start : start + 5000])
    return large, small


def _contacts(owners: Iterator[AccountId], how_many: int) -> Iterator[dict[str, Any]]:
    """Contacts a minute apart, two of every channel in turn (so of two owners each has all), those by phone with their call."""
    channels = list(Channel)
    for minute in range(how_many):
        at = NOW + timedelta(minutes=minute)
        channel = channels[minute // 2 % len(channels)]
        call = a_finished_call(minute, call_id=CallId(f"main:{new_id()}")) if channel is Channel.PHONE else None
        yield {
            "interaction_id": new_id(),
            "account_id": next(owners),
            "account_set_by_agent": False,
            "channel": channel.value,
            "direction": "inbound",
            "started_at": at,
            "ended_at": at + timedelta(minutes=4),
            "agent": "1002",
            "queue": "support" if call else None,
            "outcome": "answered",
            "subject": None if call else "Invoice",
            "call_id": call.call_id if call else None,
            "call": call_document(call) if call else None,
        }


async def _last_page_of(log: Interactions, account_id: AccountId) -> str | None:
    """The cursor of the thousandth page, found as people find it: page by page."""
    cursor, seen = None, 0
    for _ in range(PAGES - 1):
        page = await log.timeline(account_id, cursor=cursor, limit=PAGE)
        cursor, seen = page.next, seen + len(page.items)
    assert (seen, cursor is None) == ((PAGES - 1) * PAGE, False)
    return cursor


async def _timed(log: Interactions, account_id: AccountId, cursor: str | None) -> float:
    began = time.perf_counter()
    page = await log.timeline(account_id, cursor=cursor, limit=PAGE)
    taken = (time.perf_counter() - began) * 1e3
    assert len(page.items) == PAGE
    return taken


def _figures(name: str, delays: dict[str, list[list[float]]]) -> list[Figure]:
    middle = {side: [median(of_round) for of_round in rounds] for side, rounds in delays.items()}

    def words(side: str) -> str:
        everything = [delay for of_round in delays[side] for delay in of_round]
        return f"p50 {median(everything):.2f}, p99 {percentile(everything, 99):.2f} ms"

    def against(peer: str, title: str) -> Figure:
        ratio = ratio_of(middle["last"], middle[peer])
        return Figure(
            name=f"timeline, {name}: page 1,000 / {title}",
            ours=words("last"),
            peer=words(peer),
            ratio=ratio,
            goal=Goal(at_most=1.5),
        )

    return [against("first", "page 1"), against("small", "an account of 50")]
