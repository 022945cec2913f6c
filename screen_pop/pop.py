"""The screen pop as a value: what an agent is shown about the caller while the phone rings. Stop 5 of the walk to the browser.

In: the call, the offered agent, what the look-up, the history and the routing rules said. Out: a frozen `ScreenPop`, and its
one JSON shape. Pure: the same facts give the same pop under the same id, so replaying a stream pops nobody twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from cti_bridge.domain.account import (
    HISTORY_SHOWN,
    Account,
    Candidate,
    Found,
    LookupResult,
    NotFound,
    TimedOut,
    Withheld,
    account_document,
    candidate_document,
)
from cti_bridge.domain.call import Call, Extension, call_document
from cti_bridge.domain.decision import RoutingDecision, decision_document
from cti_bridge.domain.interaction import Interaction, interaction_document

CANDIDATES_SHOWN = 10
"""A number shared by a whole company may match hundreds of accounts; the search has the rest."""


class Recognition(StrEnum):
    """What the look-up said, in the words of the wire."""

    FOUND = "found"
    SEVERAL = "several"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPop:
    """`account` is set only for one clear match; several candidates are for the agent to choose from."""

    pop_id: str
    agent: Extension
    call: Call
    account: Account | None
    candidates: tuple[Candidate, ...]
    history: tuple[Interaction, ...]
    decision: RoutingDecision | None
    recognition: Recognition


def pop_id_of(call: Call, agent: Extension, nth: int) -> str:
    """The pop's id: the `nth` ring (from 1) of this agent's phone in this call has one id for ever."""
    return f"{call.call_id}/{agent}/{nth}"


def build_pop(
    call: Call,
    agent: Extension,
    nth: int,
    lookup: LookupResult,
    *,
    history: Sequence[Interaction],
    decision: RoutingDecision | None,
) -> ScreenPop:
    """Puts together what the agent sees; `history` is newest first and belongs to the one clear match."""
    candidates, recognition = _recognised(lookup)
    account = candidates[0].account if recognition is Recognition.FOUND else None
    return ScreenPop(
        pop_id=pop_id_of(call, agent, nth),
        agent=agent,
        call=call,
        account=account,
        candidates=candidates,
        history=tuple(history[:HISTORY_SHOWN]) if account else (),
        decision=decision,
        recognition=recognition,
    )


def pop_document(pop: ScreenPop) -> dict[str, Any]:
    """The pop as the `pop` and `pop.update` events and the snapshot carry it."""
    return {
        "pop_id": pop.pop_id,
        "agent": pop.agent,
        "call": call_document(pop.call),
        "account": account_document(pop.account) if pop.account else None,
        "candidates": [candidate_document(candidate) for candidate in pop.candidates],
        "history": [interaction_document(interaction) for interaction in pop.history],
        "routing": decision_document(pop.decision) if pop.decision else None,
        "lookup": pop.recognition.value,
    }


def _recognised(lookup: LookupResult) -> tuple[tuple[Candidate, ...], Recognition]:
    match lookup:
        case Found(candidates=candidates) if candidates:
            return candidates[:CANDIDATES_SHOWN], Recognition.FOUND if lookup.clear else Recognition.SEVERAL
        case Found() | NotFound():
            return (), Recognition.UNKNOWN
        case Withheld():
            return (), Recognition.WITHHELD
        case TimedOut():
            return (), Recognition.PENDING
        case _:
            assert_never(lookup)
