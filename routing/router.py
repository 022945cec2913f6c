"""Answers the PBX's question from the rules in force and the caller's account (stop 2 of the walk fastagi -> router -> decide).

The store is asked only about calls whose decision hangs on the account, and is waited for no longer than `lookup_seconds`;
without its answer the call is routed as that of a caller about whom nothing is known. Decisions are remembered for a while, so
that the screen pop and "why did this call come here" can tell.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog

from cti_bridge.domain.account import LookupResult, TimedOut
from cti_bridge.domain.decision import RoutingDecision
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.phone_number import to_e164
from routing.agi import AgiRequest
from routing.decide import RuleTrace, decide
from routing.facts import CallFacts, with_account
from routing.rule import Rules
from routing.rules_holder import RulesHolder

log = structlog.get_logger(__name__)

MAX_REMEMBERED = 10_000
MAX_AGE = timedelta(hours=6)
"""Longer than a caller waits for an agent; the pop copies the decision into the call's own record."""
MAX_LOOKUPS = 64
"""Look-ups under way at once, overdue ones included: a store that hangs costs this many tasks and no more."""


_Key = tuple[str | None, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remembered:
    """The facts and rules rather than the trace: it is the same whenever it is made, and far larger."""

    decision: RoutingDecision
    facts: CallFacts
    rules: Rules


class Router:
    """`lookup` takes an E.164 number and the customer number that the caller typed (at least one of them), and may raise
    StorageError; `region` (ISO 3166) reads national numbers.

    `pbxes`: the names of the PBXs that may ask. Where there is one only, it is the one.
    """

    def __init__(
        self,
        holder: RulesHolder,
        *,
        lookup: Callable[[str | None, str | None], Coroutine[Any, Any, LookupResult]],
        region: str,
        now: Callable[[], datetime],
        pbxes: Sequence[str] = (),
        lookup_seconds: float = 0.03,
    ) -> None:
        self._holder = holder
        self._lookup = lookup
        self._region = region
        self._now = now
        self._pbxes = tuple(pbxes)
        self._lookup_seconds = lookup_seconds
        self._lookups: set[asyncio.Task[LookupResult]] = set()
        self._remembered: OrderedDict[_Key, _Remembered] = OrderedDict()
        self._entered: OrderedDict[_Key, str] = OrderedDict()
        self.counters: Counter[str] = Counter()

    async def decide(self, request: AgiRequest) -> RoutingDecision | None:
        """Where the call goes; None while no good rules file has been read."""
        entered = request.customer
        if entered is not None:
            self._entered[self._key(request)] = entered
            if len(self._entered) > MAX_REMEMBERED:
                self._entered.popitem(last=False)
        rules = self._holder.rules
        if rules is None:
            self.counters["no_rules"] += 1
            return None
        caller = to_e164(request.caller, self._region) if request.caller is not None else None
        facts = CallFacts(
            did=request.did,
            caller=caller,
            withheld=request.caller is None,
            known=False if caller is None and entered is None else None,
            tier=None,
            at=self._now(),
        )
        decided = decide(facts, rules)
        if decided.hangs_on_account and facts.known is None:
            facts = with_account(facts, await self._look_up(caller, entered))
            decided = decide(facts, rules)
        self._remember(self._key(request), _Remembered(decision=decided.decision, facts=facts, rules=rules))
        log.info(
            "routing.decided",
            uniqueid=request.uniqueid,
            rule=decided.decision.rule,
            queue=decided.decision.queue,
            rules_version=decided.decision.rules_version,
            hangs_on_account=decided.hangs_on_account,
            entered=entered is not None,
        )
        return decided.decision

    def withdraw(self, request: AgiRequest) -> None:
        """Forgets a decision that did not reach the PBX: the default queue took the call, and no pop may say otherwise."""
        self._remembered.pop(self._key(request), None)

    def decision_for(self, pbx: str, uniqueid: str) -> RoutingDecision | None:
        """The decision about the PBX's channel, while it is remembered."""
        remembered = self._about(pbx, uniqueid)
        return remembered.decision if remembered is not None else None

    def entered_for(self, pbx: str, uniqueid: str) -> str | None:
        """The customer number that the caller on this channel typed, while it is remembered; whether or not a rule was found."""
        return self._entered.get((pbx, uniqueid)) or self._entered.get((None, uniqueid))

    def trace_for(self, pbx: str, uniqueid: str) -> tuple[RuleTrace, ...]:
        """Every rule up to the one that decided; empty once forgotten."""
        remembered = self._about(pbx, uniqueid)
        return decide(remembered.facts, remembered.rules).trace if remembered is not None else ()

    async def close(self) -> None:
        """Ends look-ups that are still under way."""
        for task in self._lookups:
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)

    def _key(self, request: AgiRequest) -> _Key:
        """Who asked about which channel; None: one of several PBXs that did not say which."""
        if request.pbx is None and len(self._pbxes) == 1:
            return self._pbxes[0], request.uniqueid
        return (request.pbx if request.pbx in self._pbxes else None), request.uniqueid

    def _about(self, pbx: str, uniqueid: str) -> _Remembered | None:
        return self._remembered.get((pbx, uniqueid)) or self._remembered.get((None, uniqueid))

    async def _look_up(self, caller: str | None, entered: str | None) -> LookupResult:
        if len(self._lookups) >= MAX_LOOKUPS:
            self.counters["lookup_refused"] += 1
            return TimedOut()
        task = asyncio.create_task(self._lookup(caller, entered), name="routing look-up")
        self._lookups.add(task)
        task.add_done_callback(self._look_up_ended)
        # An overdue look-up is left to end by itself: cutting a query costs the store its connection, just when it is slow.
        await asyncio.wait({task}, timeout=self._lookup_seconds)
        if not task.done():
            self.counters["lookup_late"] += 1
            return TimedOut()
        return TimedOut() if task.cancelled() or task.exception() is not None else task.result()

    def _look_up_ended(self, task: asyncio.Task[LookupResult]) -> None:
        self._lookups.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.counters["lookup_failed"] += 1
        if not isinstance(error, StorageError):
            log.error("routing.lookup_failed", exc_info=error)

    def _remember(self, key: _Key, remembered: _Remembered) -> None:
        self._remembered[key] = remembered
        self._remembered.move_to_end(key)
        oldest_kept = remembered.facts.at - MAX_AGE
        while len(self._remembered) > MAX_REMEMBERED or next(iter(self._remembered.values())).facts.at < oldest_kept:
            self._remembered.popitem(last=False)
