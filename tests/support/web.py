"""The people's side on a loopback port with the ports faked, and browsers that speak to it over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry

from screen_pop.auth import Attempts
from screen_pop.hub import Hub
from screen_pop.live_feed import LiveFeed
from screen_pop.metrics import WebMetrics
from screen_pop.ports import Role, User
from screen_pop.server import Ports, build_app, web_runner
from screen_pop.session import SessionLimits
from tests.support.desk_stores import (
    FakeAuditLog,
    FakeCallers,
    FakeCases,
    FakeDeliveries,
    FakeMerges,
    FakePersons,
    FakeProfiles,
    FakeRelations,
    FakeScores,
)
from tests.support.gaps import FakeGaps
from tests.support.stores import (
    NOW,
    PASSWORD,
    FakeAccounts,
    FakeCommands,
    FakeInteractions,
    FakeLive,
    FakePasswords,
    FakeReadiness,
    FakeSessions,
    FakeUsers,
    FakeWrapUps,
)

PATIENCE_SECONDS = 10.0
"""How long a test waits for what must come; never reached when all is well."""


class Clock:
    """Wall and monotonic time that move only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds - 1000.0)


@dataclass
class Web:
    """A running server with everything a test may want to turn or look at."""

    base: str
    hub: Hub
    metrics: WebMetrics
    app: web.Application
    clock: Clock
    users: FakeUsers
    sessions: FakeSessions
    passwords: FakePasswords
    accounts: FakeAccounts
    merges: FakeMerges
    profiles: FakeProfiles
    cases: FakeCases
    deliveries: FakeDeliveries
    persons: FakePersons
    audit_log: FakeAuditLog
    interactions: FakeInteractions
    scores: FakeScores
    relations: FakeRelations
    commands: FakeCommands
    callers: FakeCallers
    live: FakeLive
    readiness: FakeReadiness
    feed: LiveFeed
    http: aiohttp.ClientSession
    runner: web.AppRunner
    tokens: dict[str, str] = field(default_factory=dict)

    async def token_of(self, user: User) -> str:
        """A bearer token of this user's; signs in once."""
        if user.username not in self.tokens:
            _, body = await self.call("POST", "/api/v1/session", {"username": user.username, "password": PASSWORD})
            self.tokens[user.username] = body["token"]
        return self.tokens[user.username]

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: User | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """One request as this user, with a bearer token; gives the status and the JSON."""
        sent = dict(headers or {})
        if user:
            sent["Authorization"] = f"Bearer {await self.token_of(user)}"
        async with self.http.request(method, self.base + path, json=body, headers=sent, allow_redirects=False) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw and "json" in response.content_type else raw

    async def connect(self, user: User, **options: Any) -> "Browser":
        token = await self.token_of(user)
        socket = await self.http.ws_connect(
            self.base + "/ws", protocols=("cti.v1",), headers={"Authorization": f"Bearer {token}"}, max_msg_size=0, **options
        )
        return Browser(socket)

    async def open(self, user: User, last_event_id: int = 0) -> "Browser":
        """A browser that said hello and was welcomed; what came is in `browser.welcome`."""
        browser = await self.connect(user)
        await browser.say({"type": "hello", "last_event_id": last_event_id})
        browser.welcome = await browser.hear()
        return browser

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@dataclass
class Browser:
    socket: aiohttp.ClientWebSocketResponse
    welcome: dict[str, Any] = field(default_factory=dict)

    async def say(self, message: Any) -> None:
        await self.socket.send_str(message if isinstance(message, str) else orjson.dumps(message).decode())

    async def hear(self) -> dict[str, Any]:
        """The next message; an end of the link fails the test with its code."""
        frame = await self.socket.receive(timeout=PATIENCE_SECONDS)
        assert frame.type is aiohttp.WSMsgType.TEXT, (frame, self.socket.close_code)
        message: dict[str, Any] = orjson.loads(frame.data)
        return message

    async def hear_end(self) -> int | None:
        """Reads on to the end of the link and gives the close code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await self.socket.receive()).type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING):
                pass
        return self.socket.close_code

    async def drop(self) -> None:
        """The network goes away without a goodbye."""
        connection = self.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        await self.socket.close()


@asynccontextmanager
async def running_web(
    page_folder: Path,
    *,
    limits: SessionLimits | None = None,
    origins: tuple[str, ...] = (),
    max_behind: int = 256,
    masked_roles: frozenset[Role] = frozenset(),
) -> AsyncIterator[Web]:
    clock = Clock()
    metrics = WebMetrics(CollectorRegistry())
    hub = Hub(metrics, clock=clock, wall_clock=clock.now, max_behind=max_behind, masked_roles=masked_roles)
    users, passwords, accounts, interactions = FakeUsers(), FakePasswords(), FakeAccounts(), FakeInteractions()
    merges, profiles, cases = FakeMerges(), FakeProfiles(accounts), FakeCases()
    sessions, commands, live, readiness = FakeSessions(users), FakeCommands(), FakeLive(), FakeReadiness()
    callers, deliveries = FakeCallers(accounts), FakeDeliveries()
    persons, audit_log = FakePersons(accounts), FakeAuditLog()
    scores, relations = FakeScores(interactions), FakeRelations(accounts)
    ports = Ports(
        users=users,
        sessions=sessions,
        verify=passwords,
        decoy_hash="hash of something nobody knows",
        accounts=accounts,
        merges=merges,
        profiles=profiles,
        cases=cases,
        persons=persons,
        audit_log=audit_log,
        interactions=interactions,
        scores=scores,
        relations=relations,
        gaps=FakeGaps(),
        deliveries=deliveries,
        commands=commands,
        wrap_ups=FakeWrapUps(interactions),
        callers=callers,
        live=live,
        readiness=readiness,
    )
    app = build_app(
        ports,
        hub,
        metrics,
        version="0.0.1",
        origins=origins,
        page_folder=page_folder,
        limits=limits,
        attempts=Attempts(clock=clock),
        now=clock.now,
    )
    runner = web_runner(app, shutdown_seconds=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    try:
        yield Web(
            base=f"http://127.0.0.1:{port}",
            hub=hub,
            metrics=metrics,
            app=app,
            clock=clock,
            users=users,
            sessions=sessions,
            passwords=passwords,
            accounts=accounts,
            merges=merges,
            profiles=profiles,
            cases=cases,
            deliveries=deliveries,
            persons=persons,
            audit_log=audit_log,
            interactions=interactions,
            scores=scores,
            relations=relations,
            commands=commands,
            callers=callers,
            live=live,
            readiness=readiness,
            feed=LiveFeed(hub, live),
            http=http,
            runner=runner,
        )
    finally:
        await http.close()
        await runner.cleanup()
