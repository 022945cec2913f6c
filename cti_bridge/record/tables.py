"""The record as tables of a database that the service may read: columns by name, a stretch of time, in order of time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

from sqlalchemy import Connection, MetaData, Table, create_engine, func, select
from sqlalchemy.types import DateTime, Float, Integer, Numeric

from cti_bridge.record import cdr, cel, queue_log
from cti_bridge.record.columns import WrongColumns, columns_of
from cti_bridge.record.rows import CdrRow, CelRow, Problems, QueueRow, RecordProblem
from cti_bridge.record.times import zone_of

BATCH_ROWS = 1000
PROBED_ROWS = 200

Row = TypeVar("Row", CelRow, CdrRow, QueueRow)
Read = Callable[[Sequence[Any], Mapping[str, int], tzinfo | None], Row]


def cel_table(url: str, table: str, timezone: str | None, since: float, until: float, problems: Problems) -> Iterator[CelRow]:
    """See `_rows` for what it raises."""
    return _rows(url, table, cel.NAMES, cel.NEEDED, ("eventtime", "uniqueid"), cel.cel_row, timezone, since, until, problems)


def cdr_table(url: str, table: str, timezone: str | None, since: float, until: float, problems: Problems) -> Iterator[CdrRow]:
    """See `_rows` for what it raises."""
    return _rows(url, table, cdr.NAMES, cdr.NEEDED, ("start", "uniqueid"), cdr.cdr_row, timezone, since, until, problems)


def queue_log_table(
    url: str, table: str, timezone: str | None, since: float, until: float, problems: Problems
) -> Iterator[QueueRow]:
    """See `_rows` for what it raises."""
    names, needed = queue_log.NAMES, queue_log.NEEDED
    return _rows(url, table, names, needed, ("time", "callid"), queue_log.queue_row, timezone, since, until, problems)


def _rows(
    url: str,
    table: str,
    names: Mapping[str, str],
    needed: Sequence[str],
    time_and_id: tuple[str, str],
    read: Read[Row],
    timezone: str | None,
    since: float,
    until: float,
    problems: Problems,
) -> Iterator[Row]:
    """
    Raises:
        SQLAlchemyError: no connection, no such table, no right to read it.
        WrongColumns: a column is missing.
    """
    schema, _, name = table.rpartition(".")
    engine = create_engine(url)
    try:
        reflected = Table(name, MetaData(), schema=schema or None, autoload_with=engine)
        columns = columns_of([column.name for column in reflected.columns], names)
        if missing := [column for column in needed if column not in columns]:
            raise WrongColumns(f"table {table} has no column {', '.join(missing)}")
        time, uniqueid = (columns[name] for name in time_and_id)
        with engine.connect() as connection:
            samples = [(row[time], str(row[uniqueid])) for row in connection.execute(select(reflected).limit(PROBED_ROWS))]
            zone = zone_of(samples, timezone)
            for row in _between(connection, reflected, columns, time, since, until, zone):
                try:
                    yield read(row, columns, zone)
                except WrongColumns as wrong:
                    problems.add(RecordProblem(file=f"table {table}", line=None, what=str(wrong)))
    finally:
        engine.dispose()


def _between(
    connection: Connection, table: Table, columns: Mapping[str, int], time: int, since: float, until: float, zone: tzinfo | None
) -> Iterator[Sequence[Any]]:
    """The rows of [since, until] in the order of their writing; the database sends them in batches."""
    every = list(table.columns)
    column = every[time]
    newest = connection.execute(select(func.max(column))).scalar()
    low, high = (_as_in(column.type, newest, at, zone) for at in (since, until))
    order = [column, *([every[columns["id"]]] if "id" in columns else [])]
    query = select(table).where(column >= low, column <= high).order_by(*order)
    yield from connection.execution_options(yield_per=BATCH_ROWS).execute(query)


def _as_in(kind: object, newest: object, at: float, zone: tzinfo | None) -> Any:
    """A moment as the time column holds it; text compares as time does where all of it is written as the newest is."""
    moment = datetime.fromtimestamp(at, UTC)
    match kind:
        case DateTime(timezone=True):
            return moment
        case DateTime():
            return moment.astimezone(zone).replace(tzinfo=None)
        case Integer():
            return int(at)
        case Numeric() | Float():
            return at
        case _:
            seconds = str(newest or "").replace(".", "", 1).isdecimal()
            return f"{at:.6f}" if seconds else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
