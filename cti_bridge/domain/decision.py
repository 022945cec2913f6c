"""What the routing rules said about one call, and why."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingDecision:
    """`rule` is the name of the first rule that matched; `reason` says in words which conditions made it match."""

    rule: str
    queue: str
    priority: int
    reason: str
    rules_version: str
    """The first 12 hex digits of the SHA-256 of the rules file that decided."""


def decision_document(decision: RoutingDecision) -> dict[str, Any]:
    """The decision as the screen pop shows it."""
    return {
        "rule": decision.rule,
        "queue": decision.queue,
        "priority": decision.priority,
        "reason": decision.reason,
        "rules_version": decision.rules_version,
    }
