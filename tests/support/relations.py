"""Scores and measures of a relation for tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.relation import AverageScore, ChurnSign, Relation, SignKind
from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource

NOW = datetime(2026, 11, 22, 8, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def a_score(score: int = 4, **changes: Any) -> Satisfaction:
    fields: dict[str, Any] = {"score": score, "source": ScoreSource.SURVEY, "by": "ivr", "at": NOW, "comment": "quick & kind"}
    return Satisfaction(**(fields | changes))


FIGURES: dict[SignKind, dict[str, float | str | None]] = {
    SignKind.FALLING_CONTACT: {"contacts": 1, "before": 6, "days": 90},
    SignKind.REPEATED_COMPLAINTS: {"complaints": 3, "days": 180, "came_back": 2, "problem": "late parcel"},
    SignKind.LOW_SATISFACTION: {"average": 1.67, "scores": 3},
    SignKind.LONG_SILENCE: {"days": 131, "last_contact_at": iso_utc(NOW - 131 * DAY)},
    SignKind.UNKEPT_PROMISES: {"promises": 2, "days": 180},
}
"""What each kind of sign carries."""


def a_sign(kind: SignKind, **figures: float | str | None) -> ChurnSign:
    return ChurnSign(kind=kind, since=NOW - 51 * DAY, figures=FIGURES[kind] | figures, noticed_at=NOW - 2 * DAY)


def a_relation(*kinds: SignKind, average: float | None = 2.4) -> Relation:
    """Every kind of sign unless some are named."""
    mean = None if average is None else AverageScore(average=average, count=7)
    return Relation(judged_at=NOW, satisfaction=mean, signs=tuple(a_sign(kind) for kind in kinds or SignKind))
