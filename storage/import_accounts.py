"""Accounts from a file: the whole file is checked first, then stored in one transaction, or not at all.

A table (`storage.import_table`) or vCards (.vcf). Every bad row is told with its line. Running it again changes nothing:
without a key, a row is known when an account of the same name shares one of its numbers or addresses; with one, the row
updates the account that has its key. What was checked waits in a temporary file without a name, so a large file takes
little memory, and the store is held only for the writing.
"""

import asyncio
import csv
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, Any, TextIO

import orjson
from sqlalchemy import Connection

from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.errors import ConfigError, Problem
from cti_bridge.domain.tiers import TierRules
from storage.accounts import Accounts, name_columns
from storage.database import Database
from storage.import_store import CHUNK, Counts, Importing, MeansSeveral
from storage.import_table import COLUMNS, Draft, Table
from storage.import_text import Encoding, UnreadableLine, encoding_of, lines_of
from storage.profile_columns import profile_columns

MAX_ROWS = 1_000_000
"""More belongs into several files: one import is one transaction."""
MAX_PROBLEMS = 1000
TOLD_EVERY = 5000
"""Rows between two words on how far it is."""

Progress = Callable[[str, int], None]
"""Hears what is being done and with how many rows it is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """`columns`: ours and theirs. `key`: the kind of contact point by which a row finds its account. `rules` make tiers."""

    columns: Sequence[tuple[str, str]] = ()
    key: ContactKind | None = None
    encoding: str | None = None
    rules: TierRules = field(default_factory=TierRules)
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """`added` accounts were stored, `updated` ones changed (with `dry_run`: would be), `known` stay as they are."""

    rows: int
    added: int
    known: int
    dry_run: bool
    updated: int = 0
    encoding: str = "UTF-8"
    passed_over: tuple[str, ...] = ()
    """Columns of the file that nothing was made of."""


async def import_accounts(
    database: Database,
    accounts: Accounts,
    path: Path,
    *,
    dry_run: bool,
    now: datetime,
    options: ImportOptions | None = None,
) -> ImportReport:
    """Adds the accounts of the file at `path` that are not known yet; with a key, updates those that are.

    Raises ConfigError with every bad row (at most `MAX_PROBLEMS`; nothing is stored then), StorageError.
    """
    options = options or ImportOptions()
    with tempfile.TemporaryFile() as spool:
        check = _Check(path, accounts, options, now, spool)
        await asyncio.to_thread(check.run)

        def work(connection: Connection) -> Counts:
            with connection.begin_nested() as savepoint:
                counts = _store(connection, check, options, now)
                if dry_run:
                    savepoint.rollback()
                return counts

        counts = await database.commit(work)
    return ImportReport(
        rows=check.rows,
        added=counts.added,
        updated=counts.updated,
        known=check.rows - counts.added - counts.updated,
        dry_run=dry_run,
        encoding=check.encoding.name,
        passed_over=check.passed_over,
    )


def _store(connection: Connection, check: "_Check", options: ImportOptions, now: datetime) -> Counts:
    importing = Importing(connection, key=options.key, rules=options.rules, now=now)
    problems: list[Problem] = []
    done = 0
    for chunk in check.chunks():
        try:
            importing.store(chunk)
        except MeansSeveral as error:
            problems += [Problem(where=f"{check.path}:{line}", what=what) for line, what in error.rows]
        if len(problems) >= MAX_PROBLEMS:
            break
        done += len(chunk)
        if options.progress and (done % TOLD_EVERY < CHUNK or done == check.rows):
            options.progress("stored", done)
    if problems:
        raise ConfigError(tuple(problems[:MAX_PROBLEMS]))
    return importing.counts


@dataclass(slots=True)
class _Check:
    """Reads the file once from end to end; every row that can be stored goes into `spool`, ready for the store."""

    path: Path
    accounts: Accounts
    options: ImportOptions
    now: datetime
    spool: IO[bytes]
    rows: int = 0
    encoding: Encoding = field(init=False)
    passed_over: tuple[str, ...] = ()
    _problems: list[Problem] = field(default_factory=list)
    _keys: dict[str, int] = field(default_factory=dict)
    """Where in the file each key stands."""

    def run(self) -> None:
        try:
            self.encoding = encoding_of(self.path, self.options.encoding)
            with self.path.open(encoding=self.encoding.codec, newline="") as file:
                self._read(file)
        except OSError as error:
            raise ConfigError((Problem(where=str(self.path), what=f"cannot be read: {error.strerror}"),)) from error
        if self._problems:
            raise ConfigError(tuple(self._problems))

    def chunks(self) -> Iterator[list[dict[str, Any]]]:
        self.spool.seek(0)
        chunk: list[dict[str, Any]] = []
        for line in self.spool:
            chunk.append(orjson.loads(line))
            if len(chunk) == CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _read(self, file: TextIO) -> None:
        drafts = self._cards(file) if self.path.suffix.lower() == ".vcf" else self._table_rows(file)
        try:
            for line, make in drafts:
                try:
                    self._keep(line, make())
                except ValueError as error:
                    self._problem(line, str(error))
                if len(self._problems) >= MAX_PROBLEMS:
                    return
                if self.rows > MAX_ROWS:
                    self._problem(line, f"more than {MAX_ROWS} rows", "split the file")
                    return
        except UnreadableLine as error:
            self._problem(error.line, str(error))

    def _table_rows(self, file: TextIO) -> Iterator[tuple[int, Callable[[], Draft]]]:
        try:
            table = Table(lines_of(file), self.options.columns)
        except csv.Error as error:
            raise UnreadableLine(1, f"not CSV: {error}") from error
        except ValueError as error:
            self._problem(1, str(error), f"columns: {', '.join(sorted(COLUMNS))}")
            return
        self.passed_over = table.passed_over
        try:
            for row in table:
                yield table.line, partial(table.draft, row)
        except csv.Error as error:
            raise UnreadableLine(table.line, f"not CSV: {error}") from error

    def _cards(self, file: TextIO) -> Iterator[tuple[int, Callable[[], Draft]]]:
        if self.options.columns:
            raise ConfigError((Problem(where="--column", what="vCards have no columns"),))
        from storage.import_vcards import card_draft, cards_of  # noqa: PLC0415 (its library takes 0.2 s to load)

        for line, card in cards_of(lines_of(file)):
            yield line, partial(card_draft, card)

    def _keep(self, line: int, draft: Draft) -> None:
        """Raises ValueError for what cannot be stored."""
        account = self.accounts.draft(
            name=draft.name,
            company=draft.company,
            tier=draft.tier,
            language=draft.language,
            note=draft.note,
            contact_points=draft.points,
            now=self.now,
        )
        key = self._key(line, [point.value for point in account.contact_points if point.kind is self.options.key])
        row = {
            "line": line,
            "key": key,
            "account_id": account.account_id,
            "columns": {
                "name": account.name,
                "company": account.company,
                "tier": account.tier,
                "language": account.language,
                "note": account.note,
                **_profile(draft.profile),
            },
            "for_searches": name_columns(account.name, account.company),
            "birthday": draft.birthday,
            "points": [
                {
                    "kind": point.kind,
                    "value": point.value,
                    "as_given": point.as_given,
                    "label": point.label,
                    "extension": point.extension or "",
                }
                for point in account.contact_points
            ],
        }
        self.spool.write(orjson.dumps(row) + b"\n")
        self.rows += 1
        if self.options.progress and self.rows % TOLD_EVERY == 0:
            self.options.progress("checked", self.rows)

    def _key(self, line: int, values: Sequence[str]) -> str | None:
        if self.options.key is None:
            return None
        if len(values) != 1:
            raise ValueError(f"a row has one {self.options.key.value}, its key; this one has {len(values) or 'none'}")
        first = self._keys.setdefault(values[0], line)
        if first != line:
            raise ValueError(f"{self.options.key.value} {values[0]!r} is the key of line {first} already")
        return values[0]

    def _problem(self, line: int, what: str, hint: str = "") -> None:
        self._problems.append(Problem(where=f"{self.path}:{line}", what=what, hint=hint))


def _profile(given: Mapping[str, Any]) -> dict[str, Any]:
    return profile_columns(given, None, {}) if given else {}
