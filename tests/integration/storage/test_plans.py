"""Lists stay quick however large the store is: SQLite walks along an index and stops at the page's end, it reads no table and
sorts nothing. (PostgreSQL chooses by what it has counted, which a test's few rows do not tell.)
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import event

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.case import CaseFilter
from cti_bridge.domain.listing import InteractionFilter
from storage.accounts import Accounts
from storage.cases import Cases
from storage.database import Database
from storage.interactions import Interactions
from tests.support.store import NOW

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ZOE = AccountId("zoe")


async def plan_of(database: Database, ask: Callable[[], Awaitable[Any]], *, nth: int = 0) -> list[str]:
    """The steps of the first (or `nth`, from 0) statement that `ask` brings to the store."""
    seen: list[tuple[str, Any]] = []
    event.listen(database._reader.sync_engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
    await ask()
    statement, parameters = seen[nth]
    async with database._reader.connect() as connection:
        rows = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
    return [row[3] for row in rows]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (InteractionFilter(), "started_at_interaction_id"),
        (InteractionFilter(since=NOW), "started_at_interaction_id"),
        (InteractionFilter(queue="support"), "queue_started_at_interaction_id"),
        (InteractionFilter(queue="support", channel="phone", outcome="lost"), "queue_started_at_interaction_id"),
        (InteractionFilter(channel="fax"), "channel_started_at_interaction_id"),
        (InteractionFilter(channel="fax", outcome="answered", until=NOW), "channel_started_at_interaction_id"),
        (InteractionFilter(outcome="lost"), "outcome_started_at_interaction_id"),
        (InteractionFilter(channel="phone", outcome="lost"), "outcome_started_at_interaction_id"),
        (InteractionFilter(account=ZOE), "account_id_started_at_interaction_id"),
        (InteractionFilter(account=ZOE, queue="support", channel="phone"), "account_id_started_at_interaction_id"),
        (InteractionFilter(account=ZOE, agent="1001", outcome="lost"), "account_id_started_at_interaction_id"),
    ],
    ids=str,
)
async def test_the_log_is_read_along_the_index_of_its_narrowest_filter(database: Database, wanted: InteractionFilter, index: str):
    plan = await plan_of(database, lambda: Interactions(database).list(wanted, cursor=None, limit=9))

    assert plan[0].split(" (")[0].split(" USING ")[1] == f"INDEX ix_interactions_{index}"
    assert [step for step in plan if "B-TREE" in step] == []


@pytest.mark.parametrize("wanted", [InteractionFilter(agent="1001"), InteractionFilter(agent="1001", queue="q", channel="phone")])
async def test_an_agents_contacts_are_found_by_the_agent(database: Database, wanted: InteractionFilter):
    plan = await plan_of(database, lambda: Interactions(database).list(wanted, cursor=None, limit=9))

    searches = [step.split(" (")[0] for step in plan if step.startswith(("SEARCH", "SCAN"))]
    assert searches == [
        "SEARCH interactions USING INDEX ix_interactions_agent_started_at_interaction_id",
        "SEARCH interaction_legs USING INDEX ix_interaction_legs_party_started_at_interaction_id",
        "SEARCH interactions USING INDEX sqlite_autoindex_interactions_1",
    ]


@pytest.mark.parametrize(
    "given", [{"phone": "020 7946 0018"}, {"email": "zoe@example.com"}, {"phone": "020 7946 0018", "email": "zoe@example.com"}]
)
async def test_an_account_is_found_by_its_number_or_address_alone(database: Database, given: dict[str, str]):
    search: dict[str, Any] = {"phone": None, "email": None, "q": None, "cursor": None, "limit": 9}

    plan = await plan_of(database, lambda: Accounts(database, region="GB").search(**(search | given)))

    assert plan[0] == "SEARCH accounts USING INDEX sqlite_autoindex_accounts_1 (account_id=?)"
    assert [step for step in plan if step.startswith("SCAN")] == []


@pytest.mark.parametrize("q", [None, "ada"])
async def test_accounts_are_listed_in_the_order_of_their_index(database: Database, q: str | None):
    accounts = Accounts(database, region="GB")

    def search():
        return accounts.search(phone=None, email=None, q=q, cursor=None, limit=9)

    plan = await plan_of(database, search, nth=0 if q is None else 1)  # first come those who have exactly what is asked for

    assert plan[0] == "SCAN accounts USING INDEX ix_accounts_search_name_account_id"
    assert [step for step in plan if "ORDER BY" in step] == []


async def test_who_has_exactly_what_is_asked_for_is_found_by_index(database: Database):
    accounts = Accounts(database, region="GB")

    plan = await plan_of(database, lambda: accounts.search(phone=None, email=None, q="K-4711", cursor=None, limit=9))

    assert plan[0].startswith("SEARCH contact_points USING COVERING INDEX ix_contact_points_kind_value_account_id")


async def test_cases_are_listed_in_the_order_of_their_index(database: Database):
    cases = Cases(database)

    plan = await plan_of(database, lambda: cases.list(CaseFilter(), now=NOW, cursor=None, limit=9))

    assert plan == ["SCAN cases USING INDEX ix_cases_opened_at_case_id"]
