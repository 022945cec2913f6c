"""The commands that work on the store alone: who may sign in, what comes in and goes out, a person's rights, the audit log."""

import asyncio
import os
import pwd
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cti_bridge.domain.account import AccountId, ContactKind
from cti_bridge.domain.audit_log import AuditAction, head_of
from cti_bridge.domain.person import PersonRefused
from cti_bridge.domain.user import Role
from cti_bridge.journal.erase import erase, is_written_now
from cti_bridge.journal.traces import Finder
from cti_bridge.rights import PersonRights
from cti_bridge.terminal import ConfigOption, complain, run_to_end, settings_of
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.database import Database
from storage.export import export_accounts, export_interactions
from storage.import_accounts import ImportOptions, import_accounts
from storage.import_table import mapping_of
from storage.persons import Persons
from storage.retention import Retention
from storage.users import Users

users = typer.Typer(help="People who sign in.", no_args_is_help=True)
imports = typer.Typer(help="Bring data in.", no_args_is_help=True)
exports = typer.Typer(help="Take data out.", no_args_is_help=True)
persons = typer.Typer(help="A customer's rights.", no_args_is_help=True)
log_commands = typer.Typer(help="The audit log.", no_args_is_help=True)


class ImportKey(StrEnum):
    """The kinds of contact points that can stand for one account only."""

    CUSTOMER_NUMBER = ContactKind.CUSTOMER_NUMBER.value
    EMAIL = ContactKind.EMAIL.value
    PHONE = ContactKind.PHONE.value


PasswordOption = Annotated[str, typer.Option(prompt=True, confirmation_prompt=True, hide_input=True, envvar="CTI_PASSWORD")]


@users.command("add")
def add_user(
    username: str,
    role: Annotated[Role, typer.Option(help="agent, supervisor or admin")],
    password: PasswordOption,
    name: Annotated[str | None, typer.Option(help="As colleagues see it.")] = None,
    extension: Annotated[str | None, typer.Option(help="The phone of an agent.")] = None,
    language: Annotated[str | None, typer.Option(help="en or zh")] = None,
    config: ConfigOption = None,
) -> None:
    """Adds a person who may sign in."""

    async def add(store: Users) -> None:
        await store.add(
            username=username, name=name or username, role=role, extension=extension, language=language, password=password
        )

    _with_users(config, add)
    print(f"Added {role.value} {username}.")


@users.command("passwd")
def set_password(
    username: str,
    password: PasswordOption,
    config: ConfigOption = None,
) -> None:
    """Sets a password and ends the person's sessions."""

    async def change(store: Users) -> None:
        if not await store.set_password(username, password):
            raise ValueError(f"there is no user {username}")

    _with_users(config, change)
    print(f"Changed the password of {username}.")


@users.command("list")
def list_users(config: ConfigOption = None) -> None:
    """Who may sign in."""

    async def show(store: Users) -> None:
        for user in await store.list():
            print(f"{user.username}\t{user.role.value}\t{user.extension or '-'}\t{user.name}")

    _with_users(config, show)


@imports.command("accounts")
def import_accounts_command(
    file: Annotated[Path, typer.Argument(help="A table (CSV with commas, semicolons or tabs), or vCards (.vcf).")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only.")] = False,
    column: Annotated[list[str] | None, typer.Option(help="ours=theirs, as name=客户名称; once for each column.")] = None,
    key: Annotated[ImportKey | None, typer.Option(help="A row whose key is known updates that account.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Where it is not UTF-8, UTF-16 or GB18030, as cp1252.")] = None,
    config: ConfigOption = None,
) -> None:
    """Adds the customers of a file that are not known yet; with --key updates those that are. A bad row stops the whole file."""
    settings = settings_of(config)
    try:
        columns = mapping_of(column or ())
    except ValueError as error:
        complain(error, code=2)
    options = ImportOptions(
        columns=columns,
        key=ContactKind(key) if key else None,
        encoding=encoding,
        rules=settings.tiers.as_rules(),
        progress=_tell_progress if sys.stderr.isatty() else None,
    )

    async def bring_in() -> None:
        database = Database(settings.database.url)
        try:
            await database.migrate()
            accounts = Accounts(database, region=settings.numbers.region)
            report = await import_accounts(database, accounts, file, dry_run=dry_run, now=datetime.now(UTC), options=options)
        finally:
            await database.close()
        added, updated = (f"would be {done}" if dry_run else done for done in ("added", "updated"))
        counts = [f"{report.added} {added}", *([f"{report.updated} {updated}"] if key else ()), f"{report.known} known already"]
        print(f"{report.rows} rows ({report.encoding}): {', '.join(counts)}.")
        if report.passed_over:
            print(f"Passed over: {', '.join(map(repr, report.passed_over))}.")

    run_to_end(bring_in())


def _tell_progress(done: str, rows: int) -> None:
    print(f"{rows} rows {done}", file=sys.stderr)


OutputArgument = Annotated[Path, typer.Argument(help="OUT.csv (for spreadsheets) or OUT.json; nothing is written over.")]
MomentOption = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"])]


@exports.command("accounts")
def export_accounts_command(output: OutputArgument, config: ConfigOption = None) -> None:
    """Writes every customer with numbers and addresses; `import accounts` reads it again. The file is for its owner only."""
    region = settings_of(config).numbers.region

    async def write(database: Database) -> int:
        detail = {"format": output.suffix.lower()}
        await AuditLog(database).append(AuditAction.ACCOUNTS_EXPORTED, actor=_actor(), detail=detail, now=datetime.now(UTC))
        return await export_accounts(database, Accounts(database, region=region), output)

    _export(config, output, "accounts", write)


@exports.command("interactions")
def export_interactions_command(
    output: OutputArgument,
    since: MomentOption = None,
    until: MomentOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the contacts of every channel that began in the time given; a day alone is this machine's own."""
    begin, end = (moment and moment.astimezone() for moment in (since, until))

    async def write(database: Database) -> int:
        moments = {"since": begin.isoformat() if begin else None, "until": end.isoformat() if end else None}
        detail = {"format": output.suffix.lower(), **moments}
        await AuditLog(database).append(AuditAction.INTERACTIONS_EXPORTED, actor=_actor(), detail=detail, now=datetime.now(UTC))
        return await export_interactions(database, output, since=begin, until=end)

    _export(config, output, "interactions", write)


def _export(config: Path | None, output: Path, what: str, write: Callable[[Database], Coroutine[Any, Any, int]]) -> None:
    settings = settings_of(config)

    async def take_out() -> None:
        database = Database(settings.database.url)
        try:
            await database.check_schema()
            count = await write(database)
        finally:
            await database.close()
        print(f"Wrote {count} {what} to {output}.")

    try:
        run_to_end(take_out())
    except ValueError as error:
        complain(error, code=2)


AccountArgument = Annotated[str, typer.Argument(help="The account's id, as the desk's address and `GET /accounts` show it.")]


@persons.command("export")
def export_person(
    account_id: AccountArgument,
    output: Annotated[Path, typer.Argument(help="OUT.json; nothing is written over.")],
    config: ConfigOption = None,
) -> None:
    """Writes everything that is kept of one customer. The file is for its owner only."""
    region = settings_of(config).numbers.region

    async def write(database: Database) -> None:
        reader = Persons(database, Accounts(database, region=region))
        count = await reader.export(AccountId(account_id), output, by=_actor(), now=datetime.now(UTC))
        print(f"Wrote the customer and {count} interactions to {output}.")

    _in_ready_store(config, write)


@persons.command("erase")
def erase_person(
    account_id: AccountArgument,
    yes: Annotated[bool, typer.Option("--yes", help="There is no way back but a backup.")] = False,
    config: ConfigOption = None,
) -> None:
    """Erases a customer with all merged doubles; the contacts stay as figures. Not while the customer is in a call."""
    if not yes:
        complain(f"this erases the account {account_id} for good: say so with --yes", code=2)
    settings = settings_of(config)
    region = settings.numbers.region
    folders = {pbx.name: settings.journal.directory / pbx.name for pbx in settings.pbx}
    if any(is_written_now(folder) for folder in folders.values()):
        complain("the service is running, and writes the journal: ask it, by DELETE /api/v1/accounts/{id} as an admin", code=1)

    async def remove(database: Database) -> None:
        store = Persons(database, Accounts(database, region=region))
        rights = PersonRights(store, {pbx: _ClosedJournal(folder) for pbx, folder in folders.items()}, region=region)
        erased = await rights.erase(AccountId(account_id), by=_actor(), now=datetime.now(UTC))
        print(f"Erased {erased.accounts} accounts and {erased.cases} cases; {erased.interactions} interactions stay, as figures.")
        print(f"Written over in the journal: {erased.journal} numbers and names.")

    _in_ready_store(config, remove)


def retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show only what would go.")] = False,
    config: ConfigOption = None,
) -> None:
    """Deletes what was kept longer than section [retention] says; the service does the same each night."""
    periods = settings_of(config).retention.as_periods()
    if not periods:
        print("Everything is kept: section [retention] of the settings names no days.")
        return

    async def let_go(database: Database) -> None:
        kept, now = Retention(database, periods), datetime.now(UTC)
        counts = await (kept.due(now=now) if dry_run else kept.carry_out(by=_actor(), now=now))
        for kind, count in counts.items():
            say = "would go" if dry_run else "gone"
            print(f"{kind.value}: {count} {say}, from before {now - periods[kind]:%Y-%m-%d %H:%M} UTC")

    _in_ready_store(config, let_go)


@dataclass(frozen=True, slots=True)
class _ClosedJournal:
    """The journal of a service that is stopped."""

    folder: Path

    async def erase(self, finder: Finder) -> int:
        return await asyncio.to_thread(erase, self.folder, finder)


@log_commands.command("verify")
def verify_log(
    head: Annotated[str | None, typer.Option(help="SEQ:HASH that an earlier run printed: shows rows taken from the end.")] = None,
    config: ConfigOption = None,
) -> None:
    """Checks the audit log from its first row to its last. Exits 0: whole, 1: broken, with the first such row."""
    try:
        known = head_of(head) if head is not None else None
    except ValueError as error:
        complain(error, code=2)

    async def walk(database: Database) -> None:
        verified = await AuditLog(database).verify(known)
        if verified.broken is not None:
            complain(f"the audit log is broken: row {verified.broken.seq} {verified.broken.why}", code=1)
        since = f", those up to {verified.cut.seq} gone by retention" if verified.cut else ""
        print(f"The audit log is whole: {verified.count} rows{since}, head {verified.head}")

    _in_ready_store(config, walk)


def _in_ready_store(config: Path | None, act: Callable[[Database], Coroutine[Any, Any, None]]) -> None:
    settings = settings_of(config)

    async def in_store() -> None:
        database = Database(settings.database.url)
        try:
            await database.check_schema()
            await act(database)
        finally:
            await database.close()

    try:
        run_to_end(in_store())
    except PersonRefused as refused:
        complain(refused, code=1)


def _actor() -> str:
    """Who runs the command, by the operating system."""
    try:
        return f"command:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"command:{os.getuid()}"  # a container's user without a name


def _with_users(config: Path | None, act: Callable[[Users], Coroutine[Any, Any, None]]) -> None:
    settings = settings_of(config)

    async def in_store() -> None:
        database = Database(settings.database.url)
        try:
            await database.migrate()
            await act(Users(database))
        finally:
            await database.close()

    try:
        run_to_end(in_store())
    except ValueError as error:
        complain(error, code=2)
