"""The rules file: YAML text in; out come rules ready to decide, or every mistake at once with its place and a hint.

Never raises, whatever the text. Warnings (a rule that no call can reach) leave the file usable, errors do not.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from cti_bridge.domain.account import Tier
from cti_bridge.domain.phone_number import to_e164
from routing.conditions import (
    CallerIs,
    CallerKind,
    Condition,
    Dialled,
    NumberPattern,
    Test,
    TierIs,
    WithinHours,
    excludes,
    implies,
    in_words,
)
from routing.hours import OpeningHours
from routing.hours_reader import read_hours
from routing.rule import DEFAULT_RULE, Rule, Rules
from routing.yaml_nodes import Mistakes, RulesProblem, Severity, line_of, mapping, quoted, read_nodes, scalar, scalars, suggestion

MAX_RULES = 500
MAX_PRIORITY = 1_000
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_NAME_HINT = "1 to 40 of the letters A-Z a-z, digits, _ and -"
_KINDS = tuple(kind.value for kind in CallerKind)
_TIERS = tuple(tier.value for tier in Tier)
_CONDITIONS = ("did", "caller", "tier", "hours")
_DID = re.compile(r"\+?[0-9]{1,20}|\+?[0-9]{0,20}\*")
_CALLER = re.compile(r"\+[1-9][0-9]{0,14}\*?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesCheck:
    """What a rules file is worth: `rules` None where any problem is an error. `version` names the text either way."""

    rules: Rules | None
    problems: tuple[RulesProblem, ...]
    version: str


def read_rules(text: str) -> RulesCheck:
    """Reads and checks the whole file."""
    mistakes = Mistakes()
    version = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    root = read_nodes(text, mistakes)
    rules = _read_root(root, version, mistakes) if root is not None else None
    problems = mistakes.in_order()
    if any(problem.severity is Severity.ERROR for problem in problems):
        rules = None
    return RulesCheck(rules=rules, problems=problems, version=version)


def _read_root(root: yaml.Node, version: str, mistakes: Mistakes) -> Rules | None:
    sections = mapping(root, "the file", ("hours", "rules", DEFAULT_RULE), mistakes)
    hours: dict[str, OpeningHours | None] = {}
    nodes = mapping(sections["hours"][1], "hours", None, mistakes) if "hours" in sections else {}
    for name, (key, value) in nodes.items():
        if not _NAME.fullmatch(name):
            mistakes.add(key, f"{quoted(name)} is no name for hours", _NAME_HINT)
        hours[name] = read_hours(name, value, mistakes)
    used: set[str] = set()
    rules = _read_rules(sections["rules"][1], hours, used, mistakes) if "rules" in sections else []
    default = _read_default(root, sections, mistakes)
    for name in nodes.keys() - used if not mistakes.errors else ():
        mistakes.warn(nodes[name][0], f"hours {quoted(name)} are used by no rule")
    if default is None:
        return None
    sound = tuple(definition for definition in hours.values() if definition is not None)
    return Rules(rules=tuple(rules), default=default, hours=sound, version=version)


def _read_default(root: yaml.Node, sections: Mapping[str, tuple[yaml.Node, yaml.Node]], mistakes: Mistakes) -> Rule | None:
    if DEFAULT_RULE not in sections:
        if isinstance(root, yaml.MappingNode):
            mistakes.add(root, "default is missing", "where a call goes that no rule matches: default: {queue: NAME}")
        return None
    key, value = sections[DEFAULT_RULE]
    fields = mapping(value, DEFAULT_RULE, ("queue", "priority"), mistakes)
    return _action(DEFAULT_RULE, conditions=(), fields=fields, node=value, line=line_of(key), mistakes=mistakes)


def _read_rules(node: yaml.Node, hours: Mapping[str, OpeningHours | None], used: set[str], mistakes: Mistakes) -> list[Rule]:
    if not isinstance(node, yaml.SequenceNode):
        mistakes.add(node, "rules must be a list", "begin each rule with a dash, as - name: sales")
        return []
    if len(node.value) > MAX_RULES:
        mistakes.add(node.value[MAX_RULES], f"more than {MAX_RULES} rules", "lists of numbers fit into one rule")
        return []
    read: list[tuple[yaml.Node, Rule]] = []
    lines: dict[str, int] = {}
    for item in node.value:
        rule = _read_rule(item, hours, used, mistakes)
        if rule is None:
            continue
        if rule.name in lines:
            mistakes.add(item, f"a second rule is named {quoted(rule.name)}", f"first on line {lines[rule.name]}")
        lines.setdefault(rule.name, rule.line)
        _warn_if_unreachable(item, rule, [earlier for _, earlier in read], mistakes)
        read.append((item, rule))
    return [rule for _, rule in read]


def _read_rule(node: yaml.Node, hours: Mapping[str, OpeningHours | None], used: set[str], mistakes: Mistakes) -> Rule | None:
    fields = mapping(node, "a rule", ("name", "when", "queue", "priority"), mistakes)
    if not fields:
        return None
    name = None
    if "name" not in fields:
        mistakes.add(node, "the rule has no name", "as name: platinum-first; agents see it on the screen pop")
    elif (name := scalar(fields["name"][1], "name", mistakes)) is not None and not _NAME.fullmatch(name):
        mistakes.add(fields["name"][1], f"{quoted(name)} is no name for a rule", _NAME_HINT)
        name = None
    elif name == DEFAULT_RULE:
        mistakes.add(fields["name"][1], f"the name {DEFAULT_RULE} is taken by the section of that name")
        name = None
    errors_before = mistakes.errors
    conditions = _read_when(fields["when"][1], hours, used, mistakes) if "when" in fields else ()
    is_sound = conditions is not None and mistakes.errors == errors_before
    rule = _action(name or "", conditions=conditions or (), fields=fields, node=node, line=line_of(node), mistakes=mistakes)
    # A rule with a broken condition is left out: what comes after it would be called unreachable for a reason nobody wrote.
    return rule if name and is_sound else None


def _action(
    name: str,
    *,
    conditions: tuple[Condition, ...],
    fields: Mapping[str, tuple[yaml.Node, yaml.Node]],
    node: yaml.Node,
    line: int,
    mistakes: Mistakes,
) -> Rule | None:
    queue = priority = None
    if "queue" not in fields:
        mistakes.add(node, f"{name or 'the rule'} names no queue", "as queue: support")
    elif (queue := scalar(fields["queue"][1], "queue", mistakes)) is not None and not _NAME.fullmatch(queue):
        mistakes.add(fields["queue"][1], f"{quoted(queue)} is no queue name", _NAME_HINT)
        queue = None
    text = scalar(fields["priority"][1], "priority", mistakes) if "priority" in fields else "0"
    if text is not None and re.fullmatch(r"[0-9]{1,6}", text) and int(text) <= MAX_PRIORITY:
        priority = int(text)
    elif text is not None:
        mistakes.add(fields["priority"][1], f"priority {quoted(text)} is no whole number from 0 to {MAX_PRIORITY:,}")
    if queue is None or priority is None:
        return None
    return Rule(name=name, conditions=conditions, queue=queue, priority=priority, line=line)


def _read_when(
    node: yaml.Node, hours: Mapping[str, OpeningHours | None], used: set[str], mistakes: Mistakes
) -> tuple[Condition, ...] | None:
    """None where a condition means nothing."""
    fields = mapping(node, "when", (*_CONDITIONS, "not"), mistakes)
    refused = mapping(fields.pop("not")[1], "not", _CONDITIONS, mistakes) if "not" in fields else {}
    conditions: list[Condition] = []
    is_sound = True
    for words, negated in ((fields, False), (refused, True)):
        for word, (key, value) in words.items():
            test = _read_test(word, value, hours, used, mistakes)
            if test is None:
                is_sound = False
                continue
            condition = Condition(test=test, negated=negated)
            if any(excludes(condition, other) for other in conditions):
                mistakes.warn(key, f"no call can meet this together with the conditions above: {in_words(condition)}")
            conditions.append(condition)
    return tuple(conditions) if is_sound else None


def _read_test(
    word: str, node: yaml.Node, hours: Mapping[str, OpeningHours | None], used: set[str], mistakes: Mistakes
) -> Test | None:
    items = scalars(node, word, mistakes)
    match word:
        case "did":
            dids = tuple(pattern for item, text in items if (pattern := _did(item, text, mistakes)))
            return Dialled(patterns=dids) if dids else None
        case "caller":
            kinds = tuple(CallerKind(text) for _, text in items if text in _KINDS)
            numbers = tuple(pattern for item, text in items if text not in _KINDS and (pattern := _caller(item, text, mistakes)))
            return CallerIs(patterns=numbers, kinds=kinds) if kinds or numbers else None
        case "tier":
            tiers = tuple(tier for item, text in items if (tier := _tier(item, text, mistakes)))
            return TierIs(tiers=tiers) if tiers else None
        case _:
            named = [_named_hours(item, text, hours, used, mistakes) for item, text in items]
            found = tuple(definition for definition in named if definition is not None)
            return WithinHours(hours=found) if found else None


def _tier(node: yaml.Node, text: str, mistakes: Mistakes) -> Tier | None:
    if text in _TIERS:
        return Tier(text)
    mistakes.add(node, f"unknown tier {quoted(text)}", suggestion(text, _TIERS))
    return None


def _named_hours(
    node: yaml.Node, text: str, hours: Mapping[str, OpeningHours | None], used: set[str], mistakes: Mistakes
) -> OpeningHours | None:
    used.add(text)
    if text not in hours:
        mistakes.add(node, f"no hours are named {quoted(text)}", suggestion(text, hours) or "define them under hours:")
        return None
    return hours[text]


def _did(node: yaml.Node, text: str, mistakes: Mistakes) -> NumberPattern | None:
    if _DID.fullmatch(text) is None:
        mistakes.add(
            node,
            f"did {quoted(text)} can never match",
            "digits as the PBX dials them, without spaces; a * at the end for all numbers that begin so",
        )
        return None
    return _pattern(text)


def _caller(node: yaml.Node, text: str, mistakes: Mistakes) -> NumberPattern | None:
    if _CALLER.fullmatch(text) is None:
        word = suggestion(text, _KINDS) if text.isalpha() else ""
        mistakes.add(
            node,
            f"caller {quoted(text)} can never match",
            word or 'in international form without spaces, as "+442079460018" or "+4420*"; or known, unknown, withheld',
        )
        return None
    if not text.endswith("*") and to_e164(text, None) != text:
        mistakes.add(
            node,
            f"caller {quoted(text)} can never match: no whole number of its country's plan",
            f'for all numbers that begin so: "{text}*"' if len(text) < 16 else "",
        )
        return None
    return _pattern(text)


def _pattern(text: str) -> NumberPattern:
    return NumberPattern(digits=text.removesuffix("*"), is_prefix=text.endswith("*"))


def _warn_if_unreachable(node: yaml.Node, rule: Rule, earlier: list[Rule], mistakes: Mistakes) -> None:
    """A rule is dead where every condition of one before it is met by all calls that this one accepts."""
    for other in earlier:
        if all(any(implies(own, wide) for own in rule.conditions) for wide in other.conditions):
            mistakes.warn(
                node,
                f"no call reaches rule {quoted(rule.name)}: {quoted(other.name)} on line {other.line} takes them all",
                "move it up, or narrow the rule before it",
            )
            return
