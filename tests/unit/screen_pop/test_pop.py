"""The pop as a value: what each answer of the look-up makes of it."""

from dataclasses import replace
from typing import Any

import pytest

from cti_bridge.domain.account import Candidate, Found, MatchReason, NotFound, TimedOut, Withheld
from cti_bridge.domain.call import Extension
from cti_bridge.domain.case import Commitments
from cti_bridge.domain.decision import RoutingDecision
from screen_pop.pop import CANDIDATES_SHOWN, build_pop, pop_document
from tests.support.stores import a_call, an_account, an_interaction

CALL = a_call(ringing=("1001",))
EXTENSION = Extension("1001")


def candidates(count: int) -> tuple[Candidate, ...]:
    return tuple(Candidate(account=an_account(f"Account {n}"), reason=MatchReason.SHARED_NUMBER) for n in range(count))


@pytest.mark.parametrize(
    ("lookup", "said", "proposed", "is_clear"),
    [
        (Found(candidates=candidates(1)), "found", 1, True),
        (Found(candidates=candidates(2)), "several", 2, False),
        (Found(candidates=candidates(300)), "several", CANDIDATES_SHOWN, False),
        (Found(candidates=()), "unknown", 0, False),
        (NotFound(), "unknown", 0, False),
        (Withheld(), "withheld", 0, False),
        (TimedOut(), "pending", 0, False),
    ],
    ids=["one", "two", "a whole company", "none left", "none", "withheld", "late"],
)
def test_only_one_clear_match_sets_the_account(lookup: Any, said: str, proposed: int, is_clear: bool) -> None:
    document = pop_document(build_pop(CALL, EXTENSION, 1, lookup, decision=None))

    assert (document["lookup"], len(document["candidates"]), document["account"] is not None) == (said, proposed, is_clear)


def test_what_was_before_is_shown_for_a_clear_match_only() -> None:
    history, commitments = (an_interaction(),), Commitments(more=1)
    found = tuple(replace(one, history=history, commitments=commitments) for one in candidates(2))

    clear = build_pop(CALL, EXTENSION, 1, Found(candidates=found[:1]), decision=None)
    unclear = build_pop(CALL, EXTENSION, 1, Found(candidates=found), decision=None)

    assert (clear.history, clear.commitments) == (history, commitments)
    assert (unclear.history, unclear.commitments) == ((), None)


def test_the_same_ring_has_the_same_id_and_another_ring_another() -> None:
    def id_of(call_id: str, agent: str, nth: int) -> str:
        return build_pop(a_call(call_id), Extension(agent), nth, NotFound(), decision=None).pop_id

    rings = [("main:1.1", "1001", 1), ("main:1.1", "1001", 2), ("main:1.1", "1002", 1), ("main:1.11", "1001", 1)]

    assert [id_of(*ring) for ring in rings] == [id_of(*ring) for ring in rings]
    assert len({id_of(*ring) for ring in rings}) == len(rings)


def test_the_routing_decision_is_told_with_its_reason() -> None:
    decision = RoutingDecision(rule="vip", queue="gold", priority=1, reason="tier is gold", rules_version="0123456789ab")

    document = pop_document(build_pop(CALL, EXTENSION, 1, NotFound(), decision=decision))

    assert document["routing"] == {
        "rule": "vip",
        "queue": "gold",
        "priority": 1,
        "reason": "tier is gold",
        "rules_version": "0123456789ab",
    }
