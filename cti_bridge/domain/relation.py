"""The measures of a relation as they are kept with the account: how satisfied the customer is, and signs that it is ending.

They are made by `domain/churn.py` of what is on record, at each change and each night, and stored with the moment they were made:
a screen pop shows them without counting anything. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cti_bridge.domain.call import iso_utc


class SignKind(StrEnum):
    """Signs that a customer is leaving; docs/figures.md defines each."""

    FALLING_CONTACT = "falling_contact"
    REPEATED_COMPLAINTS = "repeated_complaints"
    LOW_SATISFACTION = "low_satisfaction"
    LONG_SILENCE = "long_silence"
    UNKEPT_PROMISES = "unkept_promises"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnSign:
    """`since`: the oldest of what it is made of. `figures` explain it: numbers and words by name, the same names for each kind.

    `noticed_at`: when it was first seen; it stays as long as the sign does.
    """

    kind: SignKind
    since: datetime
    figures: Mapping[str, float | str | None]
    noticed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageScore:
    """The mean of the newest `count` satisfaction scores."""

    average: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """As it stood at `judged_at`; None: nothing was ever found."""

    judged_at: datetime | None = None
    satisfaction: AverageScore | None = None
    signs: tuple[ChurnSign, ...] = ()

    @property
    def noticed_at(self) -> datetime | None:
        """When the newest sign was first seen."""
        return max((sign.noticed_at for sign in self.signs), default=None)


NOTHING_MEASURED = Relation()


def relation_document(relation: Relation) -> dict[str, Any]:
    """The measures as they are stored, and as the REST API and the websocket show them."""
    mean = relation.satisfaction
    return {
        "judged_at": iso_utc(relation.judged_at),
        "satisfaction": {"average": mean.average, "count": mean.count} if mean else None,
        "churn_signs": [
            {
                "sign": sign.kind.value,
                "since": iso_utc(sign.since),
                "noticed_at": iso_utc(sign.noticed_at),
                "figures": dict(sign.figures),
            }
            for sign in relation.signs
        ],
    }


def relation_of(document: Mapping[str, Any] | None) -> Relation:
    """The way back; a sign that a newer version wrote and this one does not know is passed over."""
    if not document or document["judged_at"] is None:
        return NOTHING_MEASURED
    mean = document["satisfaction"]
    return Relation(
        judged_at=_moment(document["judged_at"]),
        satisfaction=AverageScore(average=mean["average"], count=mean["count"]) if mean else None,
        signs=tuple(
            ChurnSign(
                kind=SignKind(one["sign"]),
                since=_moment(one["since"]),
                figures=one["figures"],
                noticed_at=_moment(one["noticed_at"]),
            )
            for one in document["churn_signs"]
            if one["sign"] in set(SignKind)
        ),
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
