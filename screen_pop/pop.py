"""The screen pop as a value: what an agent is shown about the caller while the phone rings. Stop 5 of the walk to the browser.

In: the call, the offered agent, what the look-up, the history and the routing rules said. Out: a frozen `ScreenPop`, and its
one JSON shape. Pure: the same facts give the same pop under the same id, so replaying a stream pops nobody twice.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never

from cti_bridge.domain.account import (
    Account,
    AccountId,
    Candidate,
    Found,
    LookupResult,
    NotFound,
    TimedOut,
    Withheld,
    account_document,
    candidate_document,
)
from cti_bridge.domain.call import Call, Extension, call_document, iso_utc
from cti_bridge.domain.case import Commitments, commitments_document
from cti_bridge.domain.decision import RoutingDecision, decision_document
from cti_bridge.domain.external import ExternalAnswer, external_documents
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
class Chosen:
    """Whom an agent took the caller of this call for; `account` None: none of those proposed.

    `by` is an extension or a user's name; `learnt`: the account is proposed first when the number calls again.
    """

    account: Account | None
    history: tuple[Interaction, ...]
    by: str
    at: datetime
    learnt: bool
    commitments: Commitments | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """Who the caller is taken to be: by an agent where one chose, else by the one clear match, else nobody yet.

    `history` and `commitments` are the account's; `commitments` None: the store did not say, or there is no account.
    """

    account: Account | None
    candidates: tuple[Candidate, ...]
    history: tuple[Interaction, ...]
    commitments: Commitments | None
    recognition: Recognition
    chosen: Chosen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPop:
    """`account` is set only for one clear match, or once an agent chose; several candidates are for the agent to choose from."""

    pop_id: str
    agent: Extension
    call: Call
    account: Account | None
    candidates: tuple[Candidate, ...]
    history: tuple[Interaction, ...]
    decision: RoutingDecision | None
    recognition: Recognition
    chosen: Chosen | None = None
    external: tuple[ExternalAnswer, ...] = ()
    """What other systems say of the number, in the order of the settings."""
    commitments: Commitments | None = None


def pop_id_of(call: Call, agent: Extension, nth: int) -> str:
    """The pop's id: the `nth` ring (from 1) of this agent's phone in this call has one id for ever."""
    return f"{call.call_id}/{agent}/{nth}"


def build_pop(
    call: Call,
    agent: Extension,
    nth: int,
    lookup: LookupResult,
    *,
    decision: RoutingDecision | None,
    chosen: Chosen | None = None,
    external: tuple[ExternalAnswer, ...] = (),
) -> ScreenPop:
    """Puts together what the agent sees."""
    identified = identify(lookup, chosen)
    return ScreenPop(
        pop_id=pop_id_of(call, agent, nth),
        agent=agent,
        call=call,
        account=identified.account,
        candidates=identified.candidates,
        history=identified.history,
        decision=decision,
        recognition=identified.recognition,
        chosen=chosen,
        external=external,
        commitments=identified.commitments,
    )


def identify(lookup: LookupResult, chosen: Chosen | None) -> Identified:
    """Who the caller is taken to be."""
    candidates, recognition = _recognised(lookup)
    shown = chosen or (candidates[0] if recognition is Recognition.FOUND else None)
    return Identified(
        account=shown.account if shown else None,
        candidates=candidates,
        history=shown.history if shown else (),
        commitments=shown.commitments if shown else None,
        recognition=recognition,
        chosen=chosen,
    )


def identified_anew(pop: ScreenPop, identified: Identified) -> ScreenPop:
    """The pop after an agent said who the caller is, or took it back."""
    return replace(
        pop,
        account=identified.account,
        candidates=identified.candidates,
        history=identified.history,
        commitments=identified.commitments,
        recognition=identified.recognition,
        chosen=identified.chosen,
    )


def with_account(pop: ScreenPop, account: Account, commitments: Commitments, *, instead_of: AccountId) -> ScreenPop:
    """The pop with `account` in the place of it and of `instead_of`; a candidate that is left alone is a clear match."""
    either = {account.account_id, instead_of}
    firsts = [candidate for candidate in pop.candidates if candidate.account.account_id in either][:1]
    candidates = tuple(
        replace(candidate, account=account) if candidate in firsts else candidate
        for candidate in pop.candidates
        if candidate in firsts or candidate.account.account_id not in either
    )
    is_clear = pop.recognition is Recognition.SEVERAL and len(candidates) == 1
    was_shown = pop.account is not None and pop.account.account_id in either
    is_shown = was_shown or is_clear
    return replace(
        pop,
        candidates=candidates,
        account=account if is_shown else pop.account,
        commitments=commitments if is_shown else pop.commitments,
        recognition=Recognition.FOUND if is_clear else pop.recognition,
    )


def pop_document(pop: ScreenPop) -> dict[str, Any]:
    """The pop as the `pop` and `pop.update` events and the snapshot carry it."""
    return {
        "pop_id": pop.pop_id,
        "agent": pop.agent,
        "call": call_document(pop.call),
        "routing": decision_document(pop.decision) if pop.decision else None,
        **identity_document(pop),
        "external": external_documents(pop.external),
    }


def identity_document(identified: Identified | ScreenPop) -> dict[str, Any]:
    """Who the caller is taken to be, as a pop and the answers to a choice show it."""
    chosen = identified.chosen
    return {
        "account": account_document(identified.account) if identified.account else None,
        "candidates": [candidate_document(candidate) for candidate in identified.candidates],
        "history": [interaction_document(interaction) for interaction in identified.history],
        "commitments": commitments_document(identified.commitments) if identified.commitments else None,
        "lookup": identified.recognition.value,
        "chosen": {"by": chosen.by, "at": iso_utc(chosen.at), "learnt": chosen.learnt} if chosen else None,
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
