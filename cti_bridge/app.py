"""The root: builds everything from the settings, supervises it, and states the order of shutdown.

One TaskGroup with named children. What a component expects to go wrong it handles itself; anything else ends the process with
the task's name in the log, systemd restarts it, and the journal and the resync give it back its state.
"""

import asyncio
import contextlib
import gc
import re
import secrets
import signal
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

import cti_bridge
from config.load import read_secret
from config.settings import ServerSettings, Settings
from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.stream import EVENT_CLASSES
from cti_bridge.call_task import Desk
from cti_bridge.callers import CallerDesk
from cti_bridge.commands import Commands, Pbx, WrapUpDesk
from cti_bridge.domain.account import Found, LookupResult, NotFound
from cti_bridge.external.adapters import ExternalMetrics, close_all, sources_of
from cti_bridge.gaps import GapBook
from cti_bridge.housekeeping import due_after, escalate, judge_tiers, turn_days, utc_now, watch_rules
from cti_bridge.journal.writer import Journal, limits_of
from cti_bridge.live.board import Board
from cti_bridge.lookup import Lookup
from cti_bridge.nightly import Night
from cti_bridge.pipeline import CallTasks, Pipeline
from cti_bridge.record.auditor import Auditor
from cti_bridge.record.metrics import AuditMetrics
from cti_bridge.record.reader import PbxRecord
from cti_bridge.rights import PersonRights
from cti_bridge.state import Health, ProcessMetrics, State
from cti_bridge.tracking.tracker import CallTracker
from cti_bridge.webhooks import Webhooks
from routing.fastagi import FastAgiServer
from routing.router import Router
from routing.rules_holder import RulesHolder
from screen_pop.hub import Hub
from screen_pop.live_feed import LiveFeed
from screen_pop.metrics import WebMetrics
from screen_pop.server import Ports, build_app, web_runner
from storage.accounts import Accounts
from storage.audit_log import AuditLog
from storage.audits import Audits
from storage.cases import Cases
from storage.database import Database
from storage.gaps import Gaps
from storage.identity import Choices
from storage.interactions import Interactions
from storage.merges import Merges
from storage.passwords import hash_password, is_password
from storage.persons import Persons
from storage.profiles import Profiles
from storage.recorder import Recorder
from storage.relations import Relations
from storage.scores import Scores
from storage.sessions import Sessions
from storage.users import Users

log = structlog.get_logger()

DRAIN_SECONDS, FLUSH_SECONDS, BROWSER_SECONDS = 5.0, 5.0, 5.0
"""Limits of the stages of shutdown; stragglers are named in the log."""


def auditor_of(settings: Settings, database: Database, *, settled: Callable[[], Awaitable[None]]) -> Auditor:
    """The audit of every PBX of the settings; one without a record cannot be looked at, and is told so."""
    numbers = settings.numbers
    internal = re.compile(numbers.internal)
    return Auditor(
        {
            pbx.name: PbxRecord(pbx.name, pbx.record, internal=internal, region=numbers.region)
            for pbx in settings.pbx
            if pbx.record.is_configured
        },
        Audits(database),
        Accounts(database, region=numbers.region),
        now=utc_now,
        settled=settled,
        nightly_at=settings.audit.nightly_at,
    )


class Application:
    """The whole service: `run()` it until `stop()`, a signal, or a component's failure (which it raises)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database.url)
        self.accounts = Accounts(self.database, region=settings.numbers.region)
        self.interactions = Interactions(self.database)
        self.profiles = Profiles(self.database, self.accounts, rules=settings.tiers.as_rules(), fields=settings.accounts.fields)
        self._webhooks = Webhooks(settings.webhook, self.database, now=utc_now)
        self.cases = Cases(self.database, self._webhooks.outbox)
        self.merges = Merges(self.database, self.accounts, self._webhooks.outbox)
        self.relations = Relations(self.database, self.accounts, rules=settings.churn.as_rules(), outbox=self._webhooks.outbox)
        self.users = Users(self.database)
        self.port = settings.server.port
        self.agi_port = settings.fastagi.port
        self.started = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._recorder = Recorder(self.database, outbox=self._webhooks.outbox)
        self._lookup = Lookup(self.accounts, settings.numbers.region)
        self._external = sources_of(settings.external)
        self._rules = RulesHolder(settings.routing.file, now=utc_now)
        self._router = Router(
            self._rules,
            lookup=self._account_of,
            region=settings.numbers.region,
            now=utc_now,
            pbxes=tuple(pbx.name for pbx in settings.pbx),
        )
        self._agi = FastAgiServer(
            host=settings.fastagi.host,
            port=settings.fastagi.port,
            decide=self._router.decide,
            withdraw=self._router.withdraw,
            peers=settings.fastagi.peers,
        )
        limits = limits_of(settings.journal, pbxes=len(settings.pbx))
        self._journals = {pbx.name: Journal(settings.journal.directory / pbx.name, limits, pbx=pbx.name) for pbx in settings.pbx}
        self._clients = {
            pbx.name: AmiClient(
                pbx,
                read_secret(pbx).get_secret_value(),
                event_classes=f"{EVENT_CLASSES},dialplan",
                tap=self._journals[pbx.name].take,
            )
            for pbx in settings.pbx
        }
        self._auditor = auditor_of(settings, self.database, settled=self._recorder.flush)
        self._board = Board(
            since=utc_now(),
            service_level_seconds=settings.queues.service_level_seconds,
            short_abandon_seconds=settings.queues.short_abandon_seconds,
            wrap_up_seconds=settings.queues.wrap_up_seconds,
        )
        self._gaps = GapBook(
            Gaps(self.database),
            self._board,
            auditor=self._auditor,
            recorded={pbx.name for pbx in settings.pbx if pbx.record.is_configured},
        )
        self._state = State(self._board, self._clients, self._rules, self._gaps, self._auditor.last)
        self._registry = CollectorRegistry()
        self._web_metrics = WebMetrics(self._registry)
        self._hub = Hub(self._web_metrics, masked_roles=frozenset(settings.privacy.masked_roles))
        self.night = Night(
            settings,
            self.database,
            accounts=self.accounts,
            cases=self.cases,
            merges=self.merges,
            relations=self.relations,
            hub=self._hub,
        )
        self._wrap_ups = WrapUpDesk(self._recorder, self.interactions, self._board)
        self._callers = CallerDesk(
            accounts=self.accounts,
            interactions=self.interactions,
            cases=self.cases,
            choices=Choices(self.database),
            lookup=self._lookup,
            wrap_ups=self._wrap_ups,
            board=self._board,
            hub=self._hub,
            external=self._external,
            entered_for=self._router.entered_for,
        )

    def stop(self) -> None:
        """Asks for an orderly end."""
        self._stopping.set()

    async def prepare_store(self) -> None:
        """SQLite is brought up to date by itself; a PostgreSQL schema is changed only by `cti-bridge migrate`.

        Raises StorageError where the store cannot be used.
        """
        if self.database.dialect == "sqlite":
            await self.database.migrate()
        else:
            await self.database.check_schema()

    async def run(self) -> None:
        """Serves until stopped. Raises StorageError, OSError (an address is taken), ExceptionGroup (a component failed)."""
        try:
            await self.prepare_store()
            await self._gaps.load()
            await self._rules.reload()  # a wrong rules file does not keep callers from their default queues
            await self._agi.start()
            self.agi_port = self._agi.port
            async with asyncio.TaskGroup() as tasks:
                await self._serve(tasks)
        finally:
            await self._agi.close()
            await self._lookup.close()
            await self._router.close()
            await self.database.close()
            await close_all(self._external)

    async def _serve(self, tasks: asyncio.TaskGroup) -> None:
        calls = CallTasks(desk=self._desk(), tasks=tasks)
        pipelines = {pbx.name: self._pipeline(pbx.name, calls) for pbx in self.settings.pbx}
        self._register_metrics(calls, pipelines)
        self._start(tasks, "recorder", self._recorder.run)
        decoy_hash = tasks.create_task(hash_password(secrets.token_urlsafe()))  # meanwhile
        await self._recover(pipelines)
        runner = await self._start_web(await decoy_hash)
        for name, pipeline in pipelines.items():
            journal = self._journals[name]
            self._start(tasks, f"journal {name}", journal.run)
            self._start(tasks, f"ami {name}", self._clients[name].run)
            self._start(tasks, f"pipeline {name}", pipeline.run)
            self._start(tasks, f"catch up {name}", partial(pipeline.catch_up, journal))
        self._start(tasks, "gaps", self._gaps.run)
        self._start(tasks, "live feed", LiveFeed(self._hub, self._state).run)
        self._start(tasks, "fastagi", self._agi.run)
        self._start(tasks, "rules watch", partial(watch_rules, self._rules))
        self._start(tasks, "day", partial(turn_days, self._board))
        if self.settings.tiers.rules:
            self._start(tasks, "tiers", partial(judge_tiers, self.profiles))
        self._start(tasks, "cases", partial(escalate, self.cases, self.relations))
        self._start(tasks, "night", self.night.run)
        self._start(tasks, "webhooks", self._webhooks.run)
        self._start(tasks, "audit", partial(self._auditor.run, self._gaps.changed))
        log.info("service.started", version=cti_bridge.__version__, host=self.settings.server.host, port=self.port)
        _spare_the_collector()
        self.started.set()
        try:
            await self._stopping.wait()
        finally:
            await self._shut_down(calls, runner)

    async def _recover(self, pipelines: Mapping[str, Pipeline]) -> None:
        """What the service knew before it ended, from the journals: before the first browser asks and before any PBX is heard."""
        for name, pipeline in pipelines.items():
            await pipeline.recover(self._journals[name])
        self._hub.number_after(max(pipeline.seen_until for pipeline in pipelines.values()))

    async def _shut_down(self, calls: CallTasks, runner: web.AppRunner) -> None:
        """Stop accepting, stop the PBX links, drain the call tasks, flush the recorder, close the browsers."""
        log.info("service.stopping")
        for site in tuple(runner.sites):
            await site.stop()
        self._cancel("ami", "pipeline", "catch up", "fastagi", "rules", "day", "audit", "tiers", "cases", "night", "webhooks")
        await calls.drain(DRAIN_SECONDS)
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await self._recorder.flush()
        except TimeoutError:
            log.error("shutdown.not_flushed", calls=self._recorder.waiting)
        await runner.cleanup()
        self._cancel("live feed", "recorder", "journal", "gaps")
        for journal in self._journals.values():
            await journal.close()  # with what is not stored in its last note: the next start takes it up
        log.info("service.stopped")

    def _start(self, tasks: asyncio.TaskGroup, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(tasks.create_task(_named(name, run), name=name))

    def _cancel(self, *prefixes: str) -> None:
        for task in self._tasks:
            if task.get_name().startswith(prefixes):
                task.cancel()

    def _desk(self) -> Desk:
        return Desk(
            hub=self._hub,
            lookup=self._lookup,
            recorder=self._recorder,
            decision_for=self._router.decision_for,
            surveyed=lambda call_id: self.relations.refresh_of_call(call_id, now=utc_now()),
            chosen_for=self._callers.chosen_for,
            external=self._external,
            entered_for=self._router.entered_for,
        )

    def _pipeline(self, pbx: str, calls: CallTasks) -> Pipeline:
        numbers = self.settings.numbers
        tracker = CallTracker(pbx, region=numbers.region, internal=re.compile(numbers.internal))
        return Pipeline(self._clients[pbx], tracker, self._board, calls, self._gaps, pbx=pbx)

    def _register_metrics(self, calls: CallTasks, pipelines: Mapping[str, Pipeline]) -> None:
        counters: dict[str, Callable[[], Mapping[str, int]]] = {
            "recorder": lambda: dict(self._recorder.counters.items()),
            "lookup": lambda: dict(self._lookup.counters.items()),
            "routing": lambda: self._router.counters,
            "fastagi": lambda: self._agi.counters,
            "call_tasks": lambda: calls.counters,
            "gaps": lambda: self._gaps.counters,
            "audit": lambda: self._auditor.counters,
            "webhooks": lambda: self._webhooks.counters,
            "retention": lambda: self.night.counters,
            "tracker": lambda: sum((pipeline.anomalies for pipeline in pipelines.values()), Counter[str]()),
            "journal": lambda: sum((journal.counters for journal in self._journals.values()), Counter[str]()),
        }
        self._registry.register(AuditMetrics(self._auditor.last))
        self._registry.register(ExternalMetrics(self._external))
        self._registry.register(ProcessMetrics(self._board, self._clients, counters))

    async def _start_web(self, decoy_hash: str) -> web.AppRunner:
        server = self.settings.server
        pbxes = {pbx.name: Pbx(settings=pbx, control=self._clients[pbx.name].control) for pbx in self.settings.pbx}
        ports = Ports(
            users=self.users,
            sessions=Sessions(self.database),
            verify=is_password,
            decoy_hash=decoy_hash,
            accounts=self.accounts,
            merges=self.merges,
            profiles=self.profiles,
            cases=self.cases,
            persons=PersonRights(Persons(self.database, self.accounts), self._journals, region=self.settings.numbers.region),
            audit_log=AuditLog(self.database),
            due_after=partial(due_after, self._rules, self.settings.cases.hours),
            interactions=self.interactions,
            scores=Scores(self.database, self._webhooks.outbox),
            relations=self.relations,
            gaps=Gaps(self.database),
            deliveries=self._webhooks.deliveries,
            commands=Commands(pbxes, self._board),
            wrap_ups=self._wrap_ups,
            callers=self._callers,
            live=self._state,
            readiness=Health(
                self.database.check_schema, self._recorder, self._clients, self._rules, self._journals, self._external
            ),
        )
        app = build_app(ports, self._hub, self._web_metrics, version=cti_bridge.__version__, origins=server.origins)
        runner = web_runner(app, shutdown_seconds=BROWSER_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, server.host, server.port, ssl_context=_tls(server))
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self.port = runner.addresses[0][1]
        return runner

    async def _account_of(self, e164: str | None, entered: str | None) -> LookupResult:
        candidates = await self.accounts.of_caller(e164, entered)
        return Found(candidates=candidates) if candidates else NotFound()


def _spare_the_collector() -> None:
    """What was built at the start lives to the end: the garbage collector need not walk through it while a phone rings.

    Fewer, not no collections: a young one after 20,000 new objects (about 100 calls' worth) instead of 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _named(name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """A child of the root's group: what escapes it is logged with its name and ends the service."""
    try:
        await run()
    except Exception:
        log.exception("service.component_failed", component=name)
        raise


def _tls(server: ServerSettings) -> ssl.SSLContext | None:
    if server.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.tls_certificate, server.tls_key)
    return context


async def serve(settings: Settings) -> None:
    """Runs the service until SIGINT or SIGTERM."""
    application = Application(settings)
    on_stop_signals(application.stop)
    await application.run()


def on_stop_signals(stop: Callable[[], None]) -> None:
    """SIGINT and SIGTERM call `stop` from now on, in place of breaking off what runs."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on every platform
            loop.add_signal_handler(number, stop)
