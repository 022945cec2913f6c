"""A rule, and the whole rules file once it has been read without a mistake."""

from dataclasses import dataclass

from routing.conditions import Condition
from routing.hours import OpeningHours

DEFAULT_RULE = "default"
"""The name under which the file's default decides; no rule may have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Where a call goes if all `conditions` hold (none: every call).

    `name` and `queue` are of `[A-Za-z0-9_-]`, `priority` is 0 to 1,000 (higher is served first): what is sent to the PBX
    needs no escaping. `line` is where the rule stands in the file, from 1.
    """

    name: str
    conditions: tuple[Condition, ...]
    queue: str
    priority: int
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """First match wins; `default` has no conditions. `version`: first 12 hex digits of the file's SHA-256."""

    rules: tuple[Rule, ...]
    default: Rule
    hours: tuple[OpeningHours, ...]
    version: str
