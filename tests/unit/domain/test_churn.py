"""Signs that a customer is leaving: at each threshold, just beside it, and with the figures that explain them."""

from dataclasses import replace
from typing import Any

import pytest

from cti_bridge.domain.account import Tier
from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.churn import ChurnRules, Complaint, OnRecord, is_valued, judge
from cti_bridge.domain.profile import Stage
from cti_bridge.domain.relation import (
    NOTHING_MEASURED,
    AverageScore,
    ChurnSign,
    Relation,
    SignKind,
    relation_document,
    relation_of,
)
from tests.support.relations import DAY, FIGURES, NOW, a_relation

RULES = ChurnRules()


def judged(rules: ChurnRules = RULES, **record: Any) -> Relation:
    return judge(OnRecord(**record), NOTHING_MEASURED, rules, now=NOW)


def the_sign(relation: Relation) -> ChurnSign | None:
    """The only sign there is."""
    assert len(relation.signs) <= 1
    return relation.signs[0] if relation.signs else None


def sign(kind: SignKind, days: float, figures: dict[str, Any]) -> ChurnSign:
    return ChurnSign(kind=kind, since=NOW - days * DAY, figures=figures, noticed_at=NOW)


def complaint(days: float, problem: str | None = None, reopened: float | None = None) -> Complaint:
    return Complaint(opened_at=NOW - days * DAY, problem=problem, reopened_at=None if reopened is None else NOW - reopened * DAY)


def test_of_a_customer_without_anything_there_is_nothing_to_tell() -> None:
    assert judged() == NOTHING_MEASURED
    assert judged(contacts=7, last_contact_at=NOW) == NOTHING_MEASURED


@pytest.mark.parametrize(
    ("before", "contacts", "falls"),
    [(4, 2, True), (4, 3, False), (3, 0, False), (4, 0, True), (9, 4, True), (9, 5, False), (4, 9, False)],
)
def test_contact_falls_by_half_from_a_number_that_says_something(before: int, contacts: int, falls: bool) -> None:
    figures = {"contacts": contacts, "before": before, "days": 90}
    expected = sign(SignKind.FALLING_CONTACT, 90, figures) if falls else None

    assert the_sign(judged(contacts=contacts, contacts_before=before)) == expected


def test_three_complaints_in_half_a_year_are_a_sign() -> None:
    three = (complaint(170, "price"), complaint(50), complaint(1, "tone"))

    assert the_sign(judged(complaints=three[1:])) is None
    figures = {"complaints": 3, "days": 180, "came_back": 0, "problem": None}
    assert the_sign(judged(complaints=three)) == sign(SignKind.REPEATED_COMPLAINTS, 170, figures)
    assert the_sign(judged(complaints=(complaint(180), *three[1:]))) is None


def test_the_same_complaint_twice_is_a_sign_however_it_is_written() -> None:
    twice = (complaint(60, "Late parcel"), complaint(2, "late parcel"))

    figures = {"complaints": 2, "days": 180, "came_back": 2, "problem": "Late parcel"}
    assert the_sign(judged(complaints=twice)) == sign(SignKind.REPEATED_COMPLAINTS, 60, figures)


def test_a_complaint_that_was_opened_again_is_a_sign_by_itself() -> None:
    figures = {"complaints": 1, "days": 180, "came_back": 1, "problem": None}

    assert the_sign(judged(complaints=(complaint(300, reopened=3),))) == sign(SignKind.REPEATED_COMPLAINTS, 300, figures)
    assert the_sign(judged(complaints=(complaint(400, reopened=200),))) is None


@pytest.mark.parametrize(
    ("scores", "average"),
    [((2, 3, 3), 2.67), ((3, 3, 3), None), ((1, 1), None), ((2, 2, 2, 5, 5, 5), 2.0), ((5, 5, 5, 1, 1, 1), None)],
)
def test_the_newest_scores_below_the_line_are_a_sign(scores: tuple[int, ...], average: float | None) -> None:
    given = tuple((score, NOW - place * DAY) for place, score in enumerate(scores))

    relation = judged(scores=given)

    expected = sign(SignKind.LOW_SATISFACTION, 2, {"average": average, "scores": 3}) if average else None
    assert the_sign(relation) == expected
    assert relation.satisfaction == AverageScore(average=round(sum(scores) / len(scores), 2), count=len(scores))


def test_the_mean_is_of_the_newest_ten_scores() -> None:
    scores = tuple((5 if place < 10 else 1, NOW - place * DAY) for place in range(12))

    assert judged(scores=scores).satisfaction == AverageScore(average=5.0, count=10)


def test_silence_is_a_sign_of_valued_customers_only() -> None:
    last = NOW - 131 * DAY

    figures = {"days": 131, "last_contact_at": iso_utc(last)}
    assert the_sign(judged(is_valued=True, last_contact_at=last)) == sign(SignKind.LONG_SILENCE, 131, figures)
    assert judged(last_contact_at=last) == NOTHING_MEASURED
    assert judged(is_valued=True, last_contact_at=NOW - 119 * DAY) == NOTHING_MEASURED
    assert judged(is_valued=True) == NOTHING_MEASURED  # brought in by an import, never in touch


@pytest.mark.parametrize(
    ("stage", "tier", "valued"),
    [
        (Stage.LOYAL, None, True),
        (Stage.HIGH_VALUE, Tier.LEAD, True),
        (Stage.USER, Tier.IRON, False),
        (None, Tier.GOLD, True),
        (None, None, False),
    ],
)
def test_who_is_valued(stage: Stage | None, tier: Tier | None, valued: bool) -> None:
    assert is_valued(stage, tier) is valued


def test_promises_that_were_not_kept_in_time_are_a_sign() -> None:
    late = (NOW - 100 * DAY, NOW - 3 * DAY)

    assert the_sign(judged(escalated=late)) == sign(SignKind.UNKEPT_PROMISES, 100, {"promises": 2, "days": 180})
    assert judged(escalated=late[1:]) == NOTHING_MEASURED
    assert judged(escalated=(NOW - 181 * DAY, late[1])) == NOTHING_MEASURED


def test_a_sign_keeps_the_moment_it_was_noticed_until_it_goes() -> None:
    record = OnRecord(contacts_before=6, escalated=(NOW - DAY, NOW - 2 * DAY))
    first = judge(replace(record, escalated=()), NOTHING_MEASURED, RULES, now=NOW)

    later = judge(record, first, RULES, now=NOW + DAY)
    gone = judge(replace(record, contacts_before=0), later, RULES, now=NOW + 2 * DAY)
    back = judge(record, gone, RULES, now=NOW + 3 * DAY)

    assert {one.kind: one.noticed_at for one in later.signs} == {
        SignKind.FALLING_CONTACT: NOW,
        SignKind.UNKEPT_PROMISES: NOW + DAY,
    }
    assert (later.noticed_at, gone.noticed_at, back.noticed_at) == (NOW + DAY, NOW + DAY, NOW + 3 * DAY)


def test_every_kind_of_sign_has_a_rule_and_always_the_same_figures() -> None:
    worst = judged(
        is_valued=True,
        contacts_before=6,
        last_contact_at=NOW - 131 * DAY,
        complaints=[complaint(1)] * 3,
        scores=[(1, NOW)] * 3,
        escalated=[NOW - DAY] * 2,
    )

    assert {one.kind: set(one.figures) for one in worst.signs} == {kind: set(figures) for kind, figures in FIGURES.items()}


def test_what_is_stored_comes_back_and_unknown_signs_are_passed_over() -> None:
    relation = a_relation()
    document = relation_document(relation)

    assert relation_of(document) == relation
    document["churn_signs"].append(document["churn_signs"][0] | {"sign": "a newer version's"})
    assert relation_of(document) == relation
    assert relation_of(None) == relation_of({}) == NOTHING_MEASURED
