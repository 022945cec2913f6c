"""The program: reads its arguments, calls one function, tells people in plain words what went wrong.

Exit codes: 0 done (a service that was told to stop, too), 1 failed or found something, 2 wrong settings, rules or arguments
(nothing was done) or an audit that could not look, 130 interrupted.
"""

import asyncio
import errno
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from config.load import read_secret, read_webhook_secret
from cti_bridge import logs
from cti_bridge.ami.client import AmiClient
from cti_bridge.app import auditor_of, on_stop_signals, serve
from cti_bridge.demo import run_demo
from cti_bridge.doctor.examination import LISTEN_SECONDS, MAX_LISTEN_SECONDS, Report, examine
from cti_bridge.doctor.report import lines_of
from cti_bridge.domain.audit import AuditReason, AuditResult, audit_document
from cti_bridge.domain.errors import ConfigError, CtiError, StorageError
from cti_bridge.external.adapters import sources_of
from cti_bridge.record.report import moment_of, report_lines
from cti_bridge.replay import RECORD_CLASSES, event_document, record, replay_calls, replay_events
from cti_bridge.store_commands import exports, imports, log_commands, persons, retention, users
from cti_bridge.terminal import ConfigOption, complain, run_to_end, settings_of
from routing.rules_file import read_rules
from routing.yaml_nodes import Severity
from storage.database import Database

app = typer.Typer(
    help="Call-centre CTI for Asterisk.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)
app.add_typer(users, name="user")
app.add_typer(imports, name="import")
app.add_typer(exports, name="export")
app.add_typer(persons, name="person")
app.add_typer(log_commands, name="log")
app.command("retention")(retention)


def main() -> None:
    """Runs the program; an expected error is told in plain words, without a traceback."""
    try:
        app()
    except ConfigError as error:
        complain(error, code=2)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has enough of it; Python's own flush at the exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except OSError as error:
        complain(_in_plain_words(error), code=1)
    except CtiError as error:
        complain(error, code=1)
    except BaseExceptionGroup as group:
        expected, others = group.split((CtiError, OSError))
        if others is not None or expected is None:
            raise
        complain("; ".join(str(error) for error in _leaves(expected)), code=1)


@app.command()
def run(config: ConfigOption = None) -> None:
    """The service."""
    settings = settings_of(config)
    logs.configure(settings.log)
    run_to_end(serve(settings))


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Where the pages are served.")] = 8080,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its store; made anew at each start.")] = Path("demo"),
    callers: Annotated[float, typer.Option(help="Callers a minute.")] = 5.0,
) -> None:
    """Everything at once: the service, a simulated PBX with callers, sample customers, demo sign-ins."""
    run_to_end(run_demo(folder=folder.absolute(), port=port, say=print, rate=callers))


@app.command()
def check(config: ConfigOption = None) -> None:
    """Settings and routing file: every mistake with its place and a hint."""
    settings = settings_of(config)
    for pbx in settings.pbx:
        read_secret(pbx)
    for webhook in settings.webhook:
        read_webhook_secret(webhook)
    sources_of(settings.external)
    file = settings.routing.file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        complain(f"{file}: the routing file cannot be read: {error}", code=2)
    result = read_rules(text)
    for problem in result.problems:
        print(f"{problem.severity.value}: {problem.as_problem(str(file))}", file=sys.stderr)
    if any(problem.severity is Severity.ERROR for problem in result.problems):
        raise typer.Exit(2)
    print(f"Settings and {file} are sound (rules version {result.version}).")


@app.command()
def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    listen: Annotated[
        float, typer.Option(min=0.0, max=MAX_LISTEN_SECONDS, help="Seconds to listen whether events arrive.")
    ] = LISTEN_SECONDS,
) -> None:
    """Asks each PBX what is missing or wrong, changes nothing there; each finding with the line to change. Exit 0/1/2."""
    settings = settings_of(config)
    logs.configure(settings.log, stream=sys.stderr)

    async def look() -> Report:
        return await examine(settings, now=datetime.now(UTC), listen_seconds=listen)

    report = asyncio.run(look())
    if as_json:
        _print_json(report.document())
    else:
        for line in lines_of(report, colours=sys.stdout.isatty()):
            print(line)
    raise typer.Exit(report.exit_code)


@app.command()
def replay(
    trace: Annotated[Path, typer.Argument(help="The recorded bytes (.ami).")],
    times: Annotated[Path | None, typer.Option(help="The times of receipt (.ts).")] = None,
    region: Annotated[str | None, typer.Option(help="How national numbers are read, as NL; without it as presented.")] = None,
    internal: Annotated[str, typer.Option(help="Endpoints of agents' phones.")] = "^[1-9][0-9]{2,4}$",
    events: Annotated[bool, typer.Option("--events", help="Every event instead of one line per call.")] = False,
) -> None:
    """A recorded AMI stream through the tracker: one JSON line per call, in order of arrival."""
    try:
        pattern = re.compile(internal)
    except re.error as error:
        complain(f"--internal is not a regular expression: {error}", code=2)
    if region is not None and not re.fullmatch("[A-Z]{2}", region):
        complain("--region is a country's code of two letters, as NL", code=2)
    if events:
        for event in replay_events(trace, times, pbx="main", region=region, internal=pattern):
            _print_json(event_document(event))
    else:
        for document in replay_calls(trace, times, pbx="main", region=region, internal=pattern):
            _print_json(document)


@app.command(name="record")
def record_command(
    output: Annotated[Path, typer.Argument(help="Where the bytes go (.ami); the times go beside it (.ts).")],
    config: Annotated[Path, typer.Option("--config", help="Settings file.")],
    pbx: Annotated[str | None, typer.Option(help="Name of the PBX; without it the first.")] = None,
) -> None:
    """Writes what the PBX sends, and when it came, until Ctrl-C. The files hold callers' numbers: mode 0600."""
    settings = settings_of(config)
    logs.configure(settings.log)
    chosen = next((one for one in settings.pbx if pbx in {None, one.name}), None)
    if chosen is None:
        complain(f"no [[pbx]] is named {pbx}: there are {', '.join(one.name for one in settings.pbx)}", code=2)
    if output.suffix != ".ami":
        complain(f"{output}: a trace's name ends in .ami", code=2)
    client_settings, secret = chosen, read_secret(chosen).get_secret_value()

    async def until_stopped() -> None:
        client = AmiClient(client_settings, secret, event_classes=RECORD_CLASSES)
        stopping = asyncio.Event()
        on_stop_signals(stopping.set)
        async with asyncio.TaskGroup() as tasks:
            running = [
                tasks.create_task(client.run()),
                tasks.create_task(record(client, output, output.with_suffix(".ts"))),
            ]
            await stopping.wait()
            for task in running:
                task.cancel()

    run_to_end(until_stopped())
    print(f"Recorded {output} ({output.stat().st_size} bytes).")


@app.command()
def audit(
    config: ConfigOption = None,
    since: Annotated[str | None, typer.Option(help="2026-11-21, or 2026-11-21T08:00+01:00; without it a day ago.")] = None,
    until: Annotated[str | None, typer.Option(help="As --since, a date to its end; without it now.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what is found; what agents wrote stays.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    pbx: Annotated[str | None, typer.Option(help="Name of the PBX; without it all.")] = None,
) -> None:
    """The calls in the store against the PBX's own record. Exits 0: nothing is wrong, 1: something is, 2: could not look."""
    settings = settings_of(config)
    logs.configure(settings.log, stream=sys.stderr)
    names = [one.name for one in settings.pbx if pbx in {None, one.name}]
    if not names:
        complain(f"no [[pbx]] is named {pbx}: there are {', '.join(one.name for one in settings.pbx)}", code=2)
    now = datetime.now(UTC)
    try:
        end = min(now, moment_of(until, at_end=True)) if until else now
        begin = moment_of(since, at_end=False) if since else end - timedelta(days=1)
    except ValueError as error:
        complain(error, code=2)
    if begin >= end:
        complain("nothing lies between --since and --until", code=2)

    async def compare() -> list[AuditResult]:
        database = Database(settings.database.url)
        try:
            await database.check_schema()
            auditor = auditor_of(settings, database, settled=_at_once)
            return [await auditor.audit(name, begin, end, reason=AuditReason.COMMAND, repair=repair) for name in names]
        finally:
            await database.close()

    try:
        results = asyncio.run(compare())
    except StorageError as error:
        complain(error, code=2)
    if as_json:
        _print_json({"results": [audit_document(result) for result in results]})
    else:
        print(*report_lines(results, zone=None), sep="\n")
    could_look = all(result.error is None for result in results)
    raise typer.Exit(0 if all(result.is_clean for result in results) else 1 if could_look else 2)


async def _at_once() -> None:
    """Nothing of this process is on its way to the store."""


@app.command()
def migrate(config: ConfigOption = None) -> None:
    """Brings the database's schema up to date."""

    async def migrate_store() -> None:
        database = Database(settings_of(config).database.url)
        try:
            await database.migrate()
        finally:
            await database.close()

    run_to_end(migrate_store())
    print("The schema is up to date.")


def _in_plain_words(error: OSError) -> str:
    """What went wrong with which file or address, without numbers that only programmers know."""
    if error.errno == errno.EADDRINUSE:
        return f"{error.strerror or error}: another program has this port; choose another one"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _print_json(document: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
