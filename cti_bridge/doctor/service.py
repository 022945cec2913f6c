"""Judges this machine's side: the store, the rules file, the place for the journal. Reads only; makes nothing."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.engine import make_url

from config.external import ExternalSettings
from config.settings import Settings
from cti_bridge.doctor.finding import Change, Finding, Subject, error, fine, warning
from cti_bridge.doctor.questions import example_number
from cti_bridge.domain.errors import StorageError
from cti_bridge.external.adapters import adapter_of
from cti_bridge.external.source import ExternalSource
from routing.rules_file import RulesCheck, read_rules
from routing.yaml_nodes import Severity
from storage.database import Database

_HERE: Final = Subject.SERVICE
STORE_SECONDS: Final = 8.0


def check_rules(file: Path) -> tuple[RulesCheck | None, list[Finding]]:
    """The rules, where they can be read, and what is wrong with them."""
    try:
        checked = read_rules(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as problem:
        finding = error(
            _HERE,
            "service.rules_unreadable",
            f"{file} cannot be read: {problem}",
            lost="the routing rules: every call goes to the dialplan's default queue",
            change=Change(file="cti.toml", section="routing", line='file = "…"'),
        )
        return None, [finding]
    findings = [
        (error if problem.severity is Severity.ERROR else warning)(
            _HERE,
            "service.rules",
            f"{problem.as_problem(str(file))}",
            lost="the routing rules: every call goes to the default queue"
            if problem.severity is Severity.ERROR
            else "this part of the rules",
        )
        for problem in checked.problems
    ]
    if not findings:
        findings = [fine(_HERE, "service.rules", f"{file} is sound (version {checked.version})")]
    return checked, findings


def queues_of(rules: RulesCheck | None) -> Mapping[str, int]:
    """Every queue that the rules send calls to, with the line that first names it."""
    if rules is None or rules.rules is None:
        return {}
    named: dict[str, int] = {}
    for rule in (*rules.rules.rules, rules.rules.default):
        named.setdefault(rule.queue, rule.line)
    return named


async def check_store(url: str) -> Finding:
    """Whether the store can be reached and has this version's schema."""
    shown = make_url(url).render_as_string(hide_password=True)
    if _is_to_be_made(url):
        return fine(_HERE, "service.store_new", f"{shown} is not there yet: the service makes it at its first start")
    try:
        database = Database(url)
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await database.check_schema()
        finally:
            await database.close()
    except (StorageError, TimeoutError) as problem:
        why = str(problem) or f"no answer within {STORE_SECONDS:g} s"
        return error(
            _HERE,
            "service.store",
            f"{shown}: {why}",
            lost="nothing is stored, accounts are not found; calls wait in the journal",
            change=Change(file="cti.toml", section="database", line=f'url = "{shown}" (or what the message says)'),
        )
    return fine(_HERE, "service.store", f"{shown} answers and has this version's schema")


def _is_to_be_made(url: str) -> bool:
    file = make_url(url).database
    return url.startswith("sqlite") and file is not None and not Path(file).exists()


def check_journal(directory: Path) -> Finding:
    """Whether the service could write there; the doctor itself makes no file."""
    place = directory.absolute()
    while not place.exists():
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return fine(_HERE, "service.journal", f"the journal's folder {directory} can be written")
    return error(
        _HERE,
        "service.journal",
        f"the journal's folder {directory} cannot be written by this user ({place})",
        lost="what was read from the PBX is not on disk: a crash loses the calls under way",
        change=Change(file="cti.toml", section="journal", line='directory = "…"'),
    )


async def check_external(settings: ExternalSettings, number: str) -> Finding:
    """Whether another system that knows customers answers, asked once for a number. Raises ConfigError."""
    source = ExternalSource(settings, adapter_of(settings))
    try:
        answer = await source.by_number(number)
    finally:
        await source.close()
    unread = [what for record in answer.records for what in record.unread]
    if source.failing:
        return error(
            _HERE,
            "service.external",
            f"{settings.name}: {source.failing}",
            lost="what it knows of callers: the card says that it could not be asked",
            change=Change(file="cti.toml", section="external", line="url, headers or secret_file, as the message says"),
        )
    if unread:
        change = Change(file="cti.toml", section="external.fields", line="the places of these fields in its answer")
        return warning(_HERE, "service.external", f"{settings.name}: {'; '.join(unread)}", lost="these fields", change=change)
    return fine(_HERE, "service.external", f"{settings.name} answers (asked for {number}: {answer.state.replace('_', ' ')})")


async def check_service(settings: Settings, rules: list[Finding]) -> list[Finding]:
    number = example_number(settings.numbers.region)
    externals = await asyncio.gather(*(check_external(external, number) for external in settings.external))
    return [*rules, await check_store(settings.database.url), check_journal(settings.journal.directory), *externals]
