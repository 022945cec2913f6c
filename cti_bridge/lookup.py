"""Who is calling? Asked when the call arrives, answered within a deadline whatever the store does.

In: the number as the PBX presented it. Out: `Found | NotFound | Withheld | TimedOut`, never an error for a slow, locked
or broken store: the pop goes out without the customer then, and `late` waits for what is still to come (`pop.update`).
A look-up that passed its deadline is not cut off but runs on, shared by everybody who asks for the same number.
"""

import asyncio
from typing import Literal, Protocol

import structlog

from cti_bridge.domain.account import Candidate, Found, LookupResult, NotFound, TimedOut, Withheld
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.phone_number import is_withheld, read_phone

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 0.3
LATE_SECONDS = 30.0
"""How long the answer of a slow or returning store is still of use to the agent."""
RETRY_SECONDS = 1.0
"""Between two tries of a look-up that the store refused."""
MAX_RUNNING = 256
"""Look-ups under way at most; with the store away, more callers than that would only wait in vain."""

_Key = tuple[str | None, str | None]
"""The number in E.164, and the customer number that was typed."""

Counter = Literal["found", "not_found", "withheld", "timed_out", "failed", "refused"]


class AccountsByPhone(Protocol):
    async def by_phone(self, e164: str) -> tuple[Candidate, ...]:
        """Everybody with this number. Raises StorageError."""

    async def of_caller(self, e164: str | None, entered: str | None) -> tuple[Candidate, ...]:
        """Everybody with this number, or with the customer number that was typed. Raises StorageError."""


class Lookup:
    """Looks callers up in `accounts`; `region` reads national numbers. `close()` ends what is still under way."""

    def __init__(
        self,
        accounts: AccountsByPhone,
        region: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._accounts = accounts
        self._region = region
        self._deadline_seconds = deadline_seconds
        self._late_seconds = late_seconds
        self._running: dict[_Key, asyncio.Task[LookupResult]] = {}
        self.counters: dict[Counter, int] = dict.fromkeys(("found", "not_found", "withheld", "timed_out", "failed", "refused"), 0)
        """Answers by kind; failed: the store raised; refused: too many look-ups under way."""

    async def by_number(self, presented: str | None, *, untrusted: bool = False, entered: str | None = None) -> LookupResult:
        """Who has this number, or the customer number that the caller typed (`entered`), within the deadline; `untrusted` (a
        forged caller number) matches nobody, whatever was typed.

        Runs on behind a `TimedOut`: see `late`. Cancelling the caller does not cancel the look-up.
        """
        return await self._answer(presented, entered, untrusted=untrusted, seconds=self._deadline_seconds)

    async def late(self, presented: str | None, *, untrusted: bool = False, entered: str | None = None) -> LookupResult:
        """What `by_number` had no time for: joins the look-up under way, and gives TimedOut only after `late_seconds`."""
        seconds = self._late_seconds + self._deadline_seconds
        return await self._answer(presented, entered, untrusted=untrusted, seconds=seconds)

    def number_of(self, presented: str | None, *, untrusted: bool) -> str | None:
        """The number in E.164 that a caller is known by; None for one that is withheld, malformed or forged."""
        if untrusted or presented is None or is_withheld(presented):
            return None
        phone = read_phone(presented, self._region)
        return phone.e164 if phone else None

    async def close(self) -> None:
        """Cancels the look-ups under way and waits for their end."""
        running = tuple(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _answer(self, presented: str | None, entered: str | None, *, untrusted: bool, seconds: float) -> LookupResult:
        key = self.number_of(presented, untrusted=untrusted), None if untrusted else entered
        if key == (None, None):
            self.counters["withheld"] += 1
            return Withheld()
        task = self._running.get(key) or self._start(key)
        if task is None:
            self.counters["refused"] += 1
            return TimedOut()
        done, _ = await asyncio.wait({task}, timeout=seconds)
        return self._counted(task.result() if done and not task.cancelled() else TimedOut())

    def _start(self, key: _Key) -> asyncio.Task[LookupResult] | None:
        if len(self._running) >= MAX_RUNNING:
            return None
        task = asyncio.create_task(self._look_up(*key), name="lookup")
        given_up = asyncio.get_running_loop().call_later(self._late_seconds, task.cancel)

        def over(_: object) -> None:
            given_up.cancel()
            del self._running[key]

        self._running[key] = task
        task.add_done_callback(over)
        return task

    async def _look_up(self, e164: str | None, entered: str | None) -> LookupResult:
        while True:
            try:
                if e164 is not None and entered is None:
                    candidates = await self._accounts.by_phone(e164)
                else:
                    candidates = await self._accounts.of_caller(e164, entered)
            except StorageError as error:
                self.counters["failed"] += 1
                log.warning("lookup.failed", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if candidates:
                    return Found(candidates=candidates)
                return NotFound() if e164 is not None else Withheld()

    def _counted(self, result: LookupResult) -> LookupResult:
        match result:
            case Found():
                self.counters["found"] += 1
            case NotFound():
                self.counters["not_found"] += 1
            case Withheld():
                self.counters["withheld"] += 1
            case TimedOut():
                self.counters["timed_out"] += 1
        return result
