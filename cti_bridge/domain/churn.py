"""Signs that a customer is leaving, by the site's rules: each with the figures that explain it. docs/figures.md defines them.

In: what is on record of one customer, the rules, the moment. Out: the `Relation` that is kept with the account. Pure: no clock.
A sign is a reason to look, not a verdict: none of them steers anything by itself.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cti_bridge.domain.account import Tier
from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.profile import Stage
from cti_bridge.domain.relation import NOTHING_MEASURED, AverageScore, ChurnSign, Relation, SignKind

SCORES_AVERAGED = 10
"""The newest scores whose mean the customer's file shows: what was years ago says little of today."""
VALUED_STAGES = frozenset({Stage.LOYAL, Stage.HIGH_VALUE})
VALUED_TIERS = frozenset({Tier.PLATINUM, Tier.GOLD})
"""Whose silence is a sign: of others a long time without a contact says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnRules:
    """The section [churn] of the settings."""

    span_days: int = 90
    contacts_at_least: int = 4
    """In the span before; from fewer nothing falls."""
    falling_percent: float = 50.0
    complaint_days: int = 180
    complaints_at_least: int = 3
    scores: int = 3
    score_below: float = 3.0
    silence_days: int = 120
    promise_days: int = 180
    promises_at_least: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """`problem` is the site's own word; the same word twice is the same complaint coming back."""

    opened_at: datetime
    problem: str | None = None
    reopened_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnRecord:
    """What the store knows of one customer. Contacts are those that the customer made, by any channel.

    `contacts`: of the last span; `contacts_before`: of the span before it; `scores` newest first, as many as any rule reads.
    """

    is_valued: bool = False
    contacts: int = 0
    contacts_before: int = 0
    last_contact_at: datetime | None = None
    complaints: Sequence[Complaint] = ()
    scores: Sequence[tuple[int, datetime]] = ()
    escalated: Sequence[datetime] = ()


def is_valued(stage: Stage | None, tier: Tier | None) -> bool:
    """Loyal or high-value, by stage or by tier."""
    return stage in VALUED_STAGES or tier in VALUED_TIERS


def judge(record: OnRecord, present: Relation, rules: ChurnRules, *, now: datetime) -> Relation:
    """The measures as they stand now; a sign that `present` has already keeps the moment it was noticed."""
    noticed = {sign.kind: sign.noticed_at for sign in present.signs}
    signs = tuple(
        ChurnSign(kind=kind, since=found.since, figures=found.figures, noticed_at=noticed.get(kind, now))
        for kind, rule in _RULES.items()
        if (found := rule(record, rules, now)) is not None
    )
    newest = [score for score, _ in record.scores[:SCORES_AVERAGED]]
    mean = AverageScore(average=_mean(newest), count=len(newest)) if newest else None
    return Relation(judged_at=now, satisfaction=mean, signs=signs) if signs or mean else NOTHING_MEASURED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    since: datetime
    figures: Mapping[str, float | str | None]


def _falling_contact(record: OnRecord, rules: ChurnRules, now: datetime) -> _Found | None:
    before = record.contacts_before
    if before < rules.contacts_at_least or record.contacts > before * (1 - rules.falling_percent / 100):
        return None
    figures = {"contacts": record.contacts, "before": before, "days": rules.span_days}
    return _Found(since=now - timedelta(days=rules.span_days), figures=figures)


def _repeated_complaints(record: OnRecord, rules: ChurnRules, now: datetime) -> _Found | None:
    """Many of any kind, or one that came back: opened again, or opened twice about the same problem."""
    start = now - timedelta(days=rules.complaint_days)
    recent = [one for one in record.complaints if max(one.opened_at, one.reopened_at or one.opened_at) > start]
    times = Counter(one.problem.casefold() for one in recent if one.problem)
    back = [one for one in recent if one.reopened_at or (one.problem and times[one.problem.casefold()] > 1)]
    if len(recent) < rules.complaints_at_least and not back:
        return None
    figures = {
        "complaints": len(recent),
        "days": rules.complaint_days,
        "came_back": len(back),
        "problem": next((one.problem for one in back if one.problem), None),
    }
    return _Found(since=min(one.opened_at for one in recent), figures=figures)


def _low_satisfaction(record: OnRecord, rules: ChurnRules, _: datetime) -> _Found | None:
    newest = record.scores[: rules.scores]
    average = _mean([score for score, _ in newest]) if len(newest) == rules.scores else rules.score_below
    if average >= rules.score_below:
        return None
    return _Found(since=min(at for _, at in newest), figures={"average": average, "scores": len(newest)})


def _long_silence(record: OnRecord, rules: ChurnRules, now: datetime) -> _Found | None:
    last = record.last_contact_at
    if not record.is_valued or last is None or now - last < timedelta(days=rules.silence_days):
        return None
    return _Found(since=last, figures={"days": (now - last).days, "last_contact_at": iso_utc(last)})


def _unkept_promises(record: OnRecord, rules: ChurnRules, now: datetime) -> _Found | None:
    start = now - timedelta(days=rules.promise_days)
    recent = [at for at in record.escalated if at > start]
    if len(recent) < rules.promises_at_least:
        return None
    return _Found(since=min(recent), figures={"promises": len(recent), "days": rules.promise_days})


def _mean(scores: Sequence[int]) -> float:
    return round(sum(scores) / len(scores), 2)


_RULES: Mapping[SignKind, Callable[[OnRecord, ChurnRules, datetime], _Found | None]] = {
    SignKind.REPEATED_COMPLAINTS: _repeated_complaints,
    SignKind.UNKEPT_PROMISES: _unkept_promises,
    SignKind.LOW_SATISFACTION: _low_satisfaction,
    SignKind.FALLING_CONTACT: _falling_contact,
    SignKind.LONG_SILENCE: _long_silence,
}
"""In the order in which they are shown: what the company did to the customer first."""
