"""Whatever the text, the file is read without raising; whatever the call, it is decided; hours agree with a clock."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cti_bridge.domain.account import Tier
from routing.agi import AgiRefused, read_request
from routing.decide import decide, explain
from routing.facts import CallFacts
from routing.hours import OpeningHours, Span, is_open, next_change
from routing.rules_file import read_rules
from tests.support.routing_samples import a_question

WORDS = st.sampled_from(
    [
        "hours",
        "rules",
        "default",
        "name",
        "when",
        "queue",
        "priority",
        "not",
        "did",
        "caller",
        "tier",
        "timezone",
        "week",
        "exceptions",
        "mon-fri",
        "sun",
        "closed",
        "known",
        "unknown",
        "withheld",
        "gold",
        "lead",
        "office",
        "support",
        "Europe/London",
        "09:00-17:00",
        "22:00-06:00",
        "2026-12-25",
        "8001",
        "80*",
        "+4420*",
        "+442079460018",
        "10",
    ]
)
SPACE = st.sampled_from(
    [": ", "\n", "\n  ", "\n    ", "\n- ", "[", "]", "{", "}", ", ", "'", "#", "&a ", "*a", "!!x ", "\t", "---\n"]
)
DOCUMENTS = st.recursive(
    WORDS | st.text(max_size=5) | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=25,
)
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
FACTS = st.builds(
    CallFacts,
    did=st.text(max_size=10) | WORDS,
    caller=st.none() | st.text(max_size=10) | WORDS,
    withheld=st.booleans(),
    known=st.sampled_from([True, False, None]),
    tier=st.none() | st.sampled_from(Tier),
    at=INSTANTS,
)


def assert_read(text: str) -> None:
    check = read_rules(text)

    assert re.fullmatch("[0-9a-f]{12}", check.version)
    assert (check.rules is None) is any(problem.severity == "error" for problem in check.problems)
    assert all(problem.line >= 1 and problem.column >= 1 and problem.message for problem in check.problems)
    if check.rules is not None:
        for rule in (*check.rules.rules, check.rules.default):
            assert re.fullmatch("[A-Za-z0-9_-]{1,40}", rule.name)
            assert re.fullmatch("[A-Za-z0-9_-]{1,40}", rule.queue)
            assert 0 <= rule.priority <= 1000


@given(st.text(st.characters(), max_size=200))
@example("\ud800")
@example("%YAML 1." + "9" * 5000 + "\n---\na: b")
@example('"\\UFFFFFFFF"')
@example("<<: {a: b}")
@example("? ")
@example("\ufeffdefault: {queue: q}")
def test_any_text_is_read(text):
    assert_read(text)


@given(st.lists(WORDS | SPACE, max_size=60).map("".join))
def test_any_text_of_our_words_is_read(text):
    assert_read(text)


def as_yaml(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{as_yaml(key)}: {as_yaml(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(as_yaml(item) for item in value) + "]"
        case _:
            return "'" + str(value).replace("'", "''") + "'"


@given(st.fixed_dictionaries({"default": DOCUMENTS, "rules": st.lists(DOCUMENTS, max_size=4), "hours": DOCUMENTS}))
def test_any_document_is_read(document):
    assert_read(as_yaml(document))


HOURS_WORDS = st.sampled_from(["office", "night"])
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "did": st.lists(st.sampled_from(["8001", "8002", "80*", "*", "+4420*"]), min_size=1, max_size=3),
        "caller": st.lists(st.sampled_from(["+4420*", "+442079460018", "known", "unknown", "withheld"]), min_size=1, max_size=3),
        "tier": st.lists(st.sampled_from([tier.value for tier in Tier]), min_size=1, max_size=3),
        "hours": st.lists(HOURS_WORDS, min_size=1, max_size=2),
    },
)
RULE_SETS = st.lists(st.tuples(CONDITIONS, CONDITIONS), max_size=5).map(
    lambda conditions: {
        "hours": {
            "office": {"timezone": "Europe/London", "week": {"mon-fri": "09:00-17:00"}},
            "night": {"timezone": "Asia/Shanghai", "week": {"mon-sun": "22:00-06:00"}},
        },
        "rules": [
            {"name": f"r{number}", "when": {**when, "not": refused}, "queue": f"q{number}"}
            for number, (when, refused) in enumerate(conditions)
        ],
        "default": {"queue": "support"},
    }
)
REAL_FACTS = st.builds(
    CallFacts,
    did=st.sampled_from(["8001", "8002", "8003", "+442079460001", "9"]),
    caller=st.none() | st.sampled_from(["+442079460018", "+442079460019", "+31201234567"]),
    withheld=st.just(False),
    known=st.sampled_from([True, False]),
    tier=st.none() | st.sampled_from(Tier),
    at=INSTANTS,
)


@given(RULE_SETS, FACTS)
def test_every_call_is_decided(document, facts):
    rules = read_rules(as_yaml(document)).rules
    assert rules is not None

    decided = decide(facts, rules)

    assert decided.decision.queue in {"support", *(rule.queue for rule in rules.rules)}
    assert decided.trace == explain(facts, rules)[: len(decided.trace)]
    assert [met.matched for met in decided.trace].index(True) == len(decided.trace) - 1


@settings(max_examples=300)
@given(RULE_SETS, REAL_FACTS)
def test_rule_that_is_called_unreachable_takes_no_call(document, facts):
    check = read_rules(as_yaml(document))
    assert check.rules is not None
    facts = (
        facts
        if facts.known
        else CallFacts(did=facts.did, caller=facts.caller, withheld=False, known=False, tier=None, at=facts.at)
    )
    dead = {problem.message.split("'")[1] for problem in check.problems if "no call reaches" in problem.message}

    assert decide(facts, check.rules).decision.rule not in dead


@given(RULE_SETS, REAL_FACTS)
def test_account_changes_nothing_where_the_decision_does_not_hang_on_it(document, facts):
    rules = read_rules(as_yaml(document)).rules
    assert rules is not None
    silent = decide(CallFacts(did=facts.did, caller=facts.caller, withheld=False, known=None, tier=None, at=facts.at), rules)

    if not silent.hangs_on_account:
        assert decide(facts, rules).decision == silent.decision


SPANS = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(1, 1440)).map(lambda pair: Span(start=pair[0], end=pair[0] + pair[1])), max_size=2
).map(tuple)


@settings(max_examples=40, deadline=None)
@given(
    week=st.tuples(*[SPANS] * 7),
    zone=st.sampled_from(["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]),
    start=st.sampled_from(
        [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC)]
    ),
)
@pytest.mark.timeout(60)
def test_next_change_is_the_first_minute_that_differs(week, zone, start):
    hours = OpeningHours(name="any", zone=ZoneInfo(zone), week=week, exceptions=MappingProxyType({}))
    minutes = [start + timedelta(minutes=minute) for minute in range(2 * 1440)]
    changes = [later for earlier, later in pairwise(minutes) if is_open(hours, earlier) is not is_open(hours, later)]

    found, at = [], start
    while (at := next_change(hours, at)) is not None and at <= minutes[-1]:
        found.append(at)

    assert found == changes


@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")) | st.just(b"agi_callerid: 1"), max_size=5),
    st.integers(0, 22),
)
def test_question_is_understood_or_refused(lines, place):
    own = a_question().rstrip(b"\n").split(b"\n")

    try:
        request = read_request(own[:place] + lines + own[place:])
    except AgiRefused:
        return
    assert request.did == "8001"
