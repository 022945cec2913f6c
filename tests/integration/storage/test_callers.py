"""tests/tables/callers.toml against a real store: what the PBX presented, and who must be found."""

import tomllib
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
import pytest_asyncio

from cti_bridge.domain.account import ContactKind, Found, LookupResult, NotFound, Withheld
from cti_bridge.domain.tiers import TierRules
from cti_bridge.lookup import Lookup
from storage.accounts import Accounts
from storage.database import Database
from storage.profiles import Profiles
from tests.support.store import NOW

TABLE = tomllib.loads((Path(__file__).parents[2] / "tables" / "callers.toml").read_text("utf-8"))
CASES = [pytest.param(region, *case, id=f"{region}: {case[2]}") for region, cases in TABLE["cases"].items() for case in cases]
ENTERED = [pytest.param(region, *case, id=case[-1]) for region, cases in TABLE["entered"].items() for case in cases]
TODAY = date(2026, 11, 22)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('callers')}/cti.db")
    await database.migrate()
    for name, points in TABLE["accounts"].items():
        for number, point in enumerate(points):
            kind, _, rest = point.partition(" ")
            written, _, label = rest.partition(" | ")
            written, _, region = written.partition(" @")
            await _add(Accounts(database, region=region or "GB"), name, number, (ContactKind(kind), written, label or None))
    accounts = Accounts(database, region="GB")
    profiles = Profiles(database, accounts, rules=TierRules(), fields={})
    for name, day in TABLE["orders"].items():
        (account,) = (await accounts.search(phone=None, email=None, q=name, cursor=None, limit=1)).items
        await profiles.change(account.account_id, {"last_order_on": day}, now=NOW)
    yield database
    await database.close()


async def _add(accounts: Accounts, name: str, number: int, point: tuple[ContactKind, str, str | None]) -> None:
    if number == 0:
        await accounts.create(name=name, company=None, tier=None, language=None, note=None, contact_points=[point], now=NOW)
        return
    page = await accounts.search(phone=None, email=None, q=name, cursor=None, limit=1)
    (account,) = page.items
    before = [(one.kind, one.as_given, one.label) for one in account.contact_points]
    await accounts.change(account.account_id, changes={}, contact_points=[*before, point], now=NOW)


async def test_there_are_at_least_200_cases_of_12_countries():
    assert len(CASES) >= 200
    assert len(TABLE["cases"]) >= 12


def lookup(store: Database, region: str) -> Lookup:
    return Lookup(Accounts(store, region=region, today=lambda: TODAY), region)


def named(result: LookupResult) -> str:
    match result:
        case Found(candidates=candidates):
            return " ".join(candidate.account.name for candidate in candidates)
        case NotFound() | Withheld():
            return ""
        case other:
            pytest.fail(f"{other}")


@pytest.mark.parametrize(("region", "presented", "expected", "why"), CASES)
async def test_caller(store: Database, region: str, presented: str, expected: str, why: str):
    assert named(await lookup(store, region).by_number(presented)) == expected, why


@pytest.mark.parametrize(("region", "presented", "typed", "expected", "is_clear", "why"), ENTERED)
async def test_caller_who_typed_a_customer_number(
    store: Database, region: str, presented: str, typed: str, expected: str, is_clear: bool, why: str
):
    result = await lookup(store, region).by_number(presented, entered=typed)

    assert named(result) == expected, why
    assert (isinstance(result, Found) and result.clear is not None) is is_clear, why
    assert await lookup(store, region).by_number(presented, entered=typed, untrusted=True) == Withheld()


@pytest.mark.parametrize(("region", "presented", "expected", "why"), CASES)
async def test_a_forged_number_finds_nobody(store: Database, region: str, presented: str, expected: str, why: str):
    del expected, why
    assert await lookup(store, region).by_number(presented, untrusted=True) == Withheld()
