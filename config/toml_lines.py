"""Where each key of a TOML text stands, so that a mistake can be told with its line; the TOML parser keeps no lines.

Reads what people write in settings: table headers, `key = value`, dotted keys. A text that the real parser took is
expected; inside multi-line values a wrong line may be told, never a wrong setting read.
"""

import re
from collections.abc import Iterator

Place = tuple[str | int, ...]

HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]")
KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*'))*)\s*=""")
PART = re.compile(r"""[A-Za-z0-9_-]+|"[^"]*"|'[^']*'""")


def lines_of(text: str) -> dict[Place, int]:
    """Place of each table, list entry and key -> its line, from 1; the first line where a place is named twice."""
    found: dict[Place, int] = {}
    entries: dict[tuple[str, ...], int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := HEADER.match(line):
            names = tuple(_parts(header[2]))
            if header[1] == "[[":
                entries[names] = entries.get(names, -1) + 1
            table = tuple(_with_entries(names, entries))
            found.setdefault(table, number)
            if header[1] == "[[":
                found.setdefault(table[:-1], number)
        elif key := KEY.match(line):
            place = table
            for part in _parts(key[1]):
                place = (*place, part)
                found.setdefault(place, number)
    return found


def _with_entries(names: tuple[str, ...], entries: dict[tuple[str, ...], int]) -> Iterator[str | int]:
    """The place of a table: each list on the way stands at its newest entry."""
    for length, name in enumerate(names, start=1):
        yield name
        if names[:length] in entries:
            yield entries[names[:length]]


def _parts(key: str) -> list[str]:
    return [part.strip("\"'") for part in PART.findall(key)]
