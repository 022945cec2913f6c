"""Figures make tiers by the site's rules; near a threshold a tier once reached is kept; the reason names the figures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti_bridge.domain.account import Tier
from cti_bridge.domain.profile import Profile
from cti_bridge.domain.tiers import TierRule, TierRules, decide_tier

RULES = TierRules(
    rules=(
        TierRule(tier=Tier.PLATINUM, revenue_at_least=100_000, profit_at_least=20_000, days_to_pay_at_most=30),
        TierRule(tier=Tier.GOLD, revenue_at_least=20_000, days_to_pay_at_most=60),
        TierRule(tier=Tier.IRON, revenue_at_least=1),
    ),
    hysteresis_percent=10,
)


def tier_of(present: Tier | None = None, **figures: float) -> Tier | None:
    decision = decide_tier(Profile(**figures), present, RULES)
    return decision.tier if decision else None


@pytest.mark.parametrize(
    ("figures", "tier"),
    [
        ({"revenue": 150_000, "profit": 30_000, "days_to_pay": 14}, Tier.PLATINUM),
        ({"revenue": 150_000, "profit": 30_000, "days_to_pay": 45}, Tier.GOLD),  # rich, but slow to pay
        ({"revenue": 150_000, "profit": 30_000}, Tier.IRON),  # an unknown figure meets no threshold
        ({"revenue": 20_000, "days_to_pay": 60}, Tier.GOLD),
        ({"revenue": 19_999, "days_to_pay": 60}, Tier.IRON),
        ({"revenue": 0}, Tier.LEAD),
        ({"profit": -5}, Tier.LEAD),
    ],
)
def test_the_first_rule_that_is_met_decides(figures: dict[str, float], tier: Tier) -> None:
    assert tier_of(**figures) is tier


@pytest.mark.parametrize(
    ("revenue", "present", "after"),
    [
        (19_000, Tier.GOLD, Tier.GOLD),  # near enough to stay
        (19_000, Tier.IRON, Tier.IRON),  # not enough to rise
        (19_000, Tier.PLATINUM, Tier.GOLD),  # whoever falls from above stays where the lower tier still holds them
        (17_999, Tier.GOLD, Tier.IRON),
        (20_000, Tier.IRON, Tier.GOLD),
    ],
)
def test_a_tier_once_reached_is_kept_near_its_threshold(revenue: float, present: Tier, after: Tier) -> None:
    assert tier_of(present, revenue=revenue, days_to_pay=60) is after


def test_the_reason_names_the_figures_that_decided() -> None:
    reached = decide_tier(Profile(revenue=25_000, days_to_pay=12), None, RULES)
    kept = decide_tier(Profile(revenue=19_000, days_to_pay=12), Tier.GOLD, RULES)

    assert reached is not None
    assert kept is not None
    assert reached.reason == "revenue 25000 (reaches 20000), days to pay 12 (reaches 60)"
    assert kept.reason == "revenue 19000 (still near 20000), days to pay 12 (reaches 60)"


def test_without_rules_or_figures_nothing_is_decided() -> None:
    assert decide_tier(Profile(revenue=1e6), None, TierRules()) is None
    assert decide_tier(Profile(preferences="tea"), Tier.GOLD, RULES) is None


FIGURES = st.none() | st.floats(-1e6, 1e6)


@given(FIGURES, FIGURES, st.none() | st.floats(0, 400), st.none() | st.sampled_from(Tier))
def test_judging_twice_changes_nothing(revenue, profit, days, present) -> None:
    profile = Profile(revenue=revenue, profit=profit, days_to_pay=days)
    first = decide_tier(profile, present, RULES)

    if first is not None:
        again = decide_tier(profile, first.tier, RULES)
        assert again is not None
        assert again.tier is first.tier


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.sampled_from(Tier))
def test_more_revenue_never_makes_a_tier_lower(less, more, present) -> None:
    low, high = sorted((less, more))
    order = list(Tier)

    assert order.index(tier_of(present, revenue=high, days_to_pay=1)) <= order.index(tier_of(present, revenue=low, days_to_pay=1))
