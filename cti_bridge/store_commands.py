"""The commands that work on the store alone: who may sign in, what comes in and what goes out."""

import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cti_bridge.domain.account import ContactKind
from cti_bridge.domain.user import Role
from cti_bridge.terminal import ConfigOption, complain, run_to_end, settings_of
from storage.accounts import Accounts
from storage.database import Database
from storage.export import export_accounts, export_interactions
from storage.import_accounts import ImportOptions, import_accounts
from storage.import_table import mapping_of
from storage.users import Users

users = typer.Typer(help="People who sign in.", no_args_is_help=True)
imports = typer.Typer(help="Bring data in.", no_args_is_help=True)
exports = typer.Typer(help="Take data out.", no_args_is_help=True)


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
    _export(config, output, "accounts", lambda database: export_accounts(database, Accounts(database, region=region), output))


@exports.command("interactions")
def export_interactions_command(
    output: OutputArgument,
    since: MomentOption = None,
    until: MomentOption = None,
    config: ConfigOption = None,
) -> None:
    """Writes the contacts of every channel that began in the time given; a day alone is this machine's own."""
    begin, end = (moment and moment.astimezone() for moment in (since, until))
    _export(config, output, "interactions", lambda database: export_interactions(database, output, since=begin, until=end))


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
