"""The rules in force: the last good version of the file, whatever somebody saves next.

A reload checks the whole file and swaps it in at once, or leaves what is in force and says what is wrong.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import structlog

from cti_bridge.domain.errors import ConfigError
from routing.rule import Rules
from routing.rules_file import RulesCheck, read_rules
from routing.yaml_nodes import MAX_BYTES, Mistakes, RulesProblem, Severity

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
        self._reloading = asyncio.Lock()

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
        if not self._take(_read(self._file)):
            errors = (problem for problem in self._problems if problem.severity is Severity.ERROR)
            raise ConfigError(tuple(problem.as_problem(str(self._file)) for problem in errors))

    async def reload(self) -> bool:
        """Reads the file again off the event loop; False (and the old version stays in force) where it has an error."""
        async with self._reloading:
            return self._take(await asyncio.to_thread(_read, self._file))

    def _take(self, read: tuple[str, RulesCheck]) -> bool:
        self._text, check = read
        self._problems = check.problems
        if check.rules is None:
            in_force = self._rules.version if self._rules is not None else None
            log.error("routing.rules_refused", file=str(self._file), first=str(check.problems[0].message), in_force=in_force)
            return False
        self._rules, self._loaded_at = check.rules, self._now()
        log.info("routing.rules_loaded", file=str(self._file), version=check.version, rules=len(check.rules.rules))
        return True


def _read(file: Path) -> tuple[str, RulesCheck]:
    """The file's text and what it is worth; one that cannot be read is worth one problem."""
    mistakes = Mistakes()
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES + 1).decode("utf-8")
    except UnicodeDecodeError as error:
        mistakes.at_line(error.object.count(b"\n", 0, error.start) + 1, "not UTF-8", "save the file as UTF-8")
    except OSError as error:
        mistakes.add(None, f"cannot be read: {error.strerror}", "check the path and who may read it")
    else:
        return text, read_rules(text)
    return "", RulesCheck(rules=None, problems=mistakes.in_order(), version="")
