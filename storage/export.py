"""Accounts and interactions into a file: CSV that spreadsheets open without harm, or JSON, row by row however many there are.

What callers and agents wrote may begin like a formula (`=HYPERLINK(…)`); such a cell gets an apostrophe before it, as
spreadsheets themselves write text, and the import takes it away again. The file appears whole, or not at all, for its owner only.
"""

import csv
import io
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import orjson
from sqlalchemy import select, tuple_

from cti_bridge.domain.account import Account, ContactKind, account_document
from cti_bridge.domain.interaction import Interaction, interaction_document
from storage.accounts import Accounts
from storage.database import Database
from storage.interactions import INTERACTION_COLUMNS, interaction_of_row
from storage.schema import accounts as accounts_table
from storage.schema import interactions as interactions_table

PAGE = 500
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula (OWASP, CSV injection)."""

ACCOUNT_CELLS: Mapping[str, Callable[[Account], Any]] = {
    "account_id": lambda one: one.account_id,
    "name": lambda one: one.name,
    "company": lambda one: one.company,
    "tier": lambda one: one.tier.value if one.tier else None,
    "language": lambda one: one.language,
    "phones": lambda one: _points(one, ContactKind.PHONE),
    "emails": lambda one: _points(one, ContactKind.EMAIL),
    "faxes": lambda one: _points(one, ContactKind.FAX),
    "customer_numbers": lambda one: _points(one, ContactKind.CUSTOMER_NUMBER),
    "kind": lambda one: one.profile.kind,
    "stage": lambda one: one.profile.stage,
    "revenue": lambda one: one.profile.revenue,
    "profit": lambda one: one.profile.profit,
    "days_to_pay": lambda one: one.profile.days_to_pay,
    "last_order_on": lambda one: one.profile.last_order_on,
    "preferences": lambda one: one.profile.preferences,
    "taboos": lambda one: one.profile.taboos,
    "note": lambda one: one.note,
    "satisfaction": lambda one: one.relation.satisfaction.average if one.relation.satisfaction else None,
    "churn_signs": lambda one: "; ".join(sign.kind.value for sign in one.relation.signs) or None,
    "created_at": lambda one: one.created_at.isoformat(),
    "updated_at": lambda one: one.updated_at.isoformat(),
}
INTERACTION_CELLS: Mapping[str, Callable[[Interaction], Any]] = {
    "interaction_id": lambda one: one.interaction_id,
    "account_id": lambda one: one.account_id,
    "channel": lambda one: one.channel.value,
    "direction": lambda one: one.direction.value,
    "started_at": lambda one: one.started_at.isoformat(),
    "ended_at": lambda one: one.ended_at.isoformat() if one.ended_at else None,
    "customer_number": lambda one: (one.call or {}).get("customer_number"),
    "queue": lambda one: one.queue,
    "agent": lambda one: one.agent,
    "outcome": lambda one: one.outcome,
    "wait_s": lambda one: (one.call or {}).get("wait_s"),
    "talk_s": lambda one: (one.call or {}).get("talk_s"),
    "hold_s": lambda one: (one.call or {}).get("hold_s"),
    "disposition": lambda one: one.disposition,
    "subject": lambda one: one.subject,
    "note": lambda one: one.note,
    "satisfaction": lambda one: one.satisfaction.score if one.satisfaction else None,
    "satisfaction_source": lambda one: one.satisfaction.source.value if one.satisfaction else None,
    "satisfaction_comment": lambda one: one.satisfaction.comment if one.satisfaction else None,
    "call_id": lambda one: one.call_id,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    head: bytes
    row: Callable[[Any, bool], bytes]
    """What one record adds to the file; the flag: it is the first."""
    end: bytes


class Records(Protocol):
    def __aiter__(self) -> AsyncIterator[Any]: ...


async def export_accounts(database: Database, accounts: Accounts, path: Path) -> int:
    """Writes every account (merged doubles left out) to `path`, in order of id; gives how many.

    Raises ValueError for a name that ends in neither .csv nor .json, FileExistsError and other OSErrors, StorageError.
    """
    return await write_file(path, _all_accounts(database, accounts), _format_of(path, ACCOUNT_CELLS, account_document))


async def export_interactions(database: Database, path: Path, *, since: datetime | None, until: datetime | None) -> int:
    """Writes the interactions that began in [since, until) to `path`, oldest first; gives how many. Raises as export_accounts."""
    records = _all_interactions(database, since, until)
    return await write_file(path, records, _format_of(path, INTERACTION_CELLS, interaction_document))


async def _all_accounts(database: Database, reader: Accounts) -> AsyncIterator[Account]:
    last = ""
    while True:
        page = (
            select(accounts_table.c.account_id)
            .where(accounts_table.c.account_id > last, accounts_table.c.merged_into.is_(None))
            .order_by(accounts_table.c.account_id)
            .limit(PAGE)
        )
        ids = [row.account_id for row in await database.fetch(page)]
        if not ids:
            return
        for account in await reader.by_ids(ids):
            yield account
        last = ids[-1]


async def _all_interactions(database: Database, since: datetime | None, until: datetime | None) -> AsyncIterator[Interaction]:
    table = interactions_table.c
    wanted = select(*INTERACTION_COLUMNS)
    if since is not None:
        wanted = wanted.where(table.started_at >= since)
    if until is not None:
        wanted = wanted.where(table.started_at < until)
    after: tuple[datetime, str] | None = None
    while True:
        page = wanted if after is None else wanted.where(tuple_(table.started_at, table.interaction_id) > tuple_(*after))
        rows = await database.fetch(page.order_by(table.started_at, table.interaction_id).limit(PAGE))
        if not rows:
            return
        for row in rows:
            yield interaction_of_row(row)
        after = (rows[-1].started_at, rows[-1].interaction_id)


async def write_file(path: Path, records: Records, form: FileFormat) -> int:
    """Under another name until it is whole; a link refuses to write over what is there, which a rename would not."""
    part = path.with_name(f".{path.name}.part")
    count = 0
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(form.head)
            async for record in records:
                file.write(form.row(record, count == 0))
                count += 1
            file.write(form.end)
        os.link(part, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108 (a Path's own method counts as blocking, this takes as long)
    return count


def _format_of(path: Path, cells: Mapping[str, Callable[[Any], Any]], document: Callable[[Any], dict[str, Any]]) -> FileFormat:
    match path.suffix.lower():
        case ".csv":
            # The mark at the beginning tells spreadsheets that this is UTF-8.
            return FileFormat(
                head=b"\xef\xbb\xbf" + _line(cells.keys()),
                row=lambda record, _: _line(safe_cell(read(record)) for read in cells.values()),
                end=b"",
            )
        case ".json":
            return FileFormat(
                head=b"[\n",
                row=lambda record, first: (b"" if first else b",\n") + orjson.dumps(document(record)),
                end=b"\n]\n",
            )
        case _:
            raise ValueError(f"{path}: the name ends in .csv or .json")


def safe_cell(value: Any) -> str:
    """The value as a cell that no spreadsheet takes for a formula; figures stay figures."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def cell_text(cell: str) -> str:
    """What `safe_cell` was made of."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell


def _line(cells: Any) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def _points(account: Account, kind: ContactKind) -> str:
    own = [point for point in account.contact_points if point.kind is kind]
    return "; ".join(f"{one.value} ext. {one.extension}" if one.extension else one.value for one in own)
