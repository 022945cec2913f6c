"""Accounts that a rule of the admin's makes one: found in one pass over the contact points, merged as a person would merge them.

The older account is kept. Whatever a person has parted once stays parted, and a contact point that many accounts share (a
switchboard, a dummy address) makes nobody one.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from itertools import combinations
from typing import Any

from sqlalchemy import Row, Select, and_, func, select, tuple_

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.merge import Merge, MergeRefused, MergeRule
from storage.database import Database
from storage.merges import Merges
from storage.names import likeness
from storage.schema import accounts, contact_points, merges

BY = "rule"
"""Who merged, as the merge and the audit log name it."""
SHARED_BY_MOST = 5
"""Accounts with the same contact point; where there are more, it says nothing about who they are."""
PAGE = 1000
"""Contact points looked at in one statement."""

_Double = tuple[AccountId, AccountId]
"""The account to be kept, and its double."""
_POINT = (contact_points.c.kind, contact_points.c.value, contact_points.c.extension)


async def merge_by_rule(database: Database, store: Merges, rule: MergeRule, *, now: datetime) -> AsyncIterator[Merge]:
    """Merges what the rule says, and gives each merge as it is done. Raises StorageError; what was merged by then stays so."""
    async for kept, double in doubles(database, rule):
        try:
            yield await store.merge(kept, double, by=BY, now=now)
        except MergeRefused:
            continue  # merged meanwhile, by a person or with another contact point


async def doubles(database: Database, rule: MergeRule) -> AsyncIterator[_Double]:
    """The pairs that the rule makes one, the older account first."""
    last: Row[Any] | None = None
    while rule.same and (points := await database.fetch(_shared(rule, after=last))):
        last = points[-1]
        pairs = await _alike(database, points, rule.likeness)
        parted = await _parted(database, pairs)
        for pair in pairs:
            if frozenset(pair) not in parted:
                yield pair


def _shared(rule: MergeRule, *, after: Row[Any] | None) -> Select[Any]:
    """The next contact points that several accounts have."""
    kinds = contact_points.c.kind.in_(sorted(kind.value for kind in rule.same))
    rest = kinds if after is None else and_(kinds, tuple_(*_POINT) > tuple_(*after))
    several = func.count().between(2, SHARED_BY_MOST)
    return select(*_POINT).where(rest).group_by(*_POINT).having(several).order_by(*_POINT).limit(PAGE)


async def _alike(database: Database, points: Sequence[Row[Any]], least: int) -> list[_Double]:
    """Pairs of the accounts that share one of these points, and that sound alike."""
    owners = (
        select(*_POINT, accounts.c.account_id, accounts.c.sound)
        .join(accounts, accounts.c.account_id == contact_points.c.account_id)
        .where(tuple_(*_POINT).in_([tuple(point) for point in points]), accounts.c.sound != "")
        .order_by(accounts.c.created_at, accounts.c.account_id)
    )
    by_point: dict[tuple[str, str, str], list[tuple[AccountId, str]]] = {}
    for row in await database.fetch(owners):
        by_point.setdefault((row.kind, row.value, row.extension), []).append((AccountId(row.account_id), row.sound))
    pairs = (
        (one, other)
        for members in by_point.values()
        for (one, sound), (other, other_sound) in combinations(members, 2)
        if likeness(sound, other_sound) >= least
    )
    return list(dict.fromkeys(pairs))


async def _parted(database: Database, pairs: Sequence[_Double]) -> set[frozenset[str]]:
    """Which of these pairs a person parted before."""
    ids = {account_id for pair in pairs for account_id in pair}
    undone = select(merges.c.kept_id, merges.c.merged_id).where(merges.c.kept_id.in_(ids), merges.c.undone_at.is_not(None))
    return {frozenset(pair) for pair in await database.fetch(undone)}
