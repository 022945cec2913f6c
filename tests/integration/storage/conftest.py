"""Every storage test runs on a SQLite file and, where PostgreSQL is installed, on a server of its own.

The migrations run once on each; every test gets a copy of what they made.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage.database import Database
from tests.support.postgres import private_postgres

NUMBERS = count(1)
TEMPLATE = "cti_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "template.db"
    asyncio.run(_migrate(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    """The name of PostgreSQL's template."""
    _on(postgres, f"CREATE DATABASE {TEMPLATE}")
    asyncio.run(_migrate(postgres + TEMPLATE))
    return TEMPLATE


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of the test's own: with all tables for those that take `database`, empty for the others."""
    has_tables = "database" in request.fixturenames
    if request.param == "sqlite":
        if has_tables:
            shutil.copyfile(request.getfixturevalue("migrated_file"), tmp_path / "cti.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/cti.db"
        return
    server: str = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("migrated_postgres") if has_tables else "template1"
    name = f"cti_{next(NUMBERS)}"
    _on(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server + name
    _on(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with all tables."""
    database = Database(database_url)
    yield database
    await database.close()


def _on(server: str, statement: LiteralString) -> None:
    url = make_url(server)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True) as connection:
        connection.execute(statement)


async def _migrate(url: str) -> None:
    database = Database(url)
    await database.migrate()
    await database.close()
