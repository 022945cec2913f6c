"""Who is calling? Asked when the call arrives, answered within a deadline whatever the store does.

In: the number as the PBX presented it. Out: `Found | NotFound | Withheld | TimedOut`, never an error for a slow, locked
or broken store: the pop goes out without the customer then, and `late` waits for what is still to come (`pop.update`).
A look-up that passed its deadline is not cut off but runs on, shared by everybody who asks for the same number.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
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


class AccountsOfCaller(Protocol):
    def of_caller(self, e164: str | None, entered: str | None) -> Awaitable[tuple[Candidate, ...]]:
        """Everybody with this number, or with the customer number that was typed. Raises StorageError."""


@dataclass(slots=True, kw_only=True)
class _UnderWay:
    """One number's look-up: what the store was asked last, and who waits for what comes of it."""

    asked: asyncio.Future[tuple[Candidate, ...]]
    given_up: asyncio.TimerHandle
    waiting: set[asyncio.Future[LookupResult]] = field(default_factory=set)


class Lookup:
    """Looks callers up in `accounts`; `region` reads national numbers. `close()` ends what is still under way."""

    def __init__(
        self,
        accounts: AccountsOfCaller,
        region: str,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
        late_seconds: float = LATE_SECONDS,
    ) -> None:
        self._accounts = accounts
        self._region = region
        self._deadline_seconds = deadline_seconds
        self._late_seconds = late_seconds
        self._running: dict[_Key, _UnderWay] = {}
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
        """Gives up the look-ups under way and waits for their end."""
        asked = [one.asked for one in self._running.values()]
        for key in tuple(self._running):
            self._end(key, TimedOut())
        await asyncio.gather(*asked, return_exceptions=True)

    async def _answer(self, presented: str | None, entered: str | None, *, untrusted: bool, seconds: float) -> LookupResult:
        key = self.number_of(presented, untrusted=untrusted), None if untrusted else entered
        if key == (None, None):
            self.counters["withheld"] += 1
            return Withheld()
        under_way = self._running.get(key) or self._start(key)
        if under_way is None:
            self.counters["refused"] += 1
            return TimedOut()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[LookupResult] = loop.create_future()
        deadline = loop.call_later(seconds, _tell, answer, TimedOut())
        under_way.waiting.add(answer)
        try:
            return self._counted(await answer)
        finally:
            deadline.cancel()
            under_way.waiting.discard(answer)

    def _start(self, key: _Key) -> _UnderWay | None:
        if len(self._running) >= MAX_RUNNING:
            return None
        asked = self._ask(key)
        given_up = asyncio.get_running_loop().call_later(self._late_seconds, self._end, key, TimedOut())
        under_way = self._running[key] = _UnderWay(asked=asked, given_up=given_up)
        return under_way

    def _ask(self, key: _Key) -> asyncio.Future[tuple[Candidate, ...]]:
        """A future of the store's is taken as it is: a task around it costs two more turns of the loop while a phone rings."""
        asked = asyncio.ensure_future(self._accounts.of_caller(*key))
        asked.add_done_callback(partial(self._asked, key))
        return asked

    def _asked(self, key: _Key, asked: asyncio.Future[tuple[Candidate, ...]]) -> None:
        under_way = self._running.get(key)
        if under_way is None or under_way.asked is not asked:
            return  # given up before
        if asked.cancelled():
            self._end(key, TimedOut())
            return
        match asked.exception():
            case None:
                candidates = asked.result()
                self._end(key, Found(candidates=candidates) if candidates else _nobody(key))
            case StorageError() as error:
                self.counters["failed"] += 1
                log.warning("lookup.failed", error=str(error))
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._ask_again, key, under_way)
            case error:
                self._end(key, error)
                if not under_way.waiting:
                    raise error

    def _ask_again(self, key: _Key, under_way: _UnderWay) -> None:
        if self._running.get(key) is under_way:
            under_way.asked = self._ask(key)

    def _end(self, key: _Key, result: LookupResult | BaseException) -> None:
        under_way = self._running.pop(key)
        under_way.given_up.cancel()
        under_way.asked.cancel()
        for answer in under_way.waiting:
            _tell(answer, result)

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


def _tell(answer: asyncio.Future[LookupResult], result: LookupResult | BaseException) -> None:
    if answer.done():
        return
    if isinstance(result, BaseException):
        answer.set_exception(result)
    else:
        answer.set_result(result)


def _nobody(key: _Key) -> LookupResult:
    """A caller who shows no number is still withheld where the customer number that was typed is nobody's."""
    e164, _ = key
    return Withheld() if e164 is None else NotFound()
