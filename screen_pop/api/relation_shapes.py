"""The shapes of a satisfaction score and of a relation's measures in answers; cti_bridge/domain writes them."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from cti_bridge.domain.relation import SignKind
from cti_bridge.domain.satisfaction import ScoreSource


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SatisfactionShape(_Shape):
    score: int
    source: ScoreSource
    by: str
    at: datetime
    comment: str | None


class AverageShape(_Shape):
    average: float
    count: int


class ChurnSignShape(_Shape):
    sign: SignKind
    since: datetime
    noticed_at: datetime
    figures: dict[str, float | str | None]


class RelationShape(_Shape):
    judged_at: datetime | None
    satisfaction: AverageShape | None
    churn_signs: list[ChurnSignShape]
