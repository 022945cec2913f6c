"""Columns by name, whatever order and names the site gave them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any


class WrongColumns(ValueError):
    """A record that does not have the columns that it should; the text says what was found."""


def columns_of(names: Sequence[str], aliases: Mapping[str, str]) -> dict[str, int]:
    """Which column holds what. A name that stands twice is its first column."""
    positions: dict[str, int] = {}
    for position, name in enumerate(names):
        key = name.strip().lower()
        positions.setdefault(aliases.get(key, key), position)
    return positions


def column_text(fields: Sequence[Any], columns: Mapping[str, int], needed: Sequence[str]) -> Callable[[str], str]:
    """How to read a record's fields as text, "" for an absent one.

    Raises:
        WrongColumns: the record has another number of columns than the order says.
    """
    if len(fields) < len(columns) or not columns.keys() >= set(needed):
        missing = ", ".join(name for name in needed if name not in columns)
        raise WrongColumns(f"no column {missing}" if missing else f"{len(fields)} columns, {len(columns)} expected")

    def text(name: str) -> str:
        position = columns.get(name)
        return "" if position is None or fields[position] is None else str(fields[position])

    return text
