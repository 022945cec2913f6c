"""The people's side put together: one aiohttp application with the REST API, the websocket, the pages and their headers.

In: the ports (storage, commands, live state) and the hub; out: an application that app.py serves, and closes with 1001.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from cti_bridge.domain.errors import WireError
from screen_pop import wire
from screen_pop.api import (
    accounts,
    audits,
    callers,
    calls,
    cases,
    gaps,
    interactions,
    live,
    merges,
    persons,
    relations,
    reveal,
    routing,
    sessions,
    webhooks,
)
from screen_pop.api.operations import operations_routes
from screen_pop.api.problems import problems, route_of
from screen_pop.api.route import MAX_BODY_BYTES, Route, RoutePorts, Services, handler_of
from screen_pop.auth import Attempts, Origins, SignIn, credentials_of
from screen_pop.hub import Hub
from screen_pop.metrics import WebMetrics
from screen_pop.pages import PAGE_FOLDER, Pages, add_pages
from screen_pop.ports import (
    PasswordCheck,
    Sessions,
    User,
    Users,
)
from screen_pop.session import Session, SessionLimits, SessionSocket, close_socket

log = structlog.get_logger()

API_ROUTES: tuple[Route, ...] = (
    *sessions.ROUTES,
    *accounts.ROUTES,
    *merges.ROUTES,
    *cases.ROUTES,
    *persons.ROUTES,
    *reveal.ROUTES,
    *interactions.ROUTES,
    *relations.ROUTES,
    *calls.ROUTES,
    *callers.ROUTES,
    *live.ROUTES,
    *webhooks.ROUTES,
    *gaps.ROUTES,
    *audits.ROUTES,
    *routing.ROUTES,
)

WEBSOCKET = "/ws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports(RoutePorts):
    """What the root hands in. `decoy_hash` is a hash made like the real ones, of a random password."""

    users: Users
    sessions: Sessions
    verify: PasswordCheck
    decoy_hash: str


def build_app(
    ports: Ports,
    hub: Hub,
    metrics: WebMetrics,
    *,
    version: str,
    origins: Iterable[str] = (),
    page_folder: Path = PAGE_FOLDER,
    limits: SessionLimits | None = None,
    attempts: Attempts | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> web.Application:
    """The application. Its shutdown closes every browser; the hub and the live feed belong to the caller."""
    sign_in = SignIn(
        ports.users, ports.sessions, ports.verify, decoy_hash=ports.decoy_hash, now=now, attempts=attempts or Attempts()
    )
    services = Services(
        **{port.name: getattr(ports, port.name) for port in fields(RoutePorts)},
        sign_in=sign_in,
        origins=Origins(origins),
        hub=hub,
        metrics=metrics,
        now=now,
    )
    pages = Pages(page_folder)
    app = web.Application(middlewares=[_timed(metrics), problems], client_max_size=MAX_BODY_BYTES)
    for route in (*API_ROUTES, *operations_routes(API_ROUTES, version=version)):
        app.router.add_route(route.method, route.path, handler_of(route, services))
    app.router.add_get(WEBSOCKET, _websocket(services, limits or SessionLimits()))
    add_pages(app, pages, sign_in)

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(pages.headers)

    async def close_browsers(_: web.Application) -> None:
        hub.close_all()

    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(close_browsers)
    return app


def web_runner(app: web.Application, *, shutdown_seconds: float = 10.0) -> web.AppRunner:
    """What serves the application. No access log: its lines would hold the numbers and names that people search for."""
    return web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_seconds)


def _websocket(services: Services, limits: SessionLimits) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The upgrade: from where and who, before anything is listened to. A refusal is a close code that the page can read."""

    async def upgrade(request: web.Request) -> web.StreamResponse:
        credentials = credentials_of(request)
        is_cookie = credentials is not None and credentials.is_cookie
        is_ours = services.origins.allow(request.headers, scheme=request.scheme, is_cookie=is_cookie)
        user = await services.sign_in.user_of(credentials.token_hash) if credentials and is_ours else None
        socket = SessionSocket(limits)
        await socket.prepare(request)
        try:
            if socket.ws_protocol != wire.SUBPROTOCOL:
                raise _refused(wire.CLOSE_NOT_THE_PROTOCOL, "not-the-protocol")
            if not is_ours:
                raise _refused(wire.CLOSE_NOT_ALLOWED, "wrong-origin")
            if user is None or credentials is None:
                raise _refused(wire.CLOSE_NOT_SIGNED_IN, "not-signed-in")
            await _serve(request, socket, services, user=user, token_hash=credentials.token_hash, limits=limits)
        except WireError as refused:
            await close_socket(socket, request.transport, refused, services.metrics, seconds=limits.close_seconds)
        return socket

    return upgrade


async def _serve(
    request: web.Request,
    socket: SessionSocket,
    services: Services,
    *,
    user: User,
    token_hash: bytes,
    limits: SessionLimits,
) -> None:
    async def still() -> User | None:
        return await services.sign_in.user_of(token_hash)

    connection = services.hub.attach(user, token_hash)
    try:
        session = Session(
            socket,
            request.transport,
            connection,
            hub=services.hub,
            live=services.live,
            still=still,
            metrics=services.metrics,
            now=services.now,
            limits=limits,
        )
        ended = await session.run()
    finally:
        services.hub.detach(connection)
    log.info("websocket.closed", user=user.user_id, role=user.role, kind=ended.kind, code=ended.close_code)


def _refused(code: int, kind: str) -> WireError:
    return WireError(kind, kind, close_code=code)


def _timed(metrics: WebMetrics) -> Middleware:
    """Counts every request by the pattern of its route; a websocket is not a request that takes hours."""

    @web.middleware
    async def timed(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.monotonic()
        response = await handler(request)
        if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
            method = request.method if request.method in hdrs.METH_ALL else "other"
            metrics.http_seconds.labels(method, route_of(request), str(response.status)).observe(time.monotonic() - began)
        return response

    return timed
