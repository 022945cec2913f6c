"""Builders for routing tests: facts of a call, rules from YAML, the question Asterisk 22 asks."""

from datetime import UTC, datetime
from textwrap import dedent
from typing import Any

from cti_bridge.domain.account import Account, AccountId, Candidate, Found, MatchReason, Tier
from routing.facts import CallFacts
from routing.rule import Rules
from routing.rules_file import read_rules

MONDAY_NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def some_facts(**changes: Any) -> CallFacts:
    """A known gold caller to 8001 on a Monday noon."""
    values: dict[str, Any] = {
        "did": "8001",
        "caller": "+442079460018",
        "withheld": False,
        "known": True,
        "tier": Tier.GOLD,
        "at": MONDAY_NOON,
    }
    return CallFacts(**(values | changes))


def some_rules(text: str) -> Rules:
    """The rules of a sound file; the default queue `support` is added where the text has none."""
    text = dedent(text)
    check = read_rules(text if "default:" in text else text + "\ndefault: {queue: support}\n")
    assert check.rules is not None, check.problems
    return check.rules


def found(*tiers: Tier | None) -> Found:
    """The store's answer with one candidate for each tier."""
    return Found(
        candidates=tuple(
            Candidate(
                account=Account(
                    account_id=AccountId(str(number)),
                    name=f"Customer {number}",
                    company=None,
                    tier=tier,
                    language=None,
                    note=None,
                    contact_points=(),
                    created_at=MONDAY_NOON,
                    updated_at=MONDAY_NOON,
                ),
                reason=MatchReason.EXACT_NUMBER,
            )
            for number, tier in enumerate(tiers)
        )
    )


def a_question(**changes: str) -> bytes:
    """What Asterisk 22.10.1 sends for `AGI(agi://127.0.0.1:4573/route?did=8001)`; `script` and other names may be changed."""
    fields = {
        "network": "yes",
        "network_script": "route?did=8001",
        "request": "agi://127.0.0.1:4573/route?did=8001",
        "channel": "PJSIP/trunk-00000001",
        "language": "en",
        "type": "PJSIP",
        "uniqueid": "1795314829.43",
        "version": "22.10.1",
        "callerid": "02079460018",
        "calleridname": "Zoë",
        "callingpres": "0",
        "callingani2": "0",
        "callington": "0",
        "callingtns": "0",
        "dnid": "8001",
        "rdnis": "unknown",
        "context": "cti-route",
        "extension": "s",
        "priority": "5",
        "enhanced": "0.0",
        "accountcode": "",
        "threadid": "139915183687360",
    }
    return ("".join(f"agi_{name}: {value}\n" for name, value in (fields | changes).items()) + "\n").encode()
