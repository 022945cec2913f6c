"""How satisfied the customer was with one contact (CSAT): a score from 1 to 5, who gave it, and when. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cti_bridge.domain.call import iso_utc

LOWEST_SCORE, HIGHEST_SCORE = 1, 5


class ScoreSource(StrEnum):
    """Where a score comes from. What the customer said counts for more than what an agent took from the talk."""

    AGENT = "agent"
    SURVEY = "survey"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """`score` from 1 (very dissatisfied) to 5 (very satisfied). `by` is an extension or a user's name: who wrote it down."""

    score: int
    source: ScoreSource
    by: str
    at: datetime
    comment: str | None = None

    @property
    def is_customers_word(self) -> bool:
        """The customer gave the score; an agent's own impression does not take its place."""
        return self.source is not ScoreSource.AGENT


class ScoreRefused(Exception):
    """The score cannot be set; `kind` is the stable problem type, the text says why and what to do."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def satisfaction_document(satisfaction: Satisfaction) -> dict[str, Any]:
    """The score as it stands on an interaction, in REST and on the websocket."""
    return {
        "score": satisfaction.score,
        "source": satisfaction.source.value,
        "by": satisfaction.by,
        "at": iso_utc(satisfaction.at),
        "comment": satisfaction.comment,
    }
