"""Customers' files and tiers: what people and imports write, and the tier that the site's rules make of it, with its history."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select, update

from cti_bridge.domain.account import Account, AccountId, Tier
from cti_bridge.domain.audit_log import AuditAction
from cti_bridge.domain.tiers import TierChange, TierRules, decide_tier
from storage.accounts import ACCOUNT_COLUMNS, Accounts
from storage.audit_log import append
from storage.database import Database
from storage.profile_columns import FieldType, profile_columns, profile_of
from storage.schema import accounts, tier_changes

log = structlog.get_logger(__name__)

CHUNK = 500
"""Accounts judged in one transaction, so that calls are recorded in between."""
HISTORY = 100


class Profiles:
    """`rules` make tiers, `fields` are the site's own. Every method may raise StorageError."""

    def __init__(self, database: Database, reader: Accounts, *, rules: TierRules, fields: Mapping[str, FieldType]) -> None:
        self._database = database
        self._accounts = reader
        self._rules = rules
        self._fields = fields

    async def change(self, account_id: AccountId, changes: Mapping[str, Any], *, now: datetime) -> Account | None:
        """Sets what is given of the customer's file, and the tier that follows. None: no such account, or merged into another.

        Raises ValueError for what cannot be read.
        """

        def work(connection: Connection) -> bool:
            row = _locked(connection, account_id)
            if row is None:
                return False
            columns = profile_columns(changes, row, self._fields)
            after = connection.execute(
                update(accounts)
                .where(accounts.c.account_id == account_id)
                .values(**columns, updated_at=now)
                .returning(*ACCOUNT_COLUMNS)
            ).one()
            self._judge(connection, after, now)
            return True

        return await self._accounts.by_id(account_id) if await self._database.commit(work) else None

    async def set_tier(self, account_id: AccountId, tier: Tier | None, *, by: str, now: datetime) -> bool:
        """A person sets the tier; it stays until the customer's figures change. False: no such account."""

        def work(connection: Connection) -> bool:
            row = _locked(connection, account_id)
            if row is not None:
                _set_tier(connection, row, tier, f"set by {by}", by=by, now=now)
                told = {"before": row.tier, "after": tier.value if tier else None}
                append(connection, AuditAction.TIER_SET, actor=by, subject=account_id, detail=told, now=now)
            return row is not None

        return await self._database.commit(work)

    async def tiers(self, account_id: AccountId) -> tuple[TierChange, ...]:
        """How the tier came about, newest first."""
        rows = await self._database.fetch(
            select(tier_changes)
            .where(tier_changes.c.account_id == account_id)
            .order_by(tier_changes.c.changed_at.desc())
            .limit(HISTORY)
        )
        return tuple(_change_of(row) for row in rows)

    async def judge_all(self, *, now: datetime) -> int:
        """Judges every account by the rules as they are now; gives how many rose or fell. For the start and changed rules."""
        changed, last = 0, ""
        while True:

            def work(connection: Connection, after: str = last) -> tuple[int, str | None]:
                rows = connection.execute(
                    select(*ACCOUNT_COLUMNS)
                    .where(accounts.c.account_id > after, accounts.c.merged_into.is_(None))
                    .order_by(accounts.c.account_id)
                    .limit(CHUNK)
                    .with_for_update()
                ).all()
                return sum(self._judge(connection, row, now) for row in rows), rows[-1].account_id if rows else None

            moved, reached = await self._database.commit(work)
            changed += moved
            if reached is None:
                log.info("tiers.judged", changed=changed)
                return changed
            last = reached

    def _judge(self, connection: Connection, row: Row[Any], now: datetime) -> bool:
        present = Tier(row.tier) if row.tier else None
        decision = decide_tier(profile_of(row), present, self._rules)
        if decision is None or (decision.tier is present and decision.reason == row.tier_reason):
            return False
        _set_tier(connection, row, decision.tier, decision.reason, by=None, now=now)
        return decision.tier is not present


def _locked(connection: Connection, account_id: AccountId) -> Row[Any] | None:
    statement = select(*ACCOUNT_COLUMNS).where(accounts.c.account_id == account_id, accounts.c.merged_into.is_(None))
    return connection.execute(statement.with_for_update()).one_or_none()


def _set_tier(connection: Connection, row: Row[Any], tier: Tier | None, reason: str, *, by: str | None, now: datetime) -> None:
    """The new reason always, a line of history only where the tier itself changed."""
    value = tier.value if tier else None
    connection.execute(
        update(accounts)
        .where(accounts.c.account_id == row.account_id)
        .values(tier=value, tier_reason=reason if tier else None, updated_at=now)
    )
    if row.tier != value:
        connection.execute(
            tier_changes.insert().values(
                account_id=row.account_id,
                changed_at=now,
                tier_before=row.tier,
                tier_after=value,
                reason=reason,
                changed_by=by,
            )
        )


def _change_of(row: Row[Any]) -> TierChange:
    return TierChange(
        account_id=AccountId(row.account_id),
        at=row.changed_at,
        before=Tier(row.tier_before) if row.tier_before else None,
        after=Tier(row.tier_after) if row.tier_after else None,
        reason=row.reason,
        by=row.changed_by,
    )
