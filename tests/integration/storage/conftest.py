"""Every storage test runs on a SQLite file and, where PostgreSQL is installed, on a server of its own."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import psycopg
import pytest
from sqlalchemy.engine import make_url

from storage.database import Database
from tests.support.postgres import private_postgres

NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with private_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/cti.db"
    server = request.getfixturevalue("postgres")
    name = f"cti_{next(NUMBERS)}"
    url = make_url(server)
    with psycopg.connect(host=url.host, port=url.port, user=url.username, dbname="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server + name


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with all tables."""
    database = Database(database_url)
    await database.migrate()
    yield database
    await database.close()
