"""Churn signs, whatever is on record: order says nothing, good news makes no sign, and what is kept comes back as it was."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from cti_bridge.domain.churn import ChurnRules, Complaint, OnRecord, judge
from cti_bridge.domain.relation import NOTHING_MEASURED, SignKind, relation_document, relation_of
from tests.support.relations import NOW

MOMENTS = st.integers(0, 400 * 86_400).map(lambda seconds: NOW - timedelta(seconds=seconds))
COMPLAINTS = st.lists(
    st.builds(
        Complaint, opened_at=MOMENTS, problem=st.sampled_from([None, "late", "Late", "价格"]), reopened_at=st.none() | MOMENTS
    ),
    max_size=5,
)
RECORDS = st.builds(
    OnRecord,
    is_valued=st.booleans(),
    contacts=st.integers(0, 20),
    contacts_before=st.integers(0, 20),
    last_contact_at=st.none() | MOMENTS,
    complaints=COMPLAINTS,
    scores=st.lists(st.tuples(st.integers(1, 5), MOMENTS), max_size=12),
    escalated=st.lists(MOMENTS, max_size=4),
)
RULES = st.builds(
    ChurnRules,
    contacts_at_least=st.integers(1, 6),
    falling_percent=st.floats(1, 100),
    complaints_at_least=st.integers(1, 4),
    scores=st.integers(1, 5),
    score_below=st.floats(1, 5),
    promises_at_least=st.integers(1, 3),
)


def kinds(record: OnRecord, rules: ChurnRules) -> set[SignKind]:
    return {sign.kind for sign in judge(record, NOTHING_MEASURED, rules, now=NOW).signs}


@given(RECORDS, RULES)
def test_what_is_judged_is_explained_by_the_past_and_survives_the_store(record: OnRecord, rules: ChurnRules) -> None:
    relation = judge(record, NOTHING_MEASURED, rules, now=NOW)

    assert all(sign.since <= NOW for sign in relation.signs)
    assert relation.satisfaction is None or 1 <= relation.satisfaction.average <= 5
    document = relation_document(relation)
    assert relation_document(relation_of(document)) == document
    again = judge(record, relation, rules, now=NOW)
    assert again == relation


@given(RECORDS, RULES, st.randoms(use_true_random=False))
def test_the_order_on_record_does_not_matter(record: OnRecord, rules: ChurnRules, random) -> None:
    complaints, escalated = list(record.complaints), list(record.escalated)
    random.shuffle(complaints)
    random.shuffle(escalated)
    shuffled = OnRecord(
        is_valued=record.is_valued,
        contacts=record.contacts,
        contacts_before=record.contacts_before,
        last_contact_at=record.last_contact_at,
        complaints=complaints,
        scores=record.scores,
        escalated=escalated,
    )

    assert kinds(shuffled, rules) == kinds(record, rules)


@given(RECORDS, RULES)
def test_one_more_contact_or_a_better_score_never_makes_a_sign(record: OnRecord, rules: ChurnRules) -> None:
    before = kinds(record, rules)
    better = OnRecord(
        is_valued=record.is_valued,
        contacts=record.contacts + 1,
        contacts_before=record.contacts_before,
        last_contact_at=NOW,
        complaints=record.complaints,
        scores=[(min(5, score + 1), at) for score, at in record.scores],
        escalated=record.escalated,
    )

    assert kinds(better, rules) <= before


@given(RECORDS, RULES, MOMENTS)
def test_another_complaint_or_broken_promise_never_takes_a_sign_away(record: OnRecord, rules: ChurnRules, at) -> None:
    worse = OnRecord(
        is_valued=record.is_valued,
        contacts=record.contacts,
        contacts_before=record.contacts_before,
        last_contact_at=record.last_contact_at,
        complaints=[*record.complaints, Complaint(opened_at=at)],
        scores=record.scores,
        escalated=[*record.escalated, at],
    )

    assert kinds(record, rules) <= kinds(worse, rules)
