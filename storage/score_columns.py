"""A satisfaction score in the columns of `interactions`, and back. Pure."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, case

from cti_bridge.domain.satisfaction import Satisfaction, ScoreSource
from storage.schema import interactions

SCORE_COLUMNS = ("score", "score_source", "scored_by", "scored_at", "score_comment")
IS_CUSTOMERS_WORD = interactions.c.score_source.in_([source.value for source in ScoreSource if source is not ScoreSource.AGENT])


def satisfaction_of(row: Row[Any]) -> Satisfaction | None:
    if row.score is None:
        return None
    return Satisfaction(
        score=row.score, source=ScoreSource(row.score_source), by=row.scored_by, at=row.scored_at, comment=row.score_comment
    )


def score_columns(satisfaction: Satisfaction | None) -> dict[str, Any]:
    """None clears them."""
    if satisfaction is None:
        return dict.fromkeys(SCORE_COLUMNS)
    values = (satisfaction.score, satisfaction.source.value, satisfaction.by, satisfaction.at, satisfaction.comment)
    return dict(zip(SCORE_COLUMNS, values, strict=True))


def sparing_customers_word(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values for an UPDATE by an agent: a score that the customer gave stays as it is."""
    return {
        name: case((IS_CUSTOMERS_WORD, interactions.c[name]), else_=value) if name in SCORE_COLUMNS else value
        for name, value in values.items()
    }
