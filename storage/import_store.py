"""An import's rows into the store, some hundreds in a few statements: new accounts added, those with a known key updated.

A row brings what its file has: an empty cell changes nothing, contact points are added to those there. Tiers follow the
site's rules; where these decide nothing, the file's own holds.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, insert, select, tuple_, update

from cti_bridge.domain.account import ContactKind, Tier
from cti_bridge.domain.tiers import TierRules, decide_tier
from storage.accounts import ACCOUNT_COLUMNS, name_columns
from storage.contact_points import fold
from storage.profile_columns import profile_of
from storage.schema import accounts, contact_points, tier_changes

CHUNK = 300
"""Rows asked about or stored in one statement."""
BY = "import"
"""Who changed a tier that no rule did."""
BIRTHDAY = "birthday"
FIGURES = ("revenue", "profit", "days_to_pay")

Stored = Mapping[str, Any]
"""One row, as `storage.import_accounts` lays it by."""
_NEW = dict.fromkeys(column.name for column in ACCOUNT_COLUMNS) | {"provisional": False}
_UPDATE = update(accounts).where(accounts.c.account_id == bindparam("of_account"))


@dataclass(slots=True)
class Counts:
    added: int = 0
    updated: int = 0


class MeansSeveral(Exception):
    """Rows of which nobody can say which account they mean: (line, why)."""

    def __init__(self, rows: Sequence[tuple[int, str]]) -> None:
        super().__init__("an import's key means several accounts")
        self.rows = rows


class Importing:
    """One import in the transaction of `connection`."""

    def __init__(self, connection: Connection, *, key: ContactKind | None, rules: TierRules, now: datetime) -> None:
        self.counts = Counts()
        self._connection = connection
        self._key = key
        self._rules = rules
        self._now = now
        self._updated_by: dict[str, int] = {}
        """The line that updated an account: one account is not two rows' own."""

    def store(self, rows: Sequence[Stored]) -> None:
        """Raises MeansSeveral; the transaction is to be given up then."""
        if self._key is None:
            self._add(self._unknown(rows))
            return
        known = self._holders(self._key, [row["key"] for row in rows])
        self._check_one_each(rows, known)
        self._add([row for row in rows if row["key"] not in known])
        self._update({known[row["key"]][0]: row for row in rows if row["key"] in known})

    def _unknown(self, rows: Sequence[Stored]) -> list[Stored]:
        """The rows that are neither in the store, where earlier chunks are already, nor earlier in this chunk."""
        points = {(point["kind"], point["value"]) for row in rows for point in row["points"]}
        stored = (
            select(accounts.c.name, contact_points.c.kind, contact_points.c.value)
            .join_from(contact_points, accounts)
            .where(tuple_(contact_points.c.kind, contact_points.c.value).in_(points))
        )
        seen = {(fold(name), kind, value) for name, kind, value in self._connection.execute(stored)}
        new = []
        for row in rows:
            name = fold(row["columns"]["name"])
            own = {(name, point["kind"], point["value"]) for point in row["points"]}
            if seen.isdisjoint(own):
                new.append(row)
            seen |= own
        return new

    def _holders(self, kind: ContactKind, keys: Sequence[str]) -> dict[str, list[str]]:
        held = select(contact_points.c.value, contact_points.c.account_id).where(
            contact_points.c.kind == kind.value, contact_points.c.value.in_(keys)
        )
        holders: dict[str, list[str]] = defaultdict(list)
        for value, account_id in self._connection.execute(held.distinct()):
            holders[value].append(account_id)
        return holders

    def _check_one_each(self, rows: Sequence[Stored], known: Mapping[str, Sequence[str]]) -> None:
        bad = []
        for row in rows:
            holders = known.get(row["key"], ())
            if len(holders) > 1:
                bad.append((row["line"], f"{len(holders)} accounts have {row['key']!r}: it is no key"))
            elif holders and (first := self._updated_by.setdefault(holders[0], row["line"])) != row["line"]:
                bad.append((row["line"], f"this is the account of line {first}"))
        if bad:
            raise MeansSeveral(bad)

    def _add(self, rows: Sequence[Stored]) -> None:
        self.counts.added += len(rows)
        values = []
        for row in rows:
            made = {**_NEW, **row["columns"], "account_id": row["account_id"], "created_at": self._now, "updated_at": self._now}
            made["details"] = _with_birthday(None, row["birthday"])
            values.append({**made, **self._judged({}, made, row), **row["for_searches"]})
        self._insert(accounts, values)
        self._insert(contact_points, [point for row in rows for point in _new_points(row, row["account_id"], ())])
        self._note_tiers({}, values)

    def _update(self, rows: Mapping[str, Stored]) -> None:
        wanted = select(*ACCOUNT_COLUMNS).where(accounts.c.account_id.in_(list(rows))).with_for_update()
        present = {account.account_id: account._asdict() for account in self._connection.execute(wanted)}
        own: dict[str, list[Row[Any]]] = defaultdict(list)
        for point in self._connection.execute(select(contact_points).where(contact_points.c.account_id.in_(list(rows)))):
            own[point.account_id].append(point)
        values, points = [], []
        for account_id, before in present.items():
            row = rows[account_id]
            after = {**before, **{name: value for name, value in row["columns"].items() if value is not None}}
            after["details"] = _with_birthday(before["details"], row["birthday"])
            after["provisional"] = before["provisional"] and after["name"] == before["name"]
            after |= self._judged(before, after, row)
            new = _new_points(row, account_id, own[account_id])
            if after != before or new:
                points += new
                values.append({**after, **name_columns(after["name"], after["company"]), "updated_at": self._now})
        self.counts.updated += len(values)
        if values:
            self._connection.execute(_UPDATE, [{**one, "of_account": one["account_id"]} for one in values])
        self._insert(contact_points, points)
        self._note_tiers(present, values)

    def _judged(self, before: Mapping[str, Any], after: Mapping[str, Any], row: Stored) -> dict[str, str | None]:
        """The rules judge figures that are new; a tier that a person set stays while they are the same."""
        present, given = before.get("tier"), row["columns"]["tier"]
        held = present or given
        decision = decide_tier(profile_of(SimpleNamespace(**after)), Tier(held) if held else None, self._rules)
        if decision is not None and any(after[name] != before.get(name) for name in FIGURES):
            return {"tier": decision.tier.value, "tier_reason": decision.reason}
        if decision is None and given and given != present:
            return {"tier": given, "tier_reason": f"set by {BY}"}
        return {"tier": present, "tier_reason": after["tier_reason"]}

    def _note_tiers(self, before: Mapping[str, Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> None:
        changes = []
        for one in after:
            present = before.get(one["account_id"], {}).get("tier")
            if one["tier"] != present:
                is_own = one["tier_reason"] == f"set by {BY}"
                change = {"account_id": one["account_id"], "changed_at": self._now, "tier_before": present}
                told = {"tier_after": one["tier"], "reason": one["tier_reason"], "changed_by": BY if is_own else None}
                changes.append({**change, **told})
        self._insert(tier_changes, changes)

    def _insert(self, table: Table, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)


def _new_points(row: Stored, account_id: str, own: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """The row's contact points that the account has not, after those that it has."""
    known = {(point.kind, point.value, point.extension) for point in own}
    new = [point for point in row["points"] if (point["kind"], point["value"], point["extension"]) not in known]
    first = max((point.position for point in own), default=-1) + 1
    return [{**point, "account_id": account_id, "position": first + place} for place, point in enumerate(new)]


def _with_birthday(details: Mapping[str, Any] | None, day: str | None) -> dict[str, Any] | None:
    if day is None:
        return None if details is None else dict(details)
    others = [one for one in (details or {}).get("dates", ()) if one["name"] != BIRTHDAY]
    return {**(details or {}), "dates": [*others, {"name": BIRTHDAY, "on": day}]}
