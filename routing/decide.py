"""The decision: the first rule whose conditions all hold, and why the ones before it did not. Pure and total.

A condition that cannot be answered (the store was slow) counts as not met: the caller is then served as anybody would be.
`Decided.hangs_on_account` says whether an answer of the store could have changed the outcome, so that the store is asked
only about calls that need it.
"""

from dataclasses import dataclass
from typing import Any

from cti_bridge.domain.decision import RoutingDecision
from routing.conditions import Answer, Condition, ask, in_words
from routing.facts import CallFacts
from routing.rule import Rule, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTrace:
    """A condition, what it said (`holds` None: unknown), and what it looked at."""

    condition: Condition
    holds: bool | None
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTrace:
    """A rule as it met one call; `matched` is None where an unknown condition kept it from matching."""

    rule: str
    line: int
    matched: bool | None
    conditions: tuple[ConditionTrace, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """The decision and every rule up to the one that made it, in order."""

    decision: RoutingDecision
    trace: tuple[RuleTrace, ...]
    hangs_on_account: bool


def decide(facts: CallFacts, rules: Rules) -> Decided:
    """Where the call goes; always an answer, never an error."""
    trace: list[RuleTrace] = []
    for rule in (*rules.rules, rules.default):
        trace.append(_meet(facts, rule))
        if trace[-1].matched:
            break
    return Decided(
        decision=RoutingDecision(
            rule=rule.name,
            queue=rule.queue,
            priority=rule.priority,
            reason="; ".join(in_words(condition) for condition in rule.conditions) or _unconditional(rule, rules),
            rules_version=rules.version,
        ),
        trace=tuple(trace),
        hangs_on_account=any(earlier.matched is None for earlier in trace),
    )


def explain(facts: CallFacts, rules: Rules) -> tuple[RuleTrace, ...]:
    """Every rule of the file against the call, also those after the first match: for trying a made-up call."""
    return tuple(_meet(facts, rule) for rule in (*rules.rules, rules.default))


def trace_document(trace: tuple[RuleTrace, ...]) -> list[dict[str, Any]]:
    """The trace as JSON shows it."""
    return [
        {
            "rule": met.rule,
            "line": met.line,
            "matched": met.matched,
            "conditions": [
                {"condition": in_words(asked.condition), "holds": asked.holds, "value": asked.value} for asked in met.conditions
            ],
        }
        for met in trace
    ]


def _meet(facts: CallFacts, rule: Rule) -> RuleTrace:
    answers = [(condition, ask(condition, facts)) for condition in rule.conditions]
    return RuleTrace(
        rule=rule.name,
        line=rule.line,
        matched=_all_hold([answer for _, answer in answers]),
        conditions=tuple(
            ConditionTrace(condition=condition, holds=answer.holds, value=answer.value) for condition, answer in answers
        ),
    )


def _all_hold(answers: list[Answer]) -> bool | None:
    if any(answer.holds is False for answer in answers):
        return False
    return None if any(answer.holds is None for answer in answers) else True


def _unconditional(rule: Rule, rules: Rules) -> str:
    return "no rule matched" if rule is rules.default else "the rule has no conditions"
