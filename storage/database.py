"""The way to the database: apart engines for writing, reading and urgent reading, and the schema brought up to date.

SQLite: WAL, synchronous=FULL, one writing connection that begins IMMEDIATE, so a write waits its turn at the start and
never fails half-way; readers see the last commit and wait for nobody. Reads run in autocommit, each one statement,
without the round trips of a transaction. What comes with every call (urgent reads, `commit`) takes one step into a thread
and back on SQLite. Whatever goes wrong leaves here as `StorageError`, whose text never holds the values of a statement.
"""

import asyncio
import concurrent.futures
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Executable, Row, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from cti_bridge.domain.errors import StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 5000
"""How long a write waits for another process's write (a report, a backup) before it fails and is tried again."""
MIGRATION_LOCK = 0x637469
"""PostgreSQL's advisory lock that makes a second process wait while the first one migrates; any number, always the same."""
READERS, URGENT_READERS, POSTGRESQL_WRITERS = 4, 2, 4
"""Connections; SQLite always has one writer."""
REPORT_LIMIT = "30s"
"""PostgreSQL ends a read that takes longer."""

T = TypeVar("T")


class Database:
    """The store behind `url` (`sqlite+aiosqlite:///FILE` or `postgresql+psycopg://…`); `close()` ends its connections."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.dialect = parsed.get_backend_name()
        if self.dialect == "sqlite" and parsed.database in {None, "", ":memory:"}:
            raise StorageError("the SQLite store needs a file: sqlite+aiosqlite:///cti.db")
        self._turn = asyncio.Lock()
        """Whose turn it is to write to SQLite."""
        self._commits = _SqliteThreads(parsed, count=1, reads_only=False) if self.dialect == "sqlite" else None
        self._writer = _engine(parsed, pool_size=1 if self.dialect == "sqlite" else POSTGRESQL_WRITERS, reads_only=False)
        self._reader = _engine(parsed, pool_size=READERS, reads_only=True)
        self._urgent = (
            _SqliteThreads(parsed, count=URGENT_READERS, reads_only=True)
            if self.dialect == "sqlite"
            else _engine(parsed, pool_size=URGENT_READERS, reads_only=True)
        )

    async def fetch(self, statement: Executable, parameters: dict[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Every row of one reading statement. Raises StorageError.

        A connection that died since its last use is replaced once, unseen.
        """
        with store_errors():
            return await _replacing_dead(self._reader, lambda connection: connection.execute(statement, parameters).all())

    def fetch_urgent(self, work: Callable[[Connection], T]) -> Awaitable[T]:
        """What `work` reads while a phone rings: on connections that no report can take, on SQLite in one step of a thread, which
        has begun when this returns.

        As `fetch` otherwise. Raises StorageError.
        """
        if isinstance(self._urgent, _SqliteThreads):
            return self._urgent.do(work)
        return self._fetch_urgent(self._urgent, work)

    async def _fetch_urgent(self, engine: AsyncEngine, work: Callable[[Connection], T]) -> T:
        with store_errors():
            return await _replacing_dead(engine, work)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed when the block ends, rolled back when it raises. Raises StorageError.

        An `IntegrityError` raised inside the block may be caught inside it, in a savepoint, by who knows what it means.
        """
        async with self._turn if self._commits else nullcontext():
            with store_errors():
                async with self._writer.begin() as connection:
                    yield connection

    async def commit(self, work: Callable[[Connection], T]) -> T:
        """Does `work` in a transaction, as `write`, and gives its result; on SQLite in one step of a thread."""
        if self._commits:
            async with self._turn:
                return await self._commits.do(work)
        with store_errors():
            async with self._writer.begin() as connection:
                return await connection.run_sync(work)

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT in this database's words."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    async def migrate(self) -> None:
        """Brings the schema up to date, in one transaction. Raises StorageError: newer schema, no database."""
        async with self.write() as connection:
            if self.dialect == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
            _refuse_newer(await connection.run_sync(_revision_of))
            await connection.run_sync(_upgrade)

    async def check_schema(self) -> None:
        """Raises StorageError when the schema is not exactly the one this version works with."""
        with store_errors():
            async with self._reader.connect() as connection:
                revision = await connection.run_sync(_revision_of)
        _refuse_newer(revision)
        if revision != head_revision():
            found = "empty" if revision is None else f"at schema {revision}"
            raise StorageError(f"the database is {found}, this version needs {head_revision()}: run `cti-bridge migrate`")

    async def close(self) -> None:
        """Ends every connection; SQLite's threads with them."""
        engines = (self._urgent, self._reader, self._writer, self._commits)
        await asyncio.gather(*(engine.dispose() for engine in engines if engine))


async def _replacing_dead(engine: AsyncEngine, read: Callable[[Connection], T]) -> T:
    try:
        return await _read(engine, read)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return await _read(engine, read)


async def _read(engine: AsyncEngine, read: Callable[[Connection], T]) -> T:
    async with engine.connect() as connection:
        return await connection.run_sync(read)


class _SqliteThreads:
    """Connections that are used in threads of ours: a whole piece of work in one step there and back. aiosqlite goes to its
    thread and back for each cursor, statement, row set and commit; with calls coming in, every such step waits for the
    interpreter and keeps it from others (`python -m bench pop`).
    """

    def __init__(self, url: URL, *, count: int, reads_only: bool) -> None:
        options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if reads_only else {}
        self._engine = create_engine(
            url.set(drivername="sqlite"), pool_size=count, max_overflow=0, hide_parameters=True, **options
        )
        _prepare_sqlite(self._engine, reads_only=reads_only)
        self._threads = concurrent.futures.ThreadPoolExecutor(
            count, thread_name_prefix="store reads" if reads_only else "store commits"
        )
        self._do = self._read if reads_only else self._commit
        self._own = threading.local()
        """A reading thread's own connection: taking one from the pool costs a third of a short read."""
        self._opened: set[Connection] = set()

    def do(self, work: Callable[[Connection], T]) -> "asyncio.Future[T]":
        """Begun work goes on to its end when the waiting is cancelled, other work is not begun. The future raises StorageError.

        As `run_in_executor`, less its two-way tie of cancellations, which takes a tenth of a look-up.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def tell(begun: "concurrent.futures.Future[T]") -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, done, begun)

        self._threads.submit(self._told, work, done).add_done_callback(tell)
        return done

    def _told(self, work: Callable[[Connection], T], done: "asyncio.Future[T]") -> T:
        if done.cancelled():
            raise asyncio.CancelledError
        with store_errors():
            return self._do(work)

    def _commit(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def _read(self, work: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._engine.connect()
            self._opened.add(connection)
        try:
            return work(connection)
        except BaseException:
            del self._own.connection  # whatever state it is in, the next read begins with a new one
            self._opened.discard(connection)
            connection.close()
            raise

    async def dispose(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        for connection in self._opened:
            connection.close()
        self._engine.dispose()


def _settle(done: "asyncio.Future[T]", begun: "concurrent.futures.Future[T]") -> None:
    if done.cancelled():
        return
    error = begun.exception()
    if error is None:
        done.set_result(begun.result())
    else:
        done.set_exception(error)


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns the database's errors into `StorageError`; the driver's words stay, the statement's values do not."""
    try:
        yield
    except DBAPIError as error:
        raise StorageError(f"the store failed: {first_line(error)}") from error
    except SQLAlchemyError as error:
        raise StorageError(f"the store failed: {first_line(error)}") from error
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"the store cannot be reached: {first_line(error)}") from error


def is_integrity_error(error: StorageError) -> bool:
    """True where the store refused the values, so that trying again cannot help."""
    return isinstance(error.__cause__, IntegrityError)


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings, made here so that no alembic.ini has to travel with the program."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest schema this version knows."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None
    return head


def _upgrade(connection: Connection) -> None:
    command.upgrade(alembic_config(connection), "head")


def _revision_of(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise StorageError(
            f"the database is at schema {revision}, which this version does not know: "
            "it was written by a newer version; run that one, or restore a backup made before the upgrade"
        )


def first_line(error: BaseException | None) -> str:
    """What went wrong, in the driver's words and without the statement's."""
    lines = str(error.orig if isinstance(error, DBAPIError) else error).splitlines()
    return lines[0] if lines else type(error).__name__


def _engine(url: URL, *, pool_size: int, reads_only: bool) -> AsyncEngine:
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if reads_only else {}
    if url.get_backend_name() == "postgresql":
        session = f" -c default_transaction_read_only=on -c statement_timeout={REPORT_LIMIT}" if reads_only else ""
        options["connect_args"] = {"options": "-c timezone=utc" + session, "connect_timeout": 5}
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_timeout=10, hide_parameters=True, **options)
    if url.get_backend_name() == "sqlite":
        _prepare_sqlite(engine.sync_engine, reads_only=reads_only)
    return engine


def _prepare_sqlite(engine: Engine, *, reads_only: bool) -> None:
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the sqlite3 module's own BEGIN comes too late and is never IMMEDIATE
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",  # what is erased is written over, not only forgotten
            f"query_only={'ON' if reads_only else 'OFF'}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    event.listen(engine, "connect", on_connect)
    if not reads_only:
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
