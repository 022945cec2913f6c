"""A customer's file is kept as written, on both databases, and every rise and fall stays visible."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from cti_bridge.domain.account import Account, AccountId, Tier
from cti_bridge.domain.profile import Alert, AlertKind, CustomerKind, KeyDate, Profile, Stage
from cti_bridge.domain.tiers import TierRule, TierRules
from storage.accounts import Accounts
from storage.database import Database
from storage.merges import Merges
from storage.profiles import Profiles
from tests.support.store import NOW, an_account

RULES = TierRules(rules=(TierRule(tier=Tier.GOLD, revenue_at_least=1000), TierRule(tier=Tier.IRON, revenue_at_least=1)))
FIELDS = {"contract": "text", "seats": "number", "newsletter": "yes_no"}
DAY = timedelta(days=1)


@pytest.fixture
def accounts(database: Database) -> Accounts:
    return Accounts(database, region="GB")


@pytest.fixture
def profiles(database: Database, accounts: Accounts) -> Profiles:
    return Profiles(database, accounts, rules=RULES, fields=FIELDS)


@pytest.fixture
async def zoe(accounts: Accounts) -> Account:
    return await an_account(accounts)


async def test_a_file_reads_back_as_written(profiles: Profiles, zoe: Account):
    written = Profile(
        kind=CustomerKind.EXTERNAL,
        stage=Stage.LOYAL,
        preferred_agent="1002",
        preferences="tea, not coffee",
        taboos="no nuts",
        dates=(KeyDate(name="birthday", on=date(1980, 2, 29)),),
        alerts=(Alert(kind=AlertKind.DO_NOT_CALL, text="until June", until=date(2027, 6, 1)),),
        custom=(("contract", "C-17"), ("newsletter", False), ("seats", 12.0)),
    )
    changes = {
        "kind": "external",
        "stage": Stage.LOYAL,
        "preferred_agent": "1002",
        "preferences": " tea, not coffee ",
        "taboos": "no nuts",
        "dates": written.dates,
        "alerts": written.alerts,
        "custom": {"contract": "C-17", "seats": 12, "newsletter": False},
    }

    after = await profiles.change(zoe.account_id, changes, now=NOW)

    assert after is not None
    assert after.profile == written
    cleared = await profiles.change(zoe.account_id, {"taboos": None, "custom": {"seats": None}}, now=NOW)
    assert cleared is not None
    assert cleared.profile == replace(written, taboos=None, custom=(("contract", "C-17"), ("newsletter", False)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"custom": {"shoe": "42"}}, "custom.shoe is no field of this site; there are: contract, newsletter, seats"),
        ({"custom": {"seats": "many"}}, "custom.seats must be a number"),
        ({"custom": {"seats": True}}, "custom.seats must be a number"),
        ({"custom": {"newsletter": 1}}, "custom.newsletter must be yes or no"),
        ({"revenue": float("nan")}, "revenue is no usable figure"),
        ({"days_to_pay": -1}, "days_to_pay cannot be negative"),
        ({"preferences": "x" * 5000}, "preferences is longer"),
        ({"tier": "gold"}, "tier is no field of a customer's file"),
    ],
)
async def test_what_cannot_be_read_is_told_and_changes_nothing(profiles, accounts, zoe, changes, said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.").replace("(", r"\(")):
        await profiles.change(zoe.account_id, {"preferences": "tea"} | changes, now=NOW)

    assert await accounts.by_id(zoe.account_id) == zoe


async def test_figures_raise_and_lower_the_tier_and_the_way_is_kept(profiles: Profiles, zoe: Account):
    risen = await profiles.change(zoe.account_id, {"revenue": 1500}, now=NOW)
    kept = await profiles.change(zoe.account_id, {"revenue": 950}, now=NOW + DAY)
    fallen = await profiles.change(zoe.account_id, {"revenue": 500}, now=NOW + 2 * DAY)

    assert [account and account.tier for account in (risen, kept, fallen)] == [Tier.GOLD, Tier.GOLD, Tier.IRON]
    assert kept is not None
    assert kept.tier_reason == "revenue 950 (still near 1000)"
    history = await profiles.tiers(zoe.account_id)
    assert [(one.before, one.after, one.reason, one.by) for one in history] == [
        (Tier.GOLD, Tier.IRON, "revenue 500 (reaches 1)", None),
        (None, Tier.GOLD, "revenue 1500 (reaches 1000)", None),
    ]


async def test_a_person_sets_a_tier_until_the_figures_change(profiles: Profiles, accounts: Accounts, zoe: Account):
    await profiles.change(zoe.account_id, {"revenue": 500}, now=NOW)
    await profiles.set_tier(zoe.account_id, Tier.PLATINUM, by="ada", now=NOW + DAY)

    after = await accounts.by_id(zoe.account_id)

    assert after is not None
    assert (after.tier, after.tier_reason) == (Tier.PLATINUM, "set by ada")
    assert (await profiles.tiers(zoe.account_id))[0].by == "ada"


async def test_new_rules_judge_everybody(database: Database, accounts: Accounts, profiles: Profiles):
    rich, poor = await an_account(accounts, "Rich"), await an_account(accounts, "Poor")
    await an_account(accounts, "Unknown")
    await profiles.change(rich.account_id, {"revenue": 1500}, now=NOW)
    await profiles.change(poor.account_id, {"revenue": 5}, now=NOW)
    stricter = TierRules(rules=(TierRule(tier=Tier.GOLD, revenue_at_least=9000), TierRule(tier=Tier.IRON, revenue_at_least=1)))

    moved = await Profiles(database, accounts, rules=stricter, fields={}).judge_all(now=NOW + DAY)

    after = await accounts.by_id(rich.account_id)
    assert after is not None
    assert (moved, after.tier) == (1, Tier.IRON)


async def test_an_account_that_is_not_there_is_none(profiles: Profiles):
    assert await profiles.change(AccountId("none"), {"revenue": 1}, now=NOW) is None
    assert await profiles.set_tier(AccountId("none"), Tier.GOLD, by="ada", now=NOW) is False


async def test_a_merge_loses_no_alert_and_its_undoing_gives_it_back(database, accounts, profiles, zoe):
    double = await an_account(accounts, "Zoe")
    alert, date_ = Alert(kind=AlertKind.COMPLAINT_OPEN), KeyDate(name="contract ends", on=date(2027, 1, 1))
    await profiles.change(zoe.account_id, {"dates": (date_,)}, now=NOW)
    await profiles.change(double.account_id, {"alerts": (alert,), "stage": "user"}, now=NOW)
    merges = Merges(database, accounts)

    merge = await merges.merge(zoe.account_id, double.account_id, by="ada", now=NOW)
    merged = await accounts.by_id(zoe.account_id)
    await merges.undo(merge.merge_id, by="ada", now=NOW)
    parted = await accounts.by_id(zoe.account_id)

    assert merged is not None
    assert parted is not None
    assert (merged.profile.dates, merged.profile.alerts, merged.profile.stage) == ((date_,), (alert,), Stage.USER)
    assert (parted.profile.dates, parted.profile.alerts, parted.profile.stage) == ((date_,), (), None)
