"""What is known of a call at the moment it must be routed: the only thing conditions may look at.

Built from the PBX's question and the account look-up (routing/router.py), or by hand for a made-up call.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from cti_bridge.domain.account import Found, LookupResult, NotFound, Tier, TimedOut, Withheld

_HIGHEST_FIRST = tuple(Tier)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """One call. `caller` is E.164, None where no number was shown (`withheld`) or it is no number of the plan.

    A caller who typed a customer number may be known by that, though withheld.
    `known` and `tier` come from the account: `known` None means that nobody has answered yet, and `tier` says nothing then;
    `tier` None with `known` True is an account without a tier. `at` is aware, of the years 1970 to 2999: others are refused
    with ValueError, so that no time zone arithmetic can run off the calendar.
    """

    did: str
    caller: str | None
    withheld: bool
    known: bool | None
    tier: Tier | None
    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or not 1970 <= self.at.year < 3000:
            raise ValueError("the time of a call is aware and of the years 1970 to 2999")


def with_account(facts: CallFacts, result: LookupResult) -> CallFacts:
    """The facts once the store has answered.

    A number shared by several accounts counts as known, with the highest of their tiers: the agent chooses among the
    candidates later, and nobody is served worse because a number is shared.
    """
    match result:
        case Found(candidates=candidates):
            likely = candidates if result.clear is None else (result.clear,)
            tiers = [candidate.account.tier for candidate in likely if candidate.account.tier is not None]
            return replace(facts, known=True, tier=min(tiers, key=_HIGHEST_FIRST.index, default=None))
        case NotFound() | Withheld():
            return replace(facts, known=False, tier=None)
        case TimedOut():
            return replace(facts, known=None, tier=None)
        case _:
            assert_never(result)
