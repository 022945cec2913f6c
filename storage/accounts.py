"""Accounts with their contact points: found by number while the phone rings, searched, made and changed by people.

`by_phone` stands on the path from the ring to the pop: cached statements, indexed reads, one trip to the store.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, Select, SelectBase, delete, insert, select, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from cti_bridge.domain.account import Account, AccountId, Candidate, ContactKind, ContactPoint, Found, Tier
from cti_bridge.domain.listing import Page
from cti_bridge.domain.relation import relation_of
from storage import identity
from storage.account_search import exactly, matching, with_phone, with_value
from storage.cases import open_of
from storage.contact_points import clean, contact_point, fold
from storage.database import Database, first_line
from storage.interactions import newest_of
from storage.names import block_of, sound_of
from storage.paging import cursor_after, key_of
from storage.prepared import Prepared
from storage.profile_columns import profile_of
from storage.schema import accounts, contact_points, new_id

log = structlog.get_logger(__name__)

LIMITS = {"name": 200, "company": 200, "language": 35, "note": 4000}

ACCOUNT_COLUMNS = [
    column for column in accounts.c if column.name not in {"search_name", "sound", "sound_block", "churn_noticed_at"}
]
POINT_COLUMNS = [
    contact_points.c.kind,
    contact_points.c.value,
    contact_points.c.as_given,
    contact_points.c.label,
    contact_points.c.extension,
]


def _by_ids(ids: Sequence[str] | SelectBase) -> Select[Any]:
    return (
        select(*ACCOUNT_COLUMNS, *POINT_COLUMNS)
        .join_from(accounts, contact_points, isouter=True)
        .where(accounts.c.account_id.in_(ids))
        .order_by(accounts.c.account_id, contact_points.c.position)
    )


BY_PHONE, BY_ENTERED = Prepared(_by_ids(identity.HOLDERS)), Prepared(_by_ids(identity.ENTERED))


class Accounts:
    """The accounts in the store; `region` (ISO 3166, as `GB`) reads national numbers. Every method may raise StorageError."""

    def __init__(self, database: Database, *, region: str, today: Callable[[], date] = lambda: datetime.now(UTC).date()) -> None:
        self._database = database
        self._region = region
        self._today = today

    def by_phone(self, e164: str) -> Awaitable[tuple[Candidate, ...]]:
        """As `of_caller`, for a number alone."""
        return self.of_caller(e164, None)

    def of_caller(self, e164: str | None, entered: str | None) -> Awaitable[tuple[Candidate, ...]]:
        """Everybody with this number or its block, or for whom an agent chose it, and everybody whose customer number the caller
        typed (`entered`): at most about `identity.MAX_CANDIDATES`, the likeliest first, each with the reason of the match; a
        clear match with its history and what was promised to it."""
        today = self._today()
        return self._database.fetch_urgent(lambda connection: _candidates(connection, e164, entered, today))

    async def by_id(self, account_id: AccountId) -> Account | None:
        found = await self._with_ids([account_id])
        return found[0] if found else None

    async def by_ids(self, ids: Sequence[str]) -> tuple[Account, ...]:
        """Those of them that exist, in order of id."""
        return await self._with_ids(ids)

    async def search(
        self, *, phone: str | None, email: str | None, q: str | None, cursor: str | None, limit: int, by_part: bool = True
    ) -> Page[Account]:
        """Accounts that meet every condition given, by name: `phone` in any form (part of one where it is no whole number),
        `email` whole, `q` words of name and company in any order, or part of a contact point. Asked for `q` alone, those
        whose number or address is exactly that are the first page, at once; the others follow on the next. Raises ValueError for
        a cursor not ours.

        Not `by_part`: contact points by their whole value only, and names that may be a number not at all.
        """
        firsts: Sequence[str] = ()
        if q is not None and phone is None and email is None:
            firsts = [row.account_id for row in await self._database.fetch(exactly(q, self._region).limit(limit))]
        if firsts and cursor is None:
            return Page(items=await self._with_ids(firsts), next=cursor_after("", ""))
        wanted = select(accounts.c.account_id, accounts.c.search_name).where(accounts.c.merged_into.is_(None))
        if phone is not None:
            wanted = wanted.where(accounts.c.account_id.in_(with_phone(phone, self._region, by_part=by_part)))
        if email is not None:
            wanted = wanted.where(accounts.c.account_id.in_(with_value([ContactKind.EMAIL], fold(email))))
        if q is not None:
            wanted = wanted.where(matching(q, self._region, by_part=by_part))
        if firsts:
            wanted = wanted.where(accounts.c.account_id.not_in(firsts))
        if cursor is not None:
            wanted = wanted.where(tuple_(accounts.c.search_name, accounts.c.account_id) > tuple_(*key_of(cursor)))
        rows = await self._database.fetch(wanted.order_by(accounts.c.search_name, accounts.c.account_id).limit(limit + 1))
        page = rows[:limit]
        found = {account.account_id: account for account in await self._with_ids([row.account_id for row in page])}
        return Page(
            items=tuple(found[row.account_id] for row in page if row.account_id in found),
            next=cursor_after(page[-1].search_name, page[-1].account_id) if len(rows) > limit else None,
        )

    async def create(
        self,
        *,
        name: str,
        company: str | None,
        tier: Tier | None,
        language: str | None,
        note: str | None,
        contact_points: Sequence[tuple[ContactKind, str, str | None]],
        now: datetime,
        provisional: bool = False,
    ) -> Account:
        """A new account. Contact points are (kind, as given, label). ValueError says what cannot be read."""
        account = self.draft(
            name=name, company=company, tier=tier, language=language, note=note, contact_points=contact_points, now=now
        )
        account = replace(account, provisional=provisional)
        await self.add([account])
        return account

    def draft(
        self,
        *,
        name: str,
        company: str | None,
        tier: Tier | None,
        language: str | None,
        note: str | None,
        contact_points: Sequence[tuple[ContactKind, str, str | None]],
        now: datetime,
    ) -> Account:
        """The account `create` would make, checked and normalised but not stored. ValueError says what cannot be read."""
        fields = _checked({"name": name, "company": company, "tier": tier, "language": language, "note": note})
        return Account(
            account_id=AccountId(new_id()),
            contact_points=self._read_all(contact_points),
            created_at=now,
            updated_at=now,
            **fields,
        )

    async def add(self, drafts: Sequence[Account]) -> None:
        """Stores new accounts, all or none."""
        async with self._database.write() as connection:
            await insert_accounts(connection, drafts)

    async def change(
        self,
        account_id: AccountId,
        *,
        changes: dict[str, Any],
        contact_points: Sequence[tuple[ContactKind, str, str | None]] | None,
        now: datetime,
    ) -> Account | None:
        """Sets the fields in `changes`, replaces all contact points where given. None: no such account. A provisional account
        that is named is one no more.

        Raises ValueError for what cannot be read.
        """
        fields = _checked(changes)
        points = None if contact_points is None else self._read_all(contact_points)
        async with self._database.write() as connection:
            statement = select(*ACCOUNT_COLUMNS).where(accounts.c.account_id == account_id).with_for_update()
            present = (await connection.execute(statement)).one_or_none()
            if present is None:
                return None
            named = {"provisional": False} if "name" in fields else {}
            after = {**present._asdict(), **fields, **named, "updated_at": now}
            values = {**after, **name_columns(after["name"], after["company"])}
            await connection.execute(update(accounts).where(accounts.c.account_id == account_id).values(values))
            if points is not None:
                await _replace_points(connection, account_id, points)
            return _accounts_of((await connection.execute(_by_ids([account_id]))).all())[0]

    def read_contact_point(self, kind: ContactKind, as_given: str, label: str | None) -> ContactPoint:
        """The normalised contact point. ValueError says what is wrong with it."""
        return contact_point(kind, as_given, label, region=self._region)

    def _read_all(self, given: Iterable[tuple[ContactKind, str, str | None]]) -> tuple[ContactPoint, ...]:
        """Normalised, in the order given; the same number or address written twice is one."""
        points: dict[tuple[ContactKind, str, str | None], ContactPoint] = {}
        for kind, as_given, label in given:
            point = self.read_contact_point(kind, as_given, label)
            points.setdefault((point.kind, point.value, point.extension), point)
        return tuple(points.values())

    async def _with_ids(self, ids: Sequence[str]) -> tuple[Account, ...]:
        return _accounts_of(await self._database.fetch(_by_ids(ids))) if ids else ()


def _candidates(connection: Connection, e164: str | None, entered: str | None, today: date) -> tuple[Candidate, ...]:
    found: tuple[Account, ...] = ()
    if e164 is not None:
        found = _accounts_of(BY_PHONE.rows(connection, identity.keys_of(e164)))
        if len(found) > identity.MAX_CANDIDATES:
            found = _accounts_of(connection.execute(_by_ids(identity.foremost(connection, e164))).all())
    if entered is not None:
        found += _accounts_of(BY_ENTERED.rows(connection, {"entered": entered}))
    if not found:
        return ()
    by_id = {account.account_id: account for account in found}
    candidates = tuple(
        Candidate(account=by_id[one.account_id], reason=one.reason, detail=one.detail)
        for one in identity.ranked(connection, e164, tuple(by_id.values()), entered=entered, today=today)
    )
    clear = Found(candidates=candidates).clear
    return candidates if clear is None else (_with_past(connection, clear), *candidates[1:])


def _with_past(connection: Connection, clear: Candidate) -> Candidate:
    """Who is calling counts more than what was before: what cannot be read of the account's past is left out."""
    account_id = clear.account.account_id
    try:
        return replace(clear, history=newest_of(connection, account_id), commitments=open_of(connection, account_id))
    except (DBAPIError, sqlite3.Error) as error:
        log.warning("call.history_missing", error=first_line(error))
        return clear


async def insert_accounts(connection: AsyncConnection, drafts: Sequence[Account]) -> None:
    """Inserts new accounts with their contact points into the transaction of `connection`."""
    if not drafts:
        return
    await connection.execute(
        insert(accounts),
        [
            {
                "account_id": account.account_id,
                "name": account.name,
                "company": account.company,
                "tier": account.tier.value if account.tier else None,
                "language": account.language,
                "note": account.note,
                **name_columns(account.name, account.company),
                "created_at": account.created_at,
                "updated_at": account.updated_at,
                "provisional": account.provisional,
            }
            for account in drafts
        ],
    )
    rows = [row for account in drafts for row in _point_rows(account.account_id, account.contact_points)]
    if rows:
        await connection.execute(insert(contact_points), rows)


async def _replace_points(connection: AsyncConnection, account_id: AccountId, points: Sequence[ContactPoint]) -> None:
    await connection.execute(delete(contact_points).where(contact_points.c.account_id == account_id))
    if points:
        await connection.execute(insert(contact_points), _point_rows(account_id, points))


def _point_rows(account_id: AccountId, points: Sequence[ContactPoint]) -> list[dict[str, Any]]:
    return [
        {
            "account_id": account_id,
            "position": position,
            "kind": point.kind.value,
            "value": point.value,
            "as_given": point.as_given,
            "label": point.label,
            "extension": point.extension or "",
        }
        for position, point in enumerate(points)
    ]


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for field, value in fields.items():
        match field, value:
            case "name", None:
                raise ValueError("name is empty")
            case (("company" | "language" | "note" | "tier"), None):
                checked[field] = None
            case "tier", Tier():
                checked[field] = value
            case "note", str():
                checked[field] = _note(value)
            case (("name" | "company" | "language"), str()):
                checked[field] = clean(field, value, limit=LIMITS[field])
            case _:
                raise ValueError(f"{field} cannot be set to a {type(value).__name__}")
    return checked


def _note(value: str) -> str | None:
    if len(value) > LIMITS["note"]:
        raise ValueError(f"note is longer than {LIMITS['note']} characters")
    return value.strip() or None


def name_columns(name: str, company: str | None) -> dict[str, str]:
    """What searches and the look for doubles read of a name."""
    sound = sound_of(name)
    return {"search_name": fold(f"{name} {company or ''}"), "sound": sound, "sound_block": block_of(sound)}


def _accounts_of(rows: Sequence[Row[Any]]) -> tuple[Account, ...]:
    """One account for each run of rows with its id; an account without contact points has one row with kind NULL."""
    points: dict[str, list[ContactPoint]] = {}
    first: dict[str, Row[Any]] = {}
    for row in rows:
        first.setdefault(row.account_id, row)
        own = points.setdefault(row.account_id, [])
        if row.kind is not None:
            own.append(
                ContactPoint(
                    kind=ContactKind(row.kind),
                    value=row.value,
                    as_given=row.as_given,
                    label=row.label,
                    extension=row.extension or None,
                )
            )
    return tuple(
        Account(
            account_id=AccountId(account_id),
            name=row.name,
            company=row.company,
            tier=Tier(row.tier) if row.tier else None,
            language=row.language,
            note=row.note,
            contact_points=tuple(points[account_id]),
            created_at=row.created_at,
            updated_at=row.updated_at,
            profile=profile_of(row),
            tier_reason=row.tier_reason,
            relation=relation_of(row.relation),
            merged_into=AccountId(row.merged_into) if row.merged_into else None,
            provisional=row.provisional,
        )
        for account_id, row in first.items()
    )
