"""A store as a call centre has it: customers, some of whom called before, agents with sessions that are open."""

import hashlib
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from cti_bridge.domain.user import Role
from storage.database import Database
from storage.schema import new_id

CUSTOMERS = 100_000
CALLERS = 3_000
"""Customers who call in a run; each of them called `PAST_CALLS` times before."""
PAST_CALLS = 3
FIRST_AGENT = 2000
AGENTS = 200

_TIME = "%Y-%m-%d %H:%M:%S.%f"


def number_of(customer: int) -> str:
    """The E.164 number of customer 0 to 999,999."""
    return f"+442079{customer:06d}"


def mobile_of(customer: int) -> str:
    """The second number of those who have one."""
    return f"+447911{customer:06d}"


def callers(customers: int = CUSTOMERS) -> list[int]:
    """The customers who call, spread over the whole store."""
    return [index * (customers // CALLERS) for index in range(CALLERS)]


def agents() -> list[str]:
    return [str(FIRST_AGENT + index) for index in range(AGENTS)]


def token_of(agent: str) -> str:
    """What the agent's browser shows: the session is in the store already."""
    return f"bench-{agent}"


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


async def build(file: Path, *, customers: int = CUSTOMERS, mobiles: int = 0) -> None:
    """Makes the schema as the service does, then fills it in one go; `mobiles` customers have a second number."""
    database = Database(url_of(file))
    try:
        await database.migrate()
    finally:
        await database.close()
    with sqlite3.connect(file, isolation_level=None) as connection:
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-200000"):
            connection.execute(f"PRAGMA {pragma}")  # made for this run only: a crash costs nothing
        connection.execute("BEGIN")
        _fill(connection, datetime.now(UTC), customers, mobiles)
    connection.close()


def _fill(connection: sqlite3.Connection, now: datetime, customers: int, mobiles: int) -> None:
    ids = [new_id() for _ in range(customers)]
    text = now.strftime(_TIME)
    connection.executemany(
        "INSERT INTO accounts (account_id, name, company, tier, language, note, search_name, created_at, updated_at)"
        " VALUES (?, ?, ?, 'gold', 'en', NULL, ?, ?, ?)",
        (
            (id_, f"Customer {n}", f"Company {n % 9_000}", f"customer {n} company {n % 9_000}", text, text)
            for n, id_ in enumerate(ids)
        ),
    )
    connection.executemany(
        "INSERT INTO contact_points (account_id, position, kind, value, as_given, label) VALUES (?, ?, ?, ?, ?, NULL)",
        (row for n, id_ in enumerate(ids) for row in _points(n, id_, has_mobile=n < mobiles)),
    )
    connection.executemany(
        "INSERT INTO interactions (interaction_id, account_id, account_set_by_agent, channel, direction, started_at, ended_at,"
        " agent, queue, outcome, subject, call_id, call)"
        " VALUES (?, ?, 0, 'phone', 'inbound', ?, ?, '2001', 'support', 'answered', 'Invoice', ?, ?)",
        (row for n in callers(customers) for row in _past_calls(n, ids[n], now)),
    )
    connection.executemany(
        "INSERT INTO users (user_id, username, name, role, extension, language, password_hash) VALUES (?, ?, ?, ?, ?, 'en', '-')",
        ((agent, f"agent{agent}", f"Agent {agent}", Role.AGENT.value, agent) for agent in agents()),
    )
    end = (now + timedelta(hours=12)).strftime(_TIME)
    connection.executemany(
        "INSERT INTO sessions (token_hash, user_id, created_at, expires_at, last_seen_at) VALUES (?, ?, ?, ?, ?)",
        ((hashlib.sha256(token_of(agent).encode()).digest(), agent, text, end, text) for agent in agents()),
    )


def _points(customer: int, account_id: str, *, has_mobile: bool) -> Iterator[tuple[str, int, str, str, str]]:
    number = number_of(customer)
    yield account_id, 0, "phone", number, number
    yield account_id, 1, "email", f"c{customer}@example.com", f"c{customer}@example.com"
    if has_mobile:
        yield account_id, 2, "phone", mobile_of(customer), mobile_of(customer)


def _past_calls(customer: int, account_id: str, now: datetime) -> Iterator[tuple[str, ...]]:
    for days in range(1, PAST_CALLS + 1):
        began = now - timedelta(days=days)
        ended = began + timedelta(minutes=4)
        call_id = f"main:past-{customer}-{days}"
        document = {"call_id": call_id, "customer_number": number_of(customer), "queues": ["support"], "answered_by": ["2001"]}
        yield new_id(), account_id, began.strftime(_TIME), ended.strftime(_TIME), call_id, orjson.dumps(document).decode()
