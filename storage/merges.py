"""Two records of one customer become one, and can be parted again: the merged account stays as an empty husk that points to the
account that was kept, and what the merge changed is kept beside it.

What is undone is exactly what the merge did: interactions that came with the merged account go back with it, those that came
later stay with the kept one, and so does everything that people changed since.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal, or_, select, update

from cti_bridge.domain.account import Account, AccountId, ContactKind
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.merge import Duplicate, DuplicateReason, Merge, MergeId, MergeRefused
from cti_bridge.domain.webhook import account_merged
from storage.accounts import POINT_COLUMNS, Accounts, name_columns
from storage.audit_log import append
from storage.database import Database
from storage.names import SIMILAR, likeness
from storage.schema import accounts, cases, contact_points, interactions, match_choices, merged_interactions, merges, new_id
from storage.webhooks import Outbox

MAX_PROPOSALS = 20
MAX_COMPARED = 500
"""Accounts whose names are compared with one; a name shared by more says nothing anyhow."""

_FILLED = (
    "company", "tier", "tier_reason", "language", "note", "customer_kind", "chain_place", "stage", "revenue", "profit",
    "days_to_pay", "last_order_on", "preferred_agent", "preferences", "taboos",
)  # fmt: skip
"""What the kept account takes over from the merged one where it has nothing of its own; its name stays."""
_ADDRESSES = frozenset({ContactKind.EMAIL, ContactKind.WEB, ContactKind.MESSENGER, ContactKind.POSTAL})
_SCORES = {
    DuplicateReason.SAME_CUSTOMER_NUMBER: 60,
    DuplicateReason.SAME_ADDRESS: 50,
    DuplicateReason.SAME_NUMBER: 40,
    DuplicateReason.SAME_NAME: 45,
    DuplicateReason.SAME_SOUND: 35,
    DuplicateReason.SIMILAR_NAME: 25,
}


class Merges:
    """Merges in the store. Every method may raise StorageError."""

    def __init__(self, database: Database, reader: Accounts, outbox: Outbox | None = None) -> None:
        self._database = database
        self._accounts = reader
        self._outbox = outbox or Outbox(database=database)

    async def merge(self, kept: AccountId, merged: AccountId, *, by: str, now: datetime) -> Merge:
        """Puts `merged` into `kept`, all or nothing. Raises MergeRefused: same-account, no-such-account, account-merged."""
        if kept == merged:
            raise MergeRefused("same-account", "An account cannot be merged into itself.")

        def work(connection: Connection) -> Merge:
            done = _merge(connection, kept, merged, by, now)
            self._outbox.put(connection, [account_merged(done)])
            return done

        return await self._database.commit(work)

    async def undo(self, merge_id: MergeId, *, by: str, now: datetime) -> Merge:
        """Parts the two again. Raises MergeRefused: no-such-merge, already-undone, merged-on."""

        def work(connection: Connection) -> Merge:
            undone = _undo(connection, merge_id, by, now)
            self._outbox.put(connection, [account_merged(undone)])
            return undone

        return await self._database.commit(work)

    async def of(self, account_id: AccountId) -> tuple[Merge, ...]:
        """The merges that this account took part in, newest first."""
        part = or_(merges.c.kept_id == account_id, merges.c.merged_id == account_id)
        rows = await self._database.fetch(
            select(merges).where(part).order_by(merges.c.merged_at.desc(), merges.c.merge_id.desc())
        )
        return tuple(_merge_of(row) for row in rows)

    async def duplicates(self, account_id: AccountId) -> tuple[Duplicate, ...]:
        """Accounts that may be the same customer, likeliest first, at most `MAX_PROPOSALS`."""
        account = await self._accounts.by_id(account_id)
        if account is None or account.merged_into is not None:
            return ()
        reasons = await self._shared_points(account)
        for other_id, reason in (await self._alike(account)).items():
            reasons.setdefault(other_id, set()).add(reason)
        scored = sorted(((min(100, sum(_SCORES[r] for r in why)), one) for one, why in reasons.items()), reverse=True)
        found: list[Duplicate] = []
        for score, other_id in scored[:MAX_PROPOSALS]:
            other = await self._accounts.by_id(other_id)
            if other is not None:
                why = tuple(reason for reason in _SCORES if reason in reasons[other_id])
                found.append(Duplicate(account=other, reasons=why, score=score))
        return tuple(found)

    async def _shared_points(self, account: Account) -> dict[AccountId, set[DuplicateReason]]:
        found: dict[AccountId, set[DuplicateReason]] = {}
        for point in account.contact_points:
            same = select(contact_points.c.account_id).where(
                contact_points.c.kind == point.kind.value,
                contact_points.c.value == point.value,
                contact_points.c.account_id != account.account_id,
            )
            for row in await self._database.fetch(same.order_by(contact_points.c.account_id).limit(MAX_PROPOSALS)):
                found.setdefault(AccountId(row.account_id), set()).add(_reason_of(point.kind))
        return found

    async def _alike(self, account: Account) -> dict[AccountId, DuplicateReason]:
        own = name_columns(account.name, None)
        if not own["sound"]:
            return {}
        others = (
            select(accounts.c.account_id, accounts.c.name, accounts.c.sound)
            .where(
                accounts.c.sound_block == own["sound_block"],
                accounts.c.account_id != account.account_id,
                accounts.c.merged_into.is_(None),
            )
            .order_by(accounts.c.account_id)
            .limit(MAX_COMPARED)
        )
        found: dict[AccountId, DuplicateReason] = {}
        for row in await self._database.fetch(others):
            if name_columns(row.name, None)["search_name"] == own["search_name"]:
                found[AccountId(row.account_id)] = DuplicateReason.SAME_NAME
            elif row.sound == own["sound"]:
                found[AccountId(row.account_id)] = DuplicateReason.SAME_SOUND
            elif likeness(row.sound, own["sound"]) >= SIMILAR:
                found[AccountId(row.account_id)] = DuplicateReason.SIMILAR_NAME
        return found


def _reason_of(kind: ContactKind) -> DuplicateReason:
    if kind is ContactKind.CUSTOMER_NUMBER:
        return DuplicateReason.SAME_CUSTOMER_NUMBER
    return DuplicateReason.SAME_ADDRESS if kind in _ADDRESSES else DuplicateReason.SAME_NUMBER


def _merge(connection: Connection, kept: AccountId, merged: AccountId, by: str, now: datetime) -> Merge:
    rows = _locked(connection, kept, merged)
    for account_id in (kept, merged):
        if rows[account_id].merged_into is not None:
            detail = f"The account {account_id} was merged into {rows[account_id].merged_into}: merge that one."
            raise MergeRefused("account-merged", detail)
    merge_id = MergeId(new_id())
    changes = {
        "fields": _fill(connection, rows[kept], rows[merged], now),
        "pointing": _repoint(connection, merged, kept),
        "choices": list(
            connection.execute(select(match_choices.c.call_id).where(match_choices.c.account_id == merged)).scalars()
        ),
        "cases": list(connection.execute(select(cases.c.case_id).where(cases.c.account_id == merged)).scalars()),
        **_move_points(connection, merged, kept),
    }
    connection.execute(
        insert(merges).values(merge_id=merge_id, kept_id=kept, merged_id=merged, merged_by=by, merged_at=now, changes=changes)
    )
    theirs = select(literal(merge_id), interactions.c.interaction_id).where(interactions.c.account_id == merged)
    connection.execute(insert(merged_interactions).from_select(["merge_id", "interaction_id"], theirs))
    connection.execute(update(interactions).where(interactions.c.account_id == merged).values(account_id=kept))
    connection.execute(update(cases).where(cases.c.account_id == merged).values(account_id=kept))
    connection.execute(update(match_choices).where(match_choices.c.account_id == merged).values(account_id=kept))
    connection.execute(update(accounts).where(accounts.c.account_id == merged).values(merged_into=kept, updated_at=now))
    told = {"merge_id": merge_id, "merged_id": merged}
    append(connection, AuditAction.ACCOUNT_MERGED, actor=by, subject=kept, detail=told, now=now)
    return Merge(merge_id=merge_id, kept=kept, merged=merged, by=by, at=now)


def _undo(connection: Connection, merge_id: MergeId, by: str, now: datetime) -> Merge:
    row = connection.execute(select(merges).where(merges.c.merge_id == merge_id).with_for_update()).one_or_none()
    if row is None:
        raise MergeRefused("no-such-merge", "There is no such merge.")
    if row.undone_at is not None:
        raise MergeRefused("already-undone", "This merge was undone before.")
    rows = _locked(connection, row.kept_id, row.merged_id)
    if rows[row.kept_id].merged_into is not None:
        detail = (
            f"The account {row.kept_id} was itself merged since, into {rows[row.kept_id].merged_into}: undo that merge first."
        )
        raise MergeRefused("merged-on", detail)
    _unfill(connection, rows[row.kept_id], row.changes["fields"], now)
    _move_points_back(connection, row.kept_id, row.merged_id, row.changes)
    back = select(merged_interactions.c.interaction_id).where(merged_interactions.c.merge_id == merge_id)
    connection.execute(
        update(interactions)
        .where(interactions.c.account_id == row.kept_id, interactions.c.interaction_id.in_(back))
        .values(account_id=row.merged_id)
    )
    for table, key, moved in ((cases, cases.c.case_id, "cases"), (match_choices, match_choices.c.call_id, "choices")):
        for one in row.changes[moved]:
            theirs = update(table).where(key == one, table.c.account_id == row.kept_id)
            connection.execute(theirs.values(account_id=row.merged_id))
    connection.execute(update(accounts).where(accounts.c.account_id == row.merged_id).values(merged_into=None, updated_at=now))
    for pointing in row.changes["pointing"]:
        connection.execute(update(accounts).where(accounts.c.account_id == pointing).values(merged_into=row.merged_id))
    connection.execute(update(merges).where(merges.c.merge_id == merge_id).values(undone_by=by, undone_at=now, changes={}))
    append(
        connection,
        AuditAction.ACCOUNT_PARTED,
        actor=by,
        subject=row.kept_id,
        detail={"merge_id": merge_id, "merged_id": row.merged_id},
        now=now,
    )
    return _merge_of(connection.execute(select(merges).where(merges.c.merge_id == merge_id)).one())


def _locked(connection: Connection, *ids: str) -> dict[str, Row[Any]]:
    """The two accounts, held until the transaction's end; always in the same order, so that no two merges wait in a circle."""
    statement = select(accounts).where(accounts.c.account_id.in_(ids)).order_by(accounts.c.account_id).with_for_update()
    rows = {row.account_id: row for row in connection.execute(statement)}
    for account_id in ids:
        if account_id not in rows:
            raise MergeRefused("no-such-account", f"There is no account {account_id}.")
    return rows


def _fill(connection: Connection, kept: Row[Any], merged: Row[Any], now: datetime) -> dict[str, list[Any]]:
    """What the kept account takes over; the notes of both are kept. Gives each field as it was and as it is."""
    before, after = kept._asdict(), merged._asdict()
    changed: dict[str, list[Any]] = {}
    if after["details"]:
        changed["details"] = [before["details"], _both(before["details"] or {}, after["details"])]
    for field in _FILLED:
        if (after[field] and not before[field]) or (field == "last_order_on" and after[field] and after[field] > before[field]):
            changed[field] = [before[field], after[field]]
        elif field == "note" and after["note"] and after["note"] != before["note"]:
            changed["note"] = [before["note"], f"{before['note']}\n{after['note']}"]
    values = {field: now_is for field, (_, now_is) in changed.items()}
    company = values.get("company", kept.company)
    connection.execute(
        update(accounts)
        .where(accounts.c.account_id == kept.account_id)
        .values(**values, **name_columns(kept.name, company), updated_at=now)
    )
    return changed


def _both(own: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Dates and alerts of both (an alert must not be lost), and of the site's own fields first the kept account's."""
    lists = {
        name: [*own.get(name, ()), *(one for one in theirs.get(name, ()) if one not in own.get(name, ()))]
        for name in ("dates", "alerts")
    }
    return {**lists, "custom": {**theirs.get("custom", {}), **own.get("custom", {})}}


def _unfill(connection: Connection, kept: Row[Any], changed: dict[str, list[Any]], now: datetime) -> None:
    """Takes back what nobody has changed since."""
    present = kept._asdict()
    values = {field: was for field, (was, became) in changed.items() if present[field] == became}
    company = values.get("company", kept.company)
    connection.execute(
        update(accounts)
        .where(accounts.c.account_id == kept.account_id)
        .values(**values, **name_columns(kept.name, company), updated_at=now)
    )


def _repoint(connection: Connection, merged: AccountId, kept: AccountId) -> list[str]:
    """Whatever was merged into `merged` before is now one with `kept`: a husk always points to a living account."""
    pointing = connection.execute(select(accounts.c.account_id).where(accounts.c.merged_into == merged)).scalars().all()
    connection.execute(update(accounts).where(accounts.c.merged_into == merged).values(merged_into=kept))
    return list(pointing)


def _move_points(connection: Connection, merged: AccountId, kept: AccountId) -> dict[str, list[list[str | None]]]:
    """All contact points of `merged`, and those of them that `kept` did not have."""
    theirs, own = _points(connection, merged), _points(connection, kept)
    known = {(kind, value) for kind, value, *_ in own}
    added = [point for point in theirs if (point[0], point[1]) not in known]
    connection.execute(delete(contact_points).where(contact_points.c.account_id == merged))
    _insert_points(connection, kept, added, first=_next_position(connection, kept))
    return {"points": theirs, "added": added}


def _move_points_back(connection: Connection, kept: AccountId, merged: AccountId, changes: dict[str, Any]) -> None:
    for kind, value, *_ in changes["added"]:
        connection.execute(
            delete(contact_points).where(
                contact_points.c.account_id == kept, contact_points.c.kind == kind, contact_points.c.value == value
            )
        )
    _insert_points(connection, merged, changes["points"], first=0)


def _points(connection: Connection, account_id: AccountId) -> list[list[str | None]]:
    statement = select(*POINT_COLUMNS).where(contact_points.c.account_id == account_id).order_by(contact_points.c.position)
    return [list(row) for row in connection.execute(statement)]


def _next_position(connection: Connection, account_id: AccountId) -> int:
    last = select(func.max(contact_points.c.position)).where(contact_points.c.account_id == account_id)
    newest = connection.execute(last).scalar_one_or_none()
    return 0 if newest is None else int(newest) + 1


def _insert_points(connection: Connection, account_id: AccountId, points: Sequence[Sequence[str | None]], *, first: int) -> None:
    names = [column.name for column in POINT_COLUMNS]
    rows = [
        {"account_id": account_id, "position": first + place, **dict(zip(names, point, strict=True))}
        for place, point in enumerate(points)
    ]
    if rows:
        connection.execute(insert(contact_points), rows)


def _merge_of(row: Row[Any]) -> Merge:
    return Merge(
        merge_id=MergeId(row.merge_id),
        kept=AccountId(row.kept_id),
        merged=AccountId(row.merged_id),
        by=row.merged_by,
        at=row.merged_at,
        undone_by=row.undone_by,
        undone_at=row.undone_at,
    )
