"""Which rule takes a call, and what is said about the ones that did not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cti_bridge.domain.account import NotFound, Tier, TimedOut, Withheld
from cti_bridge.domain.decision import RoutingDecision
from routing.decide import decide, explain, trace_document
from routing.facts import with_account
from tests.support.routing_samples import MONDAY_NOON, found, some_facts, some_rules

RULES = some_rules(
    """
    hours:
      office: {timezone: Europe/London, week: {mon-fri: "09:00-17:00"}}
    rules:
      - {name: vip, when: {tier: [platinum, gold], hours: office}, queue: vip, priority: 10}
      - {name: closed, when: {did: 8002, not: {hours: office}}, queue: night}
      - {name: sales, when: {did: [8002, "+4420*"]}, queue: sales}
      - {name: hidden, when: {caller: withheld}, queue: screening}
      - {name: dutch, when: {caller: "+31*"}, queue: dutch}
      - {name: new, when: {caller: unknown}, queue: sales, priority: 5}
    """
)
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
STRANGER = {"known": False, "tier": None}
SILENT = {"known": None, "tier": None}


@pytest.mark.parametrize(
    ("changes", "rule", "queue", "priority"),
    [
        pytest.param({}, "vip", "vip", 10, id="a gold customer in office hours"),
        pytest.param({"tier": Tier.PLATINUM, "did": "8002"}, "vip", "vip", 10, id="first match wins"),
        pytest.param({"tier": Tier.IRON}, "default", "support", 0, id="a tier of no rule"),
        pytest.param({"tier": None}, "default", "support", 0, id="an account without a tier"),
        pytest.param({"at": SUNDAY}, "default", "support", 0, id="all conditions must hold"),
        pytest.param({"at": SUNDAY, "did": "8002"}, "closed", "night", 0, id="not within hours"),
        pytest.param({"tier": None, "did": "8002"}, "sales", "sales", 0, id="a number of a list"),
        pytest.param({"tier": None, "did": "+442079460001"}, "sales", "sales", 0, id="a prefix"),
        pytest.param({"tier": None, "did": "80021"}, "default", "support", 0, id="an exact number is no prefix"),
        pytest.param({"caller": None, "withheld": True, **STRANGER}, "hidden", "screening", 0, id="no number shown"),
        pytest.param({"caller": None, **STRANGER}, "new", "sales", 5, id="a number that is none of the plan"),
        pytest.param({"caller": "+31201234567", **STRANGER}, "dutch", "dutch", 0, id="a caller's prefix"),
        pytest.param(STRANGER, "new", "sales", 5, id="a caller without an account"),
        pytest.param(SILENT, "default", "support", 0, id="the store was silent: nothing that needs it matches"),
        pytest.param({"did": "8002", **SILENT}, "sales", "sales", 0, id="the store was silent: what does not need it does"),
    ],
)
def test_first_rule_whose_conditions_all_hold_decides(changes, rule, queue, priority):
    decision = decide(some_facts(**changes), RULES).decision

    assert (decision.rule, decision.queue, decision.priority) == (rule, queue, priority)


def test_decision_says_which_conditions_made_the_rule_match():
    decision = decide(some_facts(), RULES).decision

    assert decision == RoutingDecision(
        rule="vip",
        queue="vip",
        priority=10,
        reason="tier is platinum or gold; time is within office",
        rules_version=RULES.version,
    )


@pytest.mark.parametrize(
    ("rules", "reason"),
    [("rules: []", "no rule matched"), ("rules: [{name: all, queue: q}]", "the rule has no conditions")],
)
def test_reason_without_conditions(rules, reason):
    assert decide(some_facts(), some_rules(rules)).decision.reason == reason


def test_trace_tells_each_condition_with_what_it_looked_at():
    decided = decide(some_facts(did="8002", at=SUNDAY, known=None, tier=None), RULES)

    looked_at_clock = "Sun 2026-11-22 12:00 GMT"
    assert trace_document(decided.trace) == [
        {
            "rule": "vip",
            "line": 5,
            "matched": False,
            "conditions": [
                {"condition": "tier is platinum or gold", "holds": None, "value": "not looked up in time"},
                {"condition": "time is within office", "holds": False, "value": looked_at_clock},
            ],
        },
        {
            "rule": "closed",
            "line": 6,
            "matched": True,
            "conditions": [
                {"condition": "dialled number is 8002", "holds": True, "value": "8002"},
                {"condition": "time is not within office", "holds": True, "value": looked_at_clock},
            ],
        },
    ]


def test_explain_goes_on_after_the_match():
    assert [met.rule for met in explain(some_facts(), RULES)] == ["vip", "closed", "sales", "hidden", "dutch", "new", "default"]


def test_trace_shows_no_full_number_of_a_caller():
    assert "2079460018" not in str(trace_document(explain(some_facts(), RULES)))


@pytest.mark.parametrize(
    ("changes", "hangs"),
    [
        pytest.param({}, True, id="a tier is asked for in office hours"),
        pytest.param({"at": SUNDAY, "did": "8002"}, False, id="another condition already said no"),
        pytest.param({"did": "8002"}, True, id="a rule before the match was unknown"),
    ],
)
def test_decision_tells_whether_the_account_could_change_it(changes, hangs):
    assert decide(some_facts(**SILENT, **changes), RULES).hangs_on_account is hangs


def test_known_or_unknown_together_need_no_account():
    rules = some_rules("rules: [{name: shown, when: {caller: [known, unknown]}, queue: q}]")

    decided = decide(some_facts(**SILENT), rules)

    assert (decided.decision.rule, decided.hangs_on_account) == ("shown", False)


@pytest.mark.parametrize(
    ("known", "kind", "hangs"),
    [(None, "default", True), (True, "known", False), (False, "withheld", False)],
    ids=["not looked up", "whose customer number has an account", "whose customer number nobody has"],
)
def test_withheld_caller_may_be_known_by_the_customer_number_typed(known, kind, hangs):
    rules = some_rules(
        "rules: [{name: known, when: {caller: known}, queue: q}, {name: withheld, when: {caller: withheld}, queue: q}]"
    )

    decided = decide(some_facts(caller=None, withheld=True, known=known), rules)

    assert (decided.decision.rule, decided.hangs_on_account) == (kind, hangs)


@pytest.mark.parametrize(
    ("result", "known", "tier"),
    [
        (found(Tier.GOLD), True, Tier.GOLD),
        (found(None), True, None),
        (found(Tier.IRON, None, Tier.PLATINUM), True, Tier.PLATINUM),
        (NotFound(), False, None),
        (Withheld(), False, None),
        (TimedOut(), None, None),
    ],
)
def test_facts_after_the_look_up(result, known, tier):
    facts = with_account(some_facts(**SILENT), result)

    assert (facts.known, facts.tier) == (known, tier)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), MONDAY_NOON.replace(year=1), MONDAY_NOON.replace(year=9999)])  # noqa: DTZ001
def test_facts_need_a_time_that_zones_can_be_reckoned_with(at):
    with pytest.raises(ValueError, match="1970 to 2999"):
        some_facts(at=at)


def test_example_file_is_sound():
    rules = some_rules(Path("config/routing.example.yaml").read_text(encoding="utf-8"))

    assert decide(some_facts(), rules).decision.rule == "gold-customers"
