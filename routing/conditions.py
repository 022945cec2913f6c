"""The conditions a rule may have: what each asks of a call, how it is put in words, and which of two asks for less.

Three answers are possible: yes, no, and None where the store has not said who the caller is. No condition runs a pattern
of an admin's making but the comparison of a prefix, so none can be slow.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from cti_bridge.domain.account import Tier
from cti_bridge.domain.phone_number import masked
from routing.facts import CallFacts
from routing.hours import OpeningHours, is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberPattern:
    """A whole number, or the beginning of one (written with a `*` at its end)."""

    digits: str
    is_prefix: bool

    def matches(self, number: str) -> bool:
        return number.startswith(self.digits) if self.is_prefix else number == self.digits

    def covers(self, other: "NumberPattern") -> bool:
        """Whether every number that `other` matches is matched here too."""
        return other.digits.startswith(self.digits) if self.is_prefix else self == other

    def __str__(self) -> str:
        return self.digits + ("*" if self.is_prefix else "")


class CallerKind(StrEnum):
    """Who calls: somebody with an account (by the number, or by the customer number that was typed), a number nobody has, or no
    number shown. The three exclude each other.
    """

    KNOWN = "known"
    UNKNOWN = "unknown"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """The number that was called is one of these."""

    patterns: tuple[NumberPattern, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIs:
    """The caller's number is one of these, or the caller is of one of these kinds."""

    patterns: tuple[NumberPattern, ...]
    kinds: tuple[CallerKind, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierIs:
    """The caller's account is of one of these tiers."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WithinHours:
    """One of these opening hours is open."""

    hours: tuple[OpeningHours, ...]


Test = Dialled | CallerIs | TierIs | WithinHours


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    test: Test
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a condition said of a call: `holds` None is unknown; `value` is what it looked at, numbers masked."""

    holds: bool | None
    value: str


def ask(condition: Condition, facts: CallFacts) -> Answer:
    """What `condition` says of the call; never raises."""
    holds, value = _ask(condition.test, facts)
    if condition.negated and holds is not None:
        holds = not holds
    return Answer(holds=holds, value=value)


def in_words(condition: Condition) -> str:
    """The condition as an admin reads it, as `tier is platinum or gold`."""
    match condition.test:
        case Dialled(patterns=patterns):
            subject, values = "dialled number", [str(pattern) for pattern in patterns]
        case CallerIs(patterns=patterns, kinds=kinds):
            subject, values = "caller", [*kinds, *(str(pattern) for pattern in patterns)]
        case TierIs(tiers=tiers):
            subject, values = "tier", list(tiers)
        case WithinHours(hours=hours):
            subject, values = "time", [f"within {definition.name}" for definition in hours]
        case _:
            assert_never(condition.test)
    return f"{subject} {'is not' if condition.negated else 'is'} {' or '.join(values)}"


def implies(narrow: Condition, wide: Condition) -> bool:
    """Whether `wide` holds whenever `narrow` does, as far as their values show; False where that is not sure."""
    if narrow.negated != wide.negated:
        return False
    return _covers(narrow.test, wide.test) if narrow.negated else _covers(wide.test, narrow.test)


def excludes(one: Condition, other: Condition) -> bool:
    """Whether the two can never hold together, as far as their values show."""
    if one.negated != other.negated:
        demanded, refused = (other, one) if one.negated else (one, other)
        return _covers(refused.test, demanded.test)
    if one.negated:
        return False
    match one.test, other.test:
        case (TierIs(), CallerIs(patterns=(), kinds=kinds)) | (CallerIs(patterns=(), kinds=kinds), TierIs()):
            return CallerKind.KNOWN not in kinds
        case _:
            return False


def _ask(test: Test, facts: CallFacts) -> tuple[bool | None, str]:
    match test:
        case Dialled(patterns=patterns):
            return any(pattern.matches(facts.did) for pattern in patterns), facts.did
        case CallerIs(patterns=patterns, kinds=kinds):
            return _ask_caller(patterns, kinds, facts)
        case TierIs(tiers=tiers):
            if facts.known is None:
                return None, "not looked up in time"
            return facts.tier in tiers, facts.tier.value if facts.tier else "none"
        case WithinHours(hours=hours):
            doors = [is_open(definition, facts.at) for definition in hours]
            return any(doors), facts.at.astimezone(hours[0].zone).strftime("%a %Y-%m-%d %H:%M %Z")
        case _:
            assert_never(test)


def _ask_caller(patterns: tuple[NumberPattern, ...], kinds: tuple[CallerKind, ...], facts: CallFacts) -> tuple[bool | None, str]:
    if facts.caller is not None and any(pattern.matches(facts.caller) for pattern in patterns):
        return True, masked(facts.caller)
    kind = _kind_of(facts)
    shown = masked(facts.caller) if facts.caller is not None else "no usable number"
    value = kind.value if kind is not None and facts.caller is None else f"{shown}, {kind or 'not looked up in time'}"
    if kind is not None:
        return kind in kinds, value
    # Not looked up: both kinds that this caller can be are asked for, or none, or it hangs on the answer.
    wanted = {CallerKind.KNOWN, CallerKind.WITHHELD if facts.withheld else CallerKind.UNKNOWN} & set(kinds)
    return (None if len(wanted) == 1 else bool(wanted)), value


def _kind_of(facts: CallFacts) -> CallerKind | None:
    if facts.known is None:
        return None
    if facts.known:
        return CallerKind.KNOWN
    return CallerKind.WITHHELD if facts.withheld else CallerKind.UNKNOWN


def _covers(wide: Test, narrow: Test) -> bool:
    """Whether everything `narrow` accepts is accepted by `wide`."""
    match wide, narrow:
        case Dialled(), Dialled():
            return _all_covered(wide.patterns, narrow.patterns)
        case CallerIs(), CallerIs():
            return _all_covered(wide.patterns, narrow.patterns) and set(narrow.kinds) <= set(wide.kinds)
        case TierIs(), TierIs():
            return set(narrow.tiers) <= set(wide.tiers)
        case CallerIs(), TierIs():
            return CallerKind.KNOWN in wide.kinds
        case WithinHours(), WithinHours():
            return {hours.name for hours in narrow.hours} <= {hours.name for hours in wide.hours}
        case _:
            return False


def _all_covered(wide: tuple[NumberPattern, ...], narrow: tuple[NumberPattern, ...]) -> bool:
    return all(any(outer.covers(inner) for outer in wide) for inner in narrow)
