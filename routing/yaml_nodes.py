"""The YAML underneath the rules file: text in, nodes that know their line out, every mistake collected instead of raised.

Nodes are read as written (`09:30`, `no` and `0800` stay text: YAML's guesses at types are a classic trap), nothing is
constructed from tags, anchors are refused, and size, depth and number of nodes are bounded before anything is built.
"""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import yaml

from cti_bridge.domain.errors import Problem

MAX_BYTES = 128 * 1024
MAX_DEPTH = 10
MAX_NODES = 10_000
MAX_PROBLEMS = 100


class Mark(Protocol):
    """A place in the text, from 0 (PyYAML has two such classes, its own and libyaml's)."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class Severity(StrEnum):
    """An ERROR keeps the file out of force; a WARNING is a rule or value that can have no effect."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesProblem:
    """One mistake: `line` and `column` from 1, `hint` how to mend it (may be empty)."""

    line: int
    column: int
    message: str
    hint: str
    severity: Severity

    def as_problem(self, file: str) -> Problem:
        """For `cti-bridge check`."""
        return Problem(where=f"{file}:{self.line}:{self.column}", what=self.message, hint=self.hint)

    def document(self) -> dict[str, Any]:
        """For the admin page."""
        return {
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity.value,
        }


class Mistakes:
    """Collects what is wrong with one file, at most MAX_PROBLEMS of it."""

    def __init__(self) -> None:
        self._found: list[RulesProblem] = []

    def add(self, at: yaml.Node | Mark | None, message: str, hint: str = "") -> None:
        self._note(at, message, hint, Severity.ERROR)

    def warn(self, at: yaml.Node | Mark | None, message: str, hint: str = "") -> None:
        self._note(at, message, hint, Severity.WARNING)

    def at_line(self, line: int, message: str, hint: str = "") -> None:
        """A mistake of which only the line is known, from 1."""
        self._note(yaml.Mark("", 0, line - 1, 0, None, 0), message, hint, Severity.ERROR)

    @property
    def errors(self) -> int:
        """How many errors so far."""
        return sum(problem.severity is Severity.ERROR for problem in self._found)

    def in_order(self) -> tuple[RulesProblem, ...]:
        """By line and column."""
        return tuple(sorted(self._found, key=lambda problem: (problem.line, problem.column)))

    def _note(self, at: yaml.Node | Mark | None, message: str, hint: str, severity: Severity) -> None:
        if len(self._found) >= MAX_PROBLEMS:
            return
        mark = at.start_mark if isinstance(at, yaml.Node) else at
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        problem = RulesProblem(line=line, column=column, message=message, hint=hint, severity=severity)
        if problem not in self._found:
            self._found.append(problem)


def read_nodes(text: str, mistakes: Mistakes) -> yaml.Node | None:
    """The file's root node; None where it is empty or not YAML, which is then among the mistakes."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        mistakes.add(None, f"the file is larger than {MAX_BYTES // 1024} KiB", "routing rules are short: is this the right file?")
        return None
    try:
        if not _is_within_limits(text, mistakes):
            return None
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mistakes.add(error.problem_mark or error.context_mark, f"not YAML: {error.problem or error.context}", _yaml_hint(error))
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        mistakes.at_line(line, "a character that YAML does not allow", "delete it and type it anew")
        return None
    except (ValueError, OverflowError):
        # PyYAML lets chr() and int() fail on "\UFFFFFFFF" and on a %YAML directive of thousands of digits.
        mistakes.add(None, "not YAML: an escape or number that stands for nothing")
        return None
    if root is None:
        mistakes.add(None, "the file is empty", "it needs at least: default: {queue: NAME}")
    return root


def mapping(
    node: yaml.Node, what: str, keys: Collection[str] | None, mistakes: Mistakes
) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """Key -> (key node, value node). Wrong kind, doubled and (where `keys` is given) unknown keys are mistakes and left out."""
    if not isinstance(node, yaml.MappingNode):
        mistakes.add(node, f"{what} must be names with values (`name: value`), not {_kind(node)}")
        return {}
    found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            mistakes.add(key, f"a name in {what} must be plain text")
        elif key.value in found:
            mistakes.add(key, f"{quoted(key.value)} is given twice in {what}", f"first on line {line_of(found[key.value][0])}")
        elif keys is not None and key.value not in keys:
            mistakes.add(key, f"unknown word {quoted(key.value)} in {what}", suggestion(key.value, keys))
        else:
            found[key.value] = (key, value)
    return found


def scalar(node: yaml.Node, what: str, mistakes: Mistakes) -> str | None:
    """The node's text as written; None (a mistake) where it is a list, a mapping or empty."""
    if not isinstance(node, yaml.ScalarNode):
        mistakes.add(node, f"{what} must be one value, not {_kind(node)}")
        return None
    text = str(node.value).strip()
    if not text:
        mistakes.add(node, f"{what} is empty")
        return None
    return text


def scalars(node: yaml.Node, what: str, mistakes: Mistakes) -> list[tuple[yaml.Node, str]]:
    """One value or a list of values, each with its node; nothing in it is a mistake."""
    items: Iterable[yaml.Node] = node.value if isinstance(node, yaml.SequenceNode) else [node]
    read = [(item, scalar(item, what, mistakes)) for item in items]
    if not read:
        mistakes.add(node, f"{what} is an empty list", "leave it out, or name at least one value")
    return [(item, text) for item, text in read if text is not None]


def line_of(node: yaml.Node) -> int:
    """The line the node begins on, from 1."""
    return int(node.start_mark.line) + 1


def quoted(text: str) -> str:
    """What somebody wrote, short and with control characters shown."""
    return repr(text if len(text) <= 40 else text[:39] + "…")


def suggestion(word: str, known: Collection[str]) -> str:
    """`did you mean …?` with the closest word, else what is known where that is short."""
    close = difflib.get_close_matches(word[:60].lower(), {name.lower(): name for name in known}, n=1, cutoff=0.6)
    if close:
        return f"did you mean {next(name for name in known if name.lower() == close[0])}?"
    return "known: " + ", ".join(sorted(known)) if 0 < len(known) <= 12 else ""


def _is_within_limits(text: str, mistakes: Mistakes) -> bool:
    """Walks the parser's events, which nest without recursion, before the composer, which recurses, may see them."""
    depth = nodes = 0
    sound = True
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent) or (isinstance(event, yaml.NodeEvent) and event.anchor is not None):
            mistakes.add(
                event.start_mark, "anchors and aliases (& and *) are not read", "write the value out; quote text with a *"
            )
            sound = False
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent)):
            nodes += 1
            if event.tag is not None:
                mistakes.add(
                    event.start_mark, f"tags ({quoted(event.tag)}) are not read", "put text that begins with ! into quotes"
                )
                sound = False
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            mistakes.add(event.start_mark, "nested too deep" if depth > MAX_DEPTH else f"more than {MAX_NODES:,} values")
            return False
    return sound


def _yaml_hint(error: yaml.MarkedYAMLError) -> str:
    text = f"{error.context} {error.problem}"
    if "\\t" in text:
        return "indent with spaces, not tabs"
    if "alias" in text:
        return "put text that begins or ends with * into quotes"
    if "mapping values are not allowed" in text:
        return "check the indentation, and put text with a colon into quotes"
    return "check indentation, brackets and quotes here and on the line before"


def _kind(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "names with values"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return "a single value" if node.value else "nothing"
