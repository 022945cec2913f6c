"""Mends in the store what a comparison found: adds, corrects, merges, removes. Doing it twice changes nothing."""

from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Final, Protocol

from cti_bridge.domain.account import AccountId, Candidate, Found
from cti_bridge.domain.audit import DropGhost, Mend, MergeCall, PutCall, StoredCall
from cti_bridge.domain.call import Direction
from cti_bridge.domain.recorded_call import RecordedCall
from cti_bridge.record.audit import Difference, Window, record_went_on_after
from cti_bridge.record.backfill import added_call, corrected_call, source_of

MENDS_AT_ONCE: Final = 100
"""In one transaction: a call that is stored meanwhile waits for no more."""


class MendedStore(Protocol):
    async def mend(self, mends: Sequence[Mend]) -> None:
        """Does all of them, or none. Raises StorageError."""


class AccountsByPhone(Protocol):
    def by_phone(self, e164: str) -> Awaitable[Sequence[Candidate]]:
        """Everybody with this number. Raises StorageError."""


class Mender:
    """`accounts` tells whose call one is, as for a live call: by one clear match of the number."""

    def __init__(self, store: MendedStore, accounts: AccountsByPhone) -> None:
        self._store = store
        self._accounts = accounts

    async def mend(self, differences: Sequence[Difference], window: Window, *, removes: bool) -> Counter[str]:
        """How much was added, corrected, merged and removed. A ghost goes only with `removes`, and where the record has rows from
        after it: only then does it really not know the call.

        Raises StorageError: what was not mended then is found again.
        """
        done: Counter[str] = Counter(added=0, corrected=0, merged=0, removed=0)
        mends: list[Mend] = []
        for difference in differences:
            match difference:
                case Difference(recorded=None, stored=StoredCall() as ghost):
                    if removes and record_went_on_after(ghost, window):
                        mends.append(DropGhost(call_id=ghost.call_id))
                        done["removed"] += 1
                case Difference(recorded=RecordedCall() as recorded, stored=stored, fields=fields):
                    mends += [MergeCall(keep=difference.call_id, drop=extra) for extra in difference.extras]
                    done["merged"] += len(difference.extras)
                    if stored is not None:
                        mends.append(await self._corrected(stored, recorded, fields))
                        done["corrected"] += 1
                    elif not difference.extras:
                        mends.append(await self._added(recorded))
                        done["added"] += 1
            if len(mends) >= MENDS_AT_ONCE:
                await self._store.mend(mends)
                mends = []
        if mends:
            await self._store.mend(mends)
        return done

    async def _added(self, recorded: RecordedCall) -> PutCall:
        call = added_call(recorded)
        return PutCall(call=call, source=source_of(recorded), account_id=await self._customer(recorded))

    async def _corrected(self, stored: StoredCall, recorded: RecordedCall, fields: frozenset[str]) -> PutCall:
        return PutCall(
            call=corrected_call(stored, recorded, fields),
            source=source_of(recorded),
            account_id=await self._customer(recorded),
            is_new_customer=stored.document is not None and "customer_number" in fields,
        )

    async def _customer(self, recorded: RecordedCall) -> AccountId | None:
        """As for a live call: one clear match by number, or nobody."""
        number = recorded.customer_number
        if number is None or not number.startswith("+") or recorded.direction is Direction.INTERNAL:
            return None
        clear = Found(candidates=tuple(await self._accounts.by_phone(number))).clear
        return clear.account.account_id if clear else None
