"""Stand-ins for what is done to accounts: merges and customers' files; they note what they were told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import uuid_utils

from cti_bridge.domain.account import Account, AccountId, Tier
from cti_bridge.domain.merge import Duplicate, Merge, MergeId, MergeRefused
from cti_bridge.domain.tiers import TierChange
from tests.support.stores import FakeAccounts


@dataclass
class FakeProfiles:
    accounts: FakeAccounts
    told: list[tuple[Any, ...]] = field(default_factory=list)
    history: list[TierChange] = field(default_factory=list)

    async def change(self, account_id: AccountId, changes: Mapping[str, Any], *, now: datetime) -> Account | None:
        if "custom" in changes:
            raise ValueError("custom.x is no field of this site")
        self.told.append(("change", account_id, dict(changes)))
        return self.accounts.kept.get(account_id)

    async def set_tier(self, account_id: AccountId, tier: Tier | None, *, by: str, now: datetime) -> bool:
        self.told.append(("set_tier", account_id, tier, by))
        self.accounts.kept[account_id] = replace(self.accounts.kept[account_id], tier=tier)
        return True

    async def tiers(self, account_id: AccountId) -> Sequence[TierChange]:
        return self.history


@dataclass
class FakeMerges:
    """Refuses everything while `refusal` is set."""

    done: list[Merge] = field(default_factory=list)
    proposals: list[Duplicate] = field(default_factory=list)
    refusal: MergeRefused | None = None

    async def merge(self, kept: AccountId, merged: AccountId, *, by: str, now: datetime) -> Merge:
        if self.refusal:
            raise self.refusal
        self.done.append(Merge(merge_id=MergeId(str(uuid_utils.uuid7())), kept=kept, merged=merged, by=by, at=now))
        return self.done[-1]

    async def undo(self, merge_id: MergeId, *, by: str, now: datetime) -> Merge:
        if self.refusal:
            raise self.refusal
        return replace(next(one for one in self.done if one.merge_id == merge_id), undone_by=by, undone_at=now)

    async def of(self, account_id: AccountId) -> Sequence[Merge]:
        return [one for one in self.done if account_id in {one.kept, one.merged}]

    async def duplicates(self, account_id: AccountId) -> Sequence[Duplicate]:
        return self.proposals
