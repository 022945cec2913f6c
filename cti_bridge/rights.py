"""A customer erased from all that this service keeps: first from the journals, then from the store.

In that order because only the store knows what to look for: whatever cuts it short, the customer is still there to be erased
again, and what was written over already stays so.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.person import Erased
from cti_bridge.journal.traces import Finder
from storage.persons import Persons


class ErasableJournal(Protocol):
    """One PBX's journal: that of the running service, or the folder of a stopped one."""

    async def erase(self, finder: Finder) -> int:
        """Writes over what the finder finds, on the disk when it returns; gives how many places. Raises OSError."""


class PersonRights:
    """What the admin's page and the command erase with; `journals` by PBX, `region` reads national numbers."""

    def __init__(self, persons: Persons, journals: Mapping[str, ErasableJournal], *, region: str) -> None:
        self._persons = persons
        self._journals = journals
        self._region = region

    async def erase(self, account_id: AccountId, *, by: str, now: datetime) -> Erased:
        """The customer with all merged doubles.

        Raises PersonRefused: no-such-account, account-merged; StorageError: the store or a journal cannot be written.
        """
        traces = await self._persons.traces(account_id)
        places = 0
        for pbx, journal in self._journals.items():
            try:
                places += await journal.erase(Finder(traces, pbx, self._region))
            except OSError as error:
                raise StorageError(f"the journal of {pbx} cannot be written: {error.strerror or error}") from error
        return await self._persons.erase(account_id, by=by, now=now, journal=places)
