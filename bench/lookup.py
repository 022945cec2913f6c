"""Who is calling: account, contact points, the newest contacts and what was promised by number, 1,000,000 customers with
1,300,000 numbers in a SQLite file.

Ours is the store's look-up, candidates ranked, event loop kept free; beside it what a call task asks: number read, deadline
armed, look-up shared. Peers do the same reading: plain sqlite3 on the loop (the floor, which no service may use: a slow disk
would stop everything), plain sqlite3 in a thread, and the ORM as its tutorial shows it.
"""

import asyncio
import gc
import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import registry, relationship, selectinload

from bench import store
from bench.figures import ROUNDS, Figure, Goal, percentile, ratio_of
from cti_bridge.domain.account import Candidate, Found
from cti_bridge.lookup import Lookup
from storage.accounts import BY_PHONE, Accounts
from storage.cases import OPEN_OF, SHOWN
from storage.database import Database
from storage.identity import keys_of
from storage.interactions import NEWEST
from storage.schema import accounts, contact_points, interactions

CUSTOMERS, MOBILES = 1_000_000, 300_000
LOOKUPS_A_ROUND = 500

Ask = Callable[[str], Awaitable[bool]]
"""Looks one number up; True where exactly that customer was found."""


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.db"
        return asyncio.run(_measure(file))


async def _measure(file: Path) -> list[Figure]:
    await store.build(file, customers=CUSTOMERS, mobiles=MOBILES)
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # as the service has it, for every side
    database = Database(store.url_of(file))
    customers = Accounts(database, region="GB")
    lookup = Lookup(customers, "GB", deadline_seconds=10)  # the worst is measured, not cut off
    plain = Plain(file)
    orm = Orm(file)

    async def ours(number: str) -> bool:
        return _is_whole(number, await customers.by_phone(number))

    async def asked(number: str) -> bool:
        match await lookup.by_number(number):
            case Found(candidates=candidates):
                return _is_whole(number, candidates)
            case _:
                return False

    async def on_loop(number: str) -> bool:
        return plain.read(number)

    async def in_thread(number: str) -> bool:
        return await asyncio.to_thread(plain.read, number)

    sides: dict[str, Ask] = {"ours": ours, "asked": asked, "on the loop": on_loop, "in a thread": in_thread, "ORM": orm.read}
    try:
        return _figures(await _in_turns(sides))
    finally:
        await lookup.close()
        await database.close()
        await orm.close()
        plain.close()


def _is_whole(number: str, candidates: Sequence[Candidate]) -> bool:
    """Exactly that customer, with every past call."""
    (candidate,) = candidates
    return candidate.account.contact_points[0].value == number and len(candidate.history) == store.PAST_CALLS


async def _in_turns(sides: dict[str, Ask]) -> dict[str, list[list[float]]]:
    """Microseconds of each look-up, round by round; every side asks for the same numbers, the first pass warms up."""
    choice = random.Random(7)
    results: dict[str, list[list[float]]] = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        keys = [store.number_of(customer) for customer in choice.sample(store.callers(CUSTOMERS), LOOKUPS_A_ROUND)]
        for name in sides if number % 2 == 0 else reversed(sides):
            delays = [await _timed(sides[name], key) for key in keys]
            if number:
                results[name].append(delays)
    return results


async def _timed(ask: Ask, number: str) -> float:
    began = time.perf_counter()
    found = await ask(number)
    taken = (time.perf_counter() - began) * 1e6
    assert found, number
    return taken


def _figures(results: dict[str, list[list[float]]]) -> list[Figure]:
    middle = {name: [median(of_round) for of_round in rounds] for name, rounds in results.items()}
    words = {}
    for name, rounds in results.items():
        everything = [delay for of_round in rounds for delay in of_round]
        words[name] = f"p50 {median(everything):.0f}, p99 {percentile(everything, 99):.0f} us"

    def slower(name: str, peer: str, goal: Goal | None = None, *, ours: str = "ours") -> Figure:
        ratio = ratio_of(middle[ours], middle[name])
        title = "look-up" if ours == "ours" else "look-up with deadline"
        return Figure(name=f"{title} / sqlite3 {name}", ours=words[ours], peer=f"{peer} {words[name]}", ratio=ratio, goal=goal)

    return [
        slower("on the loop", "floor"),
        slower("in a thread", "same hop", Goal(at_most=2)),
        slower("in a thread", "same hop", Goal(at_most=2), ours="asked"),
        Figure(
            name="look-up / ORM",
            ours=words["ours"],
            peer=words["ORM"],
            ratio=ratio_of(middle["ORM"], middle["ours"]),
            goal=Goal(at_least=10),
        ),
    ]


class Plain:
    """sqlite3 and nothing else, with the service's own three statements."""

    def __init__(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, check_same_thread=False, isolation_level=None)

    def read(self, number: str) -> bool:
        rows = self._connection.execute(BY_PHONE.sql, {**BY_PHONE.parameters, **keys_of(number)}).fetchall()
        of_account = {**NEWEST.parameters, "account_id": rows[0][0]}
        contacts = self._connection.execute(NEWEST.sql, of_account).fetchall()
        promised = {**OPEN_OF.parameters, "account_id": rows[0][0], "at_most": SHOWN}
        return len(contacts) == store.PAST_CALLS and not self._connection.execute(OPEN_OF.sql, promised).fetchall()

    def close(self) -> None:
        self._connection.close()


class _Account:
    account_id: str


class _Point:
    pass


class _Contact:
    pass


class Orm:
    """Mapped classes, a session for each look-up, collections loaded with `selectinload`."""

    def __init__(self, file: Path) -> None:
        mapping = registry()
        mapping.map_imperatively(_Point, contact_points)
        mapping.map_imperatively(_Contact, interactions)
        mapping.map_imperatively(
            _Account, accounts, properties={"points": relationship(_Point), "contacts": relationship(_Contact)}
        )
        self._engine = create_async_engine(store.url_of(file))
        self._session = async_sessionmaker(self._engine, class_=AsyncSession)
        self._select = (
            select(_Account)
            .join(contact_points, contact_points.c.account_id == accounts.c.account_id)
            .options(selectinload(_Account.points), selectinload(_Account.contacts))  # type: ignore[attr-defined]
        )

    async def read(self, number: str) -> bool:
        async with self._session() as session:
            wanted = self._select.where(contact_points.c.kind == "phone", contact_points.c.value == number)
            account = (await session.scalars(wanted)).one()
            return len(account.contacts) == store.PAST_CALLS  # type: ignore[attr-defined]

    async def close(self) -> None:
        await self._engine.dispose()
