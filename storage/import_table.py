"""Customers from a table (CSV with commas, semicolons or tabs): each row becomes a `Draft`, each bad one a problem.

The first line names the columns, in our words or, by a mapping, in the words of the program that wrote it.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any

from cti_bridge.domain.account import ContactKind, Tier
from cti_bridge.domain.profile import CustomerKind, Stage
from storage.export import ACCOUNT_CELLS, cell_text

POINT_COLUMNS = {
    "phones": ContactKind.PHONE,
    "emails": ContactKind.EMAIL,
    "faxes": ContactKind.FAX,
    "customer_numbers": ContactKind.CUSTOMER_NUMBER,
}
"""Several in one field are parted by `;`, several columns may be mapped to one of these."""
FIGURES = ("revenue", "profit", "days_to_pay")
PROFILE_COLUMNS = frozenset({"kind", "stage", *FIGURES, "last_order_on", "preferences", "taboos"})
COLUMNS = frozenset({"name", "company", "tier", "language", "note", "birthday", *POINT_COLUMNS, *PROFILE_COLUMNS})
EXPORTED = frozenset(ACCOUNT_CELLS)
"""Columns of an export beside these are passed over, so that what went out can come in again."""
DELIMITERS = ",;\t"
_CHOICES = {"kind": CustomerKind, "stage": Stage, "tier": Tier}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One customer as the file has it; `profile` holds what is given of the customer's file, checked for its type only."""

    name: str
    company: str | None
    tier: Tier | None
    language: str | None
    note: str | None
    points: Sequence[tuple[ContactKind, str, str | None]]
    """Kind, as given, label."""
    profile: Mapping[str, str | float | date]
    birthday: date | None


@dataclass(slots=True)
class Table:
    """The rows below the first line. `mapping`: ours to theirs, several of theirs for a column of contact points.

    Raises ValueError for a first line that does not do, csv.Error when it is no CSV.
    """

    lines: Iterator[str]
    mapping: Sequence[tuple[str, str]]
    passed_over: tuple[str, ...] = ()
    """Columns of the file that nothing was made of."""
    _rows: Any = field(init=False)
    _places: list[tuple[int, str]] = field(init=False)
    _width: int = 0

    def __post_init__(self) -> None:
        first = next(self.lines, "")
        delimiter = max(DELIMITERS, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))
        self._rows = csv.reader(chain([first], self.lines), delimiter=delimiter, strict=True)
        header = [name.strip() for name in next(self._rows, [])]
        self._width = len(header)
        self._places = self._named(header)

    @property
    def line(self) -> int:
        """The last line that was read."""
        return int(self._rows.line_num)

    def __iter__(self) -> Iterator[list[str]]:
        """The rows that are not empty. Raises csv.Error."""
        return (row for row in self._rows if row)

    def draft(self, row: list[str]) -> Draft:
        """Raises ValueError for a row that cannot be an account."""
        if len(row) > self._width:
            raise ValueError("more fields than columns: a field with a comma stands in quotes")
        fields: dict[str, str] = {}
        for place, name in self._places:
            text = cell_text(row[place].strip()) if place < len(row) else ""
            fields[name] = f"{fields[name]};{text}" if name in fields else text
        return draft_of(fields, [(kind, part, None) for name, kind in POINT_COLUMNS.items() for part in _parts(fields.get(name))])

    def _named(self, header: list[str]) -> list[tuple[int, str]]:
        ours = {theirs: name for name, theirs in self.mapping}
        for theirs in ours:
            if theirs not in header:
                raise ValueError(f"there is no column {theirs!r}; there are: {', '.join(map(repr, header))}")
        places = [(place, ours.get(name, name)) for place, name in enumerate(header) if name]
        unknown = [name for _, name in places if name not in COLUMNS | EXPORTED]
        if unknown and not self.mapping:
            raise ValueError(f"unknown columns: {', '.join(map(repr, sorted(unknown)))}")
        self.passed_over = tuple(unknown)
        known = [(place, name) for place, name in places if name in COLUMNS]
        if len(set(header)) < len(header) or _has_twice(name for _, name in known if name not in POINT_COLUMNS):
            raise ValueError("a column stands twice")
        names = {name for _, name in known}
        if "name" not in names or not POINT_COLUMNS.keys() & names:
            raise ValueError("name and phones or emails are needed")
        return known


def mapping_of(options: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """`ours=theirs` as pairs. Raises ValueError."""
    pairs = []
    for option in options:
        ours, given, theirs = (part.strip() for part in option.partition("="))
        if not (given and theirs):
            raise ValueError(f"--column {option!r}: write ours=theirs, as name=客户名称")
        if ours not in COLUMNS:
            raise ValueError(f"--column {option!r}: {ours!r} is no column of ours; there are: {', '.join(sorted(COLUMNS))}")
        pairs.append((ours, theirs))
    if _has_twice(theirs for _, theirs in pairs) or _has_twice(ours for ours, _ in pairs if ours not in POINT_COLUMNS):
        raise ValueError("--column: a column stands twice")
    return tuple(pairs)


def draft_of(fields: Mapping[str, str], points: Sequence[tuple[ContactKind, str, str | None]]) -> Draft:
    """The customer of these texts; an empty one is not given. Raises ValueError for what cannot be read."""
    if not points:
        raise ValueError("no phone and no e-mail: nobody would ever be recognised by this account")
    tier = _choice("tier", fields)
    profile: dict[str, str | float | date] = {name: fields[name] for name in ("preferences", "taboos") if fields.get(name)}
    profile |= {name: value for name in ("kind", "stage") if (value := _choice(name, fields)) is not None}
    profile |= {name: _figure(name, fields[name]) for name in FIGURES if fields.get(name)}
    if fields.get("last_order_on"):
        profile["last_order_on"] = _day("last_order_on", fields["last_order_on"])
    return Draft(
        name=fields["name"],
        company=fields.get("company") or None,
        tier=Tier(tier) if tier else None,
        language=fields.get("language") or None,
        note=fields.get("note") or None,
        points=points,
        profile=profile,
        birthday=_day("birthday", fields["birthday"]) if fields.get("birthday") else None,
    )


def _choice(name: str, fields: Mapping[str, str]) -> str | None:
    text = fields.get(name, "").lower()
    if text and text not in set(_CHOICES[name]):
        raise ValueError(f"{name} {text!r} is none of {', '.join(_CHOICES[name])}")
    return text or None


def _figure(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{name} {text[:40]!r} is no figure: digits, at most one point, no signs of thousands") from None


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name} {text[:40]!r} is no date as 1980-04-12") from None


def _parts(text: str | None) -> list[str]:
    return [part for part in (part.strip() for part in (text or "").split(";")) if part]


def _has_twice(names: Iterable[str]) -> bool:
    seen = list(names)
    return len(set(seen)) < len(seen)
