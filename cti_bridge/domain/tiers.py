"""The customer pyramid: revenue, profit and promptness of payment give a tier by the site's rules, and the reason stays visible.

Pure. `TierRules` come from the settings' section [tiers].
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cti_bridge.domain.account import AccountId, Tier
from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.profile import Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRule:
    """What a customer must reach for `tier`; None: does not count. The first rule that is met, highest tier first, decides."""

    tier: Tier
    revenue_at_least: float | None = None
    profit_at_least: float | None = None
    days_to_pay_at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRules:
    """`rules` from the highest tier down; `hysteresis_percent`: so far a customer may fall below a threshold once reached, before
    the tier is lost: figures that swing around a threshold do not make the tier swing.
    """

    rules: tuple[TierRule, ...] = ()
    hysteresis_percent: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TierDecision:
    """`reason` names the figures that decided, for the customer's file."""

    tier: Tier
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChange:
    """A customer rose or fell; `by` is the user who set it, None where a rule did."""

    account_id: AccountId
    at: datetime
    before: Tier | None
    after: Tier | None
    reason: str
    by: str | None


_ORDER = tuple(Tier)


def decide_tier(profile: Profile, present: Tier | None, rules: TierRules) -> TierDecision | None:
    """The tier that the customer's figures give; None where there are no rules, or no figures to judge by."""
    if not rules.rules or (profile.revenue is None and profile.profit is None and profile.days_to_pay is None):
        return None
    for rule in rules.rules:
        held = present is not None and _ORDER.index(present) <= _ORDER.index(rule.tier)
        slack = rules.hysteresis_percent / 100 if held else 0.0
        met = _met(profile, rule, slack)
        if met is not None:
            return TierDecision(tier=rule.tier, reason=met or "every customer")
    return TierDecision(tier=_ORDER[-1], reason="no rule of a higher tier is met")


def _met(profile: Profile, rule: TierRule, slack: float) -> str | None:
    """The figures that met the rule, in words; None where one did not. An unknown figure meets no threshold."""
    said: list[str] = []
    for name, value, threshold in (
        ("revenue", profile.revenue, rule.revenue_at_least),
        ("profit", profile.profit, rule.profit_at_least),
    ):
        if threshold is not None:
            if value is None or value < threshold - abs(threshold) * slack:
                return None
            said.append(_compared(name, value, threshold, kept=value < threshold))
    if rule.days_to_pay_at_most is not None:
        value, threshold = profile.days_to_pay, rule.days_to_pay_at_most
        if value is None or value > threshold * (1 + slack):
            return None
        said.append(_compared("days to pay", value, threshold, kept=value > threshold))
    return ", ".join(said)


def _compared(name: str, value: float, threshold: float, *, kept: bool) -> str:
    return f"{name} {value:g} ({'still near' if kept else 'reaches'} {threshold:g})"


def tier_change_document(change: TierChange) -> dict[str, Any]:
    """A rise or fall as the REST API shows it."""
    return {
        "at": iso_utc(change.at),
        "before": change.before.value if change.before else None,
        "after": change.after.value if change.after else None,
        "reason": change.reason,
        "by": change.by,
    }
