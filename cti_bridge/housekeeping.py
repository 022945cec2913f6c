"""What the service does by itself, beside the calls: takes changed rules into force, turns the day, judges tiers, escalates."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from cti_bridge.domain.errors import StorageError
from cti_bridge.live.board import Board
from routing.hours import after_open_time
from routing.rules_holder import RulesHolder
from storage.cases import Cases
from storage.profiles import Profiles
from storage.relations import Relations

log = structlog.get_logger()

RULES_CHECK_SECONDS = 2.0
"""How often the rules file is looked at for a change."""
DAY_CHECK_SECONDS = 1.0
ESCALATION_SECONDS = 30.0
"""How often commitments are looked through for those whose time has run out."""


def utc_now() -> datetime:
    return datetime.now(UTC)


async def watch_rules(rules: RulesHolder) -> None:
    """Takes a changed rules file into force, if it is good; else the admin's page says what is wrong."""
    seen = _stamp(rules.file)
    while True:
        await asyncio.sleep(RULES_CHECK_SECONDS)
        stamp = _stamp(rules.file)
        if stamp != seen:
            seen = stamp
            await rules.reload()


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


async def turn_days(board: Board) -> None:
    """The day's figures begin anew at the machine's own midnight."""
    day = utc_now().astimezone().date()
    while True:
        await asyncio.sleep(DAY_CHECK_SECONDS)
        today = utc_now().astimezone().date()
        if today != day:
            day = today
            board.begin_day(utc_now())


async def judge_tiers(profiles: Profiles) -> None:
    """The rules may have changed since the last start; a store that is away leaves the tiers as they are."""
    try:
        await profiles.judge_all(now=utc_now())
    except StorageError as error:
        log.warning("tiers.not_judged", error=str(error))


async def escalate(cases: Cases, relations: Relations) -> None:
    """Commitments whose time runs out are marked, once each, and supervisors find them in the list."""
    while True:
        await asyncio.sleep(ESCALATION_SECONDS)
        try:
            late = await cases.escalate(now=utc_now())
            for case in late:
                log.warning("case.escalated", case_id=case.case_id, kind=case.kind.value, owner=case.owner)
            await relations.refresh([case.account_id for case in late], now=utc_now())
        except StorageError as error:
            log.warning("case.not_escalated", error=str(error))


def due_after(rules: RulesHolder, hours: str | None, now: datetime, amount: timedelta) -> datetime:
    """When `amount` of working time will have passed: of the hours so named in the routing file, else of the clock."""
    known = rules.rules.hours if rules.rules is not None else ()
    named = next((one for one in known if one.name == hours), None)
    return now + amount if named is None else after_open_time(named, now, amount)
