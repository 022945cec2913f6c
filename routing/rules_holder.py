"""The rules in force: the last good version of the file, whatever somebody saves next.

A reload checks the whole file and swaps it in at once, or leaves what is in force and says what is wrong.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from cti_bridge.domain.errors import ConfigError, Problem
from routing.rule import Rules
from routing.rules_file import RulesCheck, read_rules
from routing.yaml_nodes import MAX_BYTES, Mistakes, RulesProblem

log = structlog.get_logger(__name__)


class RulesHolder:
    """Owns the rules file of one site; `rules` is None until a good version was read."""

    def __init__(self, file: Path, *, now: Callable[[], datetime]) -> None:
        self._file = file
        self._now = now
        self._rules: Rules | None = None
        self._loaded_at: datetime | None = None
        self._text = ""
        self._problems: tuple[RulesProblem, ...] = ()

    @property
    def file(self) -> Path:
        return self._file

    @property
    def rules(self) -> Rules | None:
        """The version in force."""
        return self._rules

    @property
    def loaded_at(self) -> datetime | None:
        """When the version in force was read; None before the first."""
        return self._loaded_at

    @property
    def text(self) -> str:
        """The file as last read, good or not."""
        return self._text

    @property
    def problems(self) -> tuple[RulesProblem, ...]:
        """What is wrong with the file as last read."""
        return self._problems

    def load(self) -> None:
        """Reads the file at the start. Raises ConfigError with every mistake: a start with wrong rules is refused."""
        check = self._read()
        if check is None or check.rules is None:
            errors = check.as_problems(str(self._file)) if check is not None else self._unreadable()
            raise ConfigError(errors)

    async def reload(self) -> bool:
        """Reads the file again off the event loop; False (and the old version stays in force) where it has an error."""
        check = await asyncio.to_thread(self._read)
        return check is not None and check.rules is not None

    def _read(self) -> RulesCheck | None:
        try:
            with self._file.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
            text = content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._refuse(_as_problem(error))
            return None
        check = read_rules(text)
        self._text, self._problems = text, check.problems
        if check.rules is None:
            log.error("routing.rules_refused", file=str(self._file), problems=len(check.problems), in_force=self._version())
        else:
            self._rules, self._loaded_at = check.rules, self._now()
            log.info("routing.rules_loaded", file=str(self._file), version=check.version, rules=len(check.rules.rules))
        return check

    def _refuse(self, problem: RulesProblem) -> None:
        self._text, self._problems = "", (problem,)
        log.error("routing.rules_unreadable", file=str(self._file), reason=problem.message, in_force=self._version())

    def _unreadable(self) -> tuple[Problem, ...]:
        return tuple(problem.as_problem(str(self._file)) for problem in self._problems)

    def _version(self) -> str | None:
        return self._rules.version if self._rules is not None else None


def _as_problem(error: OSError | UnicodeDecodeError) -> RulesProblem:
    mistakes = Mistakes()
    if isinstance(error, UnicodeDecodeError):
        mistakes.at_line(error.object.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8")
    else:
        mistakes.add(None, f"cannot be read: {error.strerror}", "check the path and who may read it")
    return mistakes.in_order()[0]
