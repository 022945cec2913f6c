"""What follows a merge or its undoing, whoever did it: the relation is judged anew, and agents on the phone see the account."""

from datetime import datetime

from cti_bridge.domain.merge import Merge
from screen_pop.hub import Hub
from screen_pop.ports import Accounts, Cases, Relations


async def show_merge(merge: Merge, *, accounts: Accounts, cases: Cases, relations: Relations, hub: Hub, now: datetime) -> None:
    """Raises StorageError."""
    await relations.refresh([merge.kept, merge.merged], now=now)
    account = await accounts.by_id(merge.kept)
    if account is not None:
        await hub.account_changed(account, await cases.open_of(merge.kept), instead_of=merge.merged, at=now)
