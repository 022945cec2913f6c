"""Statements that are asked while a phone rings: compiled once; on SQLite they go straight to the driver.

SQLAlchemy's way from a cached statement to its rows takes several times as long as SQLite itself (`python -m bench lookup`).
What it does for correctness is kept: the statement's own types read every value. For connections of `Database.fetch_urgent`.
"""

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Dialect, Row, Select
from sqlalchemy.dialects import sqlite

SQLITE = sqlite.dialect(paramstyle="named", json_deserializer=orjson.loads)


class Prepared:
    """A SELECT without lists of unknown length; its rows have its columns' names."""

    def __init__(self, statement: Select[Any]) -> None:
        compiled = statement.compile(dialect=SQLITE)
        columns = list(statement.selected_columns)
        self.statement = statement
        self.sql = str(compiled)
        self.parameters: dict[str, Any] = dict(compiled.params)
        """What the statement brings itself; the rest is given to `rows`."""
        self._make = namedtuple("Row", [column.key for column in columns])._make  # type: ignore[attr-defined, misc]
        readers = [_reader(column.type, SQLITE) for column in columns]
        self._readers = [(place, reader) for place, reader in enumerate(readers) if reader is not None]

    def rows(self, connection: Connection, parameters: dict[str, Any]) -> Sequence[Row[Any]]:
        """Every row. Raises the database's or the driver's error."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.statement, parameters).all()
        driver: Any = connection.connection.dbapi_connection
        return [self._read(values) for values in driver.execute(self.sql, {**self.parameters, **parameters})]

    def _read(self, values: Sequence[Any]) -> Any:
        row = list(values)
        for place, reader in self._readers:
            row[place] = reader(row[place])
        return self._make(row)


def _reader(type_: Any, dialect: Dialect) -> Callable[[Any], Any] | None:
    """How this column's type reads a value of the driver's; None where it takes it as it is."""
    reader: Callable[[Any], Any] | None = type_.dialect_impl(dialect).result_processor(dialect, None)
    return reader
