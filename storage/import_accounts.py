"""Accounts from a CSV file: the whole file is checked first, then stored in one transaction, or not at all.

Columns: name, company, tier, language, phones and emails (several parted by `;`), note; a header line names those that
are there. UTF-8, with or without a byte order mark. Every bad row is told with its line. Running it again adds only what
is new: a row is known when an account of the same name shares one of its numbers or addresses.
"""

import asyncio
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from cti_bridge.domain.account import Account, ContactKind, Tier
from cti_bridge.domain.errors import ConfigError, Problem
from storage.accounts import Accounts, insert_accounts
from storage.contact_points import fold
from storage.database import Database
from storage.export import ACCOUNT_CELLS, cell_text
from storage.schema import accounts as accounts_table
from storage.schema import contact_points as points_table

COLUMNS = frozenset({"name", "company", "tier", "language", "phones", "emails", "note"})
EXPORTED = frozenset(ACCOUNT_CELLS)
"""Columns of an export beside these are passed over, so that what went out can come in again."""
MAX_ROWS = 200_000
"""More belongs into several files: one import is one transaction."""
MAX_PROBLEMS = 1000
CHUNK = 300
"""Rows asked about or stored in one statement."""

Identity = tuple[str, str, str]
"""Folded name, kind and value of a contact point: two accounts that share one are the same customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """`added` accounts were stored (with `dry_run`: would be), `known` were there already."""

    rows: int
    added: int
    known: int
    dry_run: bool


async def import_accounts(database: Database, accounts: Accounts, path: Path, *, dry_run: bool, now: datetime) -> ImportReport:
    """Adds the accounts of the CSV file at `path` that are not known yet.

    Raises ConfigError with every bad row (at most `MAX_PROBLEMS`; nothing is stored then), StorageError.
    """
    drafts = await asyncio.to_thread(_read, path, accounts, now)
    async with database.write() as connection:
        new = await _unknown(connection, drafts)
        if not dry_run:
            for chunk in _chunks(new):
                await insert_accounts(connection, chunk)
    return ImportReport(rows=len(drafts), added=len(new), known=len(drafts) - len(new), dry_run=dry_run)


def _read(path: Path, accounts: Accounts, now: datetime) -> list[Account]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _drafts(path, file, accounts, now)
    except UnicodeDecodeError as error:
        problem = Problem(where=str(path), what="not UTF-8", hint="save it as CSV UTF-8")
        raise ConfigError((problem,)) from error
    except OSError as error:
        raise ConfigError((Problem(where=str(path), what=f"cannot be read: {error.strerror}"),)) from error


def _drafts(path: Path, file: TextIO, accounts: Accounts, now: datetime) -> list[Account]:
    rows = csv.DictReader(file, restkey="", strict=True)
    problems: list[Problem] = []
    drafts: list[Account] = []
    try:
        _check_header(path, rows.fieldnames)
        for row in rows:
            try:
                drafts.append(_draft(row, accounts, now))
            except ValueError as error:
                problems.append(Problem(where=f"{path}:{rows.line_num}", what=str(error)))
            if len(drafts) > MAX_ROWS or len(problems) >= MAX_PROBLEMS:
                break
    except csv.Error as error:
        problems.append(Problem(where=f"{path}:{rows.reader.line_num}", what=f"not CSV: {error}"))
    if len(drafts) > MAX_ROWS:
        problems.append(Problem(where=str(path), what=f"more than {MAX_ROWS} rows", hint="split the file"))
    if problems:
        raise ConfigError(tuple(problems))
    return drafts


def _check_header(path: Path, header: Sequence[str] | None) -> None:
    names = list(header or ())
    unknown = sorted(set(names) - COLUMNS - EXPORTED)
    hint = f"columns: {', '.join(sorted(COLUMNS))}"
    if unknown or len(set(names)) < len(names):
        what = f"unknown columns: {', '.join(map(repr, unknown))}" if unknown else "a column stands twice"
        raise ConfigError((Problem(where=f"{path}:1", what=what, hint=hint),))
    if "name" not in names or not {"phones", "emails"} & set(names):
        raise ConfigError((Problem(where=f"{path}:1", what="name and phones or emails are needed", hint=hint),))


def _draft(row: dict[str, str | None], accounts: Accounts, now: datetime) -> Account:
    if "" in row:
        raise ValueError("more fields than columns: a field with a comma stands in quotes")
    fields = {name: cell_text((value or "").strip()) for name, value in row.items()}
    points = [(ContactKind.PHONE, phone, None) for phone in _parts(fields.get("phones", ""))]
    points += [(ContactKind.EMAIL, email, None) for email in _parts(fields.get("emails", ""))]
    if not points:
        raise ValueError("no phone and no e-mail: nobody would ever be recognised by this account")
    tier = fields.get("tier", "").lower()
    if tier and tier not in set(Tier):
        raise ValueError(f"tier {tier!r} is none of {', '.join(Tier)}")
    return accounts.draft(
        name=fields["name"],
        company=fields.get("company") or None,
        tier=Tier(tier) if tier else None,
        language=fields.get("language") or None,
        note=fields.get("note") or None,
        contact_points=points,
        now=now,
    )


async def _unknown(connection: AsyncConnection, drafts: Sequence[Account]) -> list[Account]:
    """The drafts that are neither in the store nor earlier in the file."""
    seen: set[Identity] = set()
    for chunk in _chunks(drafts):
        values = {(point.kind.value, point.value) for account in chunk for point in account.contact_points}
        stored = (
            select(accounts_table.c.name, points_table.c.kind, points_table.c.value)
            .join_from(points_table, accounts_table)
            .where(tuple_(points_table.c.kind, points_table.c.value).in_(values))
        )
        seen.update((fold(name), kind, value) for name, kind, value in await connection.execute(stored))
    new = []
    for account in drafts:
        own = {(fold(account.name), point.kind.value, point.value) for point in account.contact_points}
        if seen.isdisjoint(own):
            new.append(account)
        seen |= own
    return new


def _chunks(accounts: Sequence[Account]) -> Iterator[Sequence[Account]]:
    for start in range(0, len(accounts), CHUNK):
        yield accounts[start : start + CHUNK]


def _parts(field: str) -> list[str]:
    return [part for part in (part.strip() for part in field.split(";")) if part]
