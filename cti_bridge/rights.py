"""A customer erased from all that this service keeps: first from the journals, then from the store.

In that order because only the store knows what to look for: whatever cuts it short, the customer is still there to be erased
again, and what was written over already stays so.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.person import Erased
from cti_bridge.journal.traces import Finder
from storage.persons import Persons

EraseInJournal = Callable[[Finder], Awaitable[int]]
"""Writes over what the finder finds in one PBX's journal, on the disk when it returns; gives how many places. Raises OSError."""


class PersonRights:
    """What the admin's page and the command erase with; `journals` by PBX, `region` reads national numbers."""

    def __init__(self, persons: Persons, journals: Mapping[str, EraseInJournal], *, region: str) -> None:
        self._persons = persons
        self._journals = journals
        self._region = region

    async def erase(self, account_id: AccountId, *, by: str, now: datetime) -> Erased:
        """The customer with all merged doubles.

        Raises PersonRefused: no-such-account, account-merged; StorageError: the store or a journal cannot be written.
        """
        traces = await self._persons.traces(account_id)
        places = 0
        for pbx, erase in self._journals.items():
            try:
                places += await erase(Finder(traces, pbx, self._region))
            except OSError as error:
                raise StorageError(f"the journal of {pbx} cannot be written: {error.strerror or error}") from error
        return await self._persons.erase(account_id, by=by, now=now, journal=places)
