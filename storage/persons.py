"""The rights of a person: everything that is kept of one customer into a file, and all of it erased.

What stays of an erased customer are the contacts as figures: when, how long, which queue and agent. Every export and erasure
is in the audit log, which names the account by its id alone.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import JSON, Connection, Row, Table, bindparam, delete, or_, select, text, tuple_, type_coerce, update
from sqlalchemy.dialects.postgresql import JSONB

from cti_bridge.domain.account import AccountId, ContactKind, account_document
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.call import CallId, iso_utc
from cti_bridge.domain.interaction import interaction_document
from cti_bridge.domain.person import Erased, PersonRefused, Traces, erased_document
from storage.accounts import Accounts
from storage.audit_log import append
from storage.database import Database
from storage.export import PAGE, FileFormat, write_file
from storage.interactions import INTERACTION_COLUMNS, interaction_of_row
from storage.schema import (
    accounts,
    cases,
    contact_points,
    interaction_legs,
    interactions,
    match_choices,
    merges,
    tier_changes,
    webhook_deliveries,
)

CHUNK = 500
"""Ids named in one statement."""
_NUMBERS = (ContactKind.PHONE.value, ContactKind.FAX.value)
_CALLER = type_coerce(interactions.c.call, JSON().with_variant(JSONB(), "postgresql"))["customer_number"].as_string()
_WRITTEN = {"account_id": None, "account_set_by_agent": True} | dict.fromkeys(("subject", "disposition", "note", "score_comment"))
"""An interaction whose customer is gone: its own later record must not find another account by the number."""


class Persons:
    """Export and erasure of one customer. Every method may raise StorageError."""

    def __init__(self, database: Database, reader: Accounts) -> None:
        self._database = database
        self._accounts = reader

    async def export(self, account_id: AccountId, path: Path, *, by: str, now: datetime) -> int:
        """Writes all that is kept of the customer to `path` as JSON, for its owner only; gives how many interactions.

        It is in the audit log before the file is there. Raises PersonRefused: no-such-account, account-merged; FileExistsError
        and other OSErrors.
        """
        ids = await self._database.commit(lambda connection: _logged_family(connection, account_id, by, now))
        head = {
            "exported_at": iso_utc(now),
            "accounts": [account_document(account) for account in await self._accounts.by_ids(ids)],
            "tier_changes": await self._rows(tier_changes, tier_changes.c.account_id.in_(ids)),
            "merges": await self._rows(merges, or_(merges.c.kept_id.in_(ids), merges.c.merged_id.in_(ids))),
            "cases": await self._rows(cases, cases.c.account_id.in_(ids)),
            "choices": await self._rows(match_choices, match_choices.c.account_id.in_(ids)),
        }
        form = FileFormat(
            head=orjson.dumps(head)[:-1] + b',"interactions":[\n',
            row=lambda record, first: (b"" if first else b",\n") + orjson.dumps(record),
            end=b"\n]}\n",
        )
        return await write_file(path, self._interactions(ids), form)

    async def traces(self, account_id: AccountId) -> Traces:
        """By what the customer is known in what the PBX said. Raises PersonRefused: no-such-account, account-merged."""
        ids = await self._database.commit(lambda connection: _family(connection, account_id))
        numbers = await self._own_numbers(account_id)
        strays = await self._with_numbers(numbers)
        rows = await self._database.fetch(
            select(interactions.c.call_id, interactions.c.call).where(
                interactions.c.account_id.in_(ids), interactions.c.call_id.is_not(None)
            )
        )
        rows = [*rows, *await self._calls_of(strays)]
        points = select(contact_points.c.value).where(contact_points.c.account_id.in_(ids), contact_points.c.kind.in_(_NUMBERS))
        named = await self._database.fetch(select(accounts.c.name).where(accounts.c.account_id.in_(ids)))
        told = [row.call or {} for row in rows]
        return Traces(
            numbers=numbers,
            shown=frozenset(row.value for row in await self._database.fetch(points)).union(*map(_numbers_of, told)) - numbers,
            names=frozenset(row.name for row in named) | {name for one in told if (name := one.get("customer_name"))},
            calls=frozenset(CallId(row.call_id) for row in rows),
        )

    async def erase(self, account_id: AccountId, *, by: str, now: datetime, journal: int = 0) -> Erased:
        """Erases the customer with its merged doubles, all or nothing; `journal` is how much of it went from the journal before.

        Raises PersonRefused: no-such-account, account-merged.
        """
        numbers = await self._own_numbers(account_id)
        strays = await self._with_numbers(numbers)

        def work(connection: Connection) -> Erased:
            return _erase(connection, account_id, numbers, strays, by, now, journal)

        return await self._database.commit(work)

    async def _calls_of(self, interaction_ids: Sequence[str]) -> Sequence[Row[Any]]:
        found: list[Row[Any]] = []
        for chunk in _chunks(interaction_ids):
            wanted = select(interactions.c.call_id, interactions.c.call).where(interactions.c.interaction_id.in_(chunk))
            found += await self._database.fetch(wanted)
        return found

    async def _own_numbers(self, account_id: AccountId) -> frozenset[str]:
        """The customer's numbers that no other account has: a household's or a switchboard's tells of others too."""
        own = contact_points.alias("own")
        mine = select(own.c.value).where(own.c.account_id == account_id, own.c.kind.in_(_NUMBERS))
        holders = select(contact_points.c.account_id, contact_points.c.value).where(
            contact_points.c.kind.in_(_NUMBERS), contact_points.c.value.in_(mine)
        )
        rows = await self._database.fetch(holders)
        shared = {row.value for row in rows if row.account_id != account_id}
        return frozenset(row.value for row in rows) - shared

    async def _with_numbers(self, numbers: Collection[str]) -> Sequence[str]:
        """Interactions whose call shows one of the numbers, on whichever account or none; reads every call."""
        if not numbers:
            return ()
        rows = await self._database.fetch(select(interactions.c.interaction_id).where(_CALLER.in_(numbers)))
        return [row.interaction_id for row in rows]

    async def _rows(self, table: Table, condition: Any) -> list[dict[str, Any]]:
        rows = await self._database.fetch(select(table).where(condition).order_by(*table.primary_key.columns))
        return [_document(row) for row in rows]

    async def _interactions(self, ids: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
        """Oldest first, with the legs of each."""
        key = tuple_(interactions.c.started_at, interactions.c.interaction_id)
        wanted = select(*INTERACTION_COLUMNS).where(interactions.c.account_id.in_(ids))
        after: tuple[datetime, str] | None = None
        while True:
            page = wanted if after is None else wanted.where(key > tuple_(*after))
            ordered = page.order_by(interactions.c.started_at, interactions.c.interaction_id).limit(PAGE)
            rows = await self._database.fetch(ordered)
            if not rows:
                return
            legs: dict[str, list[dict[str, Any]]] = {row.interaction_id: [] for row in rows}
            for leg in await self._rows(interaction_legs, interaction_legs.c.interaction_id.in_(legs)):
                legs[leg.pop("interaction_id")].append(leg)
            for row in rows:
                yield {**interaction_document(interaction_of_row(row)), "legs": legs[row.interaction_id]}
            after = (rows[-1].started_at, rows[-1].interaction_id)


def _document(row: Row[Any]) -> dict[str, Any]:
    return {str(name): iso_utc(value) if isinstance(value, datetime) else value for name, value in row._asdict().items()}


def _logged_family(connection: Connection, account_id: AccountId, by: str, now: datetime) -> list[str]:
    ids = _family(connection, account_id)
    append(connection, AuditAction.PERSON_EXPORTED, actor=by, subject=account_id, detail={"accounts": len(ids)}, now=now)
    return ids


def _family(connection: Connection, account_id: AccountId) -> list[str]:
    """The account and the doubles merged into it, held until the transaction's end."""
    same = or_(accounts.c.account_id == account_id, accounts.c.merged_into == account_id)
    statement = select(accounts.c.account_id, accounts.c.merged_into).where(same).order_by(accounts.c.account_id)
    rows = {row.account_id: row.merged_into for row in connection.execute(statement.with_for_update())}
    if account_id not in rows:
        raise PersonRefused("no-such-account", f"There is no account {account_id}.")
    if (kept := rows[account_id]) is not None:
        raise PersonRefused("account-merged", f"The account {account_id} was merged into {kept}: name that one.")
    return list(rows)


def _erase(
    connection: Connection,
    account_id: AccountId,
    numbers: Collection[str],
    strays: Sequence[str],
    by: str,
    now: datetime,
    journal: int = 0,
) -> Erased:
    lock_interactions(connection)
    ids = _family(connection, account_id)
    interaction_count, case_count = remove_accounts(connection, ids, numbers=numbers, strays=strays, now=now)
    erased = Erased(account_id=account_id, accounts=len(ids), interactions=interaction_count, cases=case_count, journal=journal)
    told = {name: value for name, value in erased_document(erased).items() if name != "account_id"}
    append(connection, AuditAction.PERSON_ERASED, actor=by, subject=account_id, detail=told, now=now)
    return erased


def lock_interactions(connection: Connection) -> None:
    """To the transaction's end; the first step of one that removes accounts.

    On PostgreSQL a call recorded meanwhile waits here; waiting for the account's row instead, it would find that gone, and be
    refused. SQLite has one writer at a time.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE interactions IN SHARE ROW EXCLUSIVE MODE"))


def remove_accounts(
    connection: Connection, ids: Sequence[str], *, numbers: Collection[str], strays: Sequence[str], now: datetime
) -> tuple[int, int]:
    """Takes these accounts and all that tells of them out of the store; gives how many interactions stay as figures, and how many
    cases went.
    """
    theirs = connection.scalars(select(interactions.c.interaction_id).where(interactions.c.account_id.in_(ids))).all()
    for chunk in _chunks(sorted({*theirs, *strays})):
        _clean(connection, chunk, ids, now)
    count = connection.execute(delete(cases).where(cases.c.account_id.in_(ids))).rowcount
    connection.execute(delete(merges).where(or_(merges.c.kept_id.in_(ids), merges.c.merged_id.in_(ids))))
    connection.execute(delete(match_choices).where(match_choices.c.number.in_(numbers)))
    for word in (*ids, *numbers):  # those of merges and of calls without an account stand under no account of these
        connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.body.contains(word, autoescape=True)))
    connection.execute(delete(accounts).where(accounts.c.account_id.in_(ids)))  # contact points, tiers and choices go with it
    return len(theirs), count


def _clean(connection: Connection, interaction_ids: Sequence[str], ids: Collection[str], now: datetime) -> None:
    """The person out of these interactions; one that stands on somebody else's account loses only the number and name."""
    column = interactions.c
    rows = connection.execute(
        select(column.interaction_id, column.account_id, column.call).where(column.interaction_id.in_(interaction_ids))
    ).all()
    mine = [row.interaction_id for row in rows if row.account_id is None or row.account_id in ids]
    connection.execute(update(interactions).where(column.interaction_id.in_(mine)).values(**_WRITTEN, idempotency_key=None))
    parties: list[dict[str, Any]] = []
    for row in rows:
        told = _numbers_of(row.call)
        cleaned = {"call": without_caller(row.call), "erased_at": now}
        connection.execute(update(interactions).where(column.interaction_id == row.interaction_id).values(cleaned))
        parties += [{"of": row.interaction_id, "number": number} for number in told]
    if parties:
        leg = interaction_legs.c
        named = update(interaction_legs).where(leg.interaction_id == bindparam("of"), leg.party == bindparam("number"))
        connection.execute(named.values(party=""), parties)


def _numbers_of(document: dict[str, Any] | None) -> set[str]:
    shown = (document or {}).get("customer_number"), (document or {}).get("presented_number")
    return {number for number in shown if number}


def without_caller(document: dict[str, Any] | None) -> dict[str, Any] | None:
    """The call's document without who called; the same number as the one dialled or transferred to goes as well."""
    if document is None:
        return None
    numbers = _numbers_of(document)
    transfers = [{**one, "to": "" if one["to"] in numbers else one["to"]} for one in document.get("transfers", ())]
    gone = {"customer_number": None, "presented_number": None, "customer_name": None}
    did = None if document.get("did") in numbers else document.get("did")
    return {**document, **gone, "did": did, "transfers": transfers}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
