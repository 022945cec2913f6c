"""A server for page tests: serves the real pages under their real CSP and speaks docs/protocol.md with scripted data.

A test pushes events with `PageServer.push` and reads what the browser sent from `received` and `requests`; `answers` sets
what a REST path says next. Nothing here decides anything: what the pages do with it is what is tested.
"""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

from aiohttp import WSMsgType, web

from cti_bridge.domain.call import iso_utc
from cti_bridge.domain.satisfaction import ScoreSource
from tests.support import page_data
from tests.support.relations import a_score

PAGE = Path(__file__).resolve().parents[2] / "screen_pop" / "page"
Answer = Callable[[dict[str, Any]], Awaitable[web.Response]]


def csp_of(html: str) -> str:
    """The policy the real server sends: own files only, and the one inline import map by its hash."""
    found = re.search(r'<script type="importmap">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def problem(status: int, kind: str, detail: str = "") -> web.Response:
    document = {"type": f"urn:cti-bridge:problem:{kind}", "title": kind, "status": status, "detail": detail}
    return web.json_response(document, status=status, content_type="application/problem+json")


def listed(items: list[dict[str, Any]], following: str | None = None) -> web.Response:
    return web.json_response({"items": items, "next": following})


@dataclass
class PageServer:
    """One user's world: `user` is who is signed in (None: nobody), `snapshot` is what a welcome carries."""

    user: dict[str, Any] | None
    snapshot: dict[str, Any]
    url: str = ""
    event_id: int = 0
    log: list[dict[str, Any]] = field(default_factory=list)
    """The numbered events sent, for a resume."""
    received: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    """(method, path below /api/v1, body)"""
    searches: list[dict[str, str]] = field(default_factory=list)
    """The queries of searches for accounts."""
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    interactions: list[dict[str, Any]] = field(default_factory=list)
    accounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    timelines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    may_connect: asyncio.Event = field(default_factory=asyncio.Event)

    async def push(self, kind: str, **what: Any) -> dict[str, Any]:
        """Sends a numbered event to every page, and keeps it for those that come back."""
        self.event_id += 1
        event = {"id": self.event_id, "type": kind, "at": now(), **what}
        self.log.append(event)
        await self.send(event)
        return event

    async def send(self, message: dict[str, Any]) -> None:
        for socket in set(self.sockets):
            await socket.send_json(message)

    async def cut(self) -> None:
        """Drops every link without a goodbye the page could learn from."""
        for socket in set(self.sockets):
            transport = socket._req.transport if socket._req else None
            assert transport is not None
            transport.abort()
        self.sockets.clear()

    async def wait_for(self, seen: Callable[["PageServer"], bool]) -> None:
        """Waits until `seen` holds of what the page has sent."""
        async with asyncio.timeout(10), self.heard:
            await self.heard.wait_for(lambda: seen(self))

    async def _tell(self) -> None:
        async with self.heard:
            self.heard.notify_all()

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("cti.v1",))
        await self.may_connect.wait()
        await socket.prepare(request)
        if self.user is None:
            await socket.close(code=4401)
            return socket
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            said = message.json()
            self.received.append(said)
            if said["type"] == "hello":
                await self._welcome(socket, said["last_event_id"])
            await self._tell()
        self.sockets.discard(socket)
        return socket

    async def _welcome(self, socket: web.WebSocketResponse, last: int) -> None:
        resumed = 0 < last <= self.event_id
        await socket.send_json(
            {"type": "welcome", "resumed": resumed, "event_id": self.event_id, "at": now(), "user": self.user}
            | {"snapshot": self.snapshot}
        )
        for event in self.log[last:] if resumed else ():
            await socket.send_json(event)
        self.sockets.add(socket)

    async def page(self, request: web.Request) -> web.Response:
        html = Template((PAGE / "shell.html").read_text("utf-8")).substitute(page=request.match_info["name"])
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": csp_of(html)})

    async def rest(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body = await request.json() if request.can_read_body else None
        self.requests.append((request.method, path, body))
        await self._tell()
        scripted = self.answers.get((request.method, path))
        if scripted is not None:
            return await scripted(body)
        return self._answer(request, path, body)

    def _answer(self, request: web.Request, path: str, body: Any) -> web.Response:
        parts = path.strip("/").split("/")
        if request.method == "GET":
            return self._read(request, parts)
        match request.method, parts:
            case "POST", ["session"] if body["password"] == "demo":
                return web.json_response({"user": self.user, "token": "t"})
            case "POST", ["session"]:
                return problem(401, "wrong-credentials")
            case "DELETE", ["session"]:
                return web.Response(status=204)
            case "POST", ["accounts"]:
                account = page_data.account(f"new-{body['name']}", body["name"], company=body.get("company"), tier=None)
                self.accounts[account["account_id"]] = account
                return web.json_response(account, status=201)
            case _, ["calls", call_id, "account"]:
                return web.json_response(self._identity(request.method, call_id, body))
            case "PATCH", ["accounts", account_id]:
                return web.json_response(page_data.account(account_id, body["name"], company=body.get("company"), tier=None))
            case "PATCH", ["calls", call_id, "wrap-up"]:
                return web.json_response(page_data.interaction(f"i-{call_id}", call_id=call_id, **_scored(body)))
            case (("POST" | "PUT"), _):
                return web.json_response({"request_id": "r1"}, status=202)
        return problem(404, "not-found")

    def _read(self, request: web.Request, parts: list[str]) -> web.Response:
        match parts:
            case ["session"]:
                return web.json_response({"user": self.user}) if self.user else problem(401, "not-signed-in")
            case ["interactions"]:
                return listed(self.interactions)
            case ["accounts"]:
                self.searches.append(dict(request.query))
                wanted, limit = request.query["q"].casefold(), int(request.query["limit"])
                found = [one for one in self.accounts.values() if wanted in one["name"].casefold()]
                return listed(found[:limit], "more" if len(found) > limit else None)
            case ["accounts", _, "commitments"]:
                return listed(self.cases)
            case ["accounts", account_id, "timeline"]:
                return listed(self.timelines.get(account_id, []))
            case ["accounts", account_id] if account_id in self.accounts:
                return web.json_response(self.accounts[account_id])
        return problem(404, "not-found")

    def _identity(self, method: str, call_id: str, body: Any) -> dict[str, Any]:
        """Who the caller is taken to be: as the pop said, and what the agent says now."""
        pops = [event for event in self.log if event["type"] == "pop" and event["call"]["call_id"] == call_id]
        match method:
            case "PUT":
                account = self.accounts.get(body["account_id"])
            case "POST":
                account = page_data.account("a-new", "+442079460018", company=None, tier=None, provisional=True)
            case _:
                account = None
        return {
            "call_id": call_id,
            "account": account,
            "candidates": pops[-1]["candidates"] if pops else [],
            "history": self.timelines.get(account["account_id"], []) if account else [],
            "commitments": {"items": [], "more": 0} if account else None,
            "lookup": pops[-1]["lookup"] if pops else "unknown",
            "chosen": None if method == "DELETE" else {"by": "1001", "at": now(), "learnt": account is not None},
        }


def _scored(wrap_up: dict[str, Any]) -> dict[str, Any]:
    score = wrap_up.get("satisfaction")
    return wrap_up if score is None else wrap_up | {"satisfaction": a_score(score, source=ScoreSource.AGENT, comment=None)}


def now() -> str:
    at = iso_utc(datetime.now(UTC))
    assert at is not None
    return at


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok")


def application(server: PageServer) -> web.Application:
    app = web.Application()
    app.router.add_get("/{name:login|agent|supervisor|admin}", server.page)
    app.router.add_static("/static/", PAGE)
    app.router.add_get("/ws", server.websocket)
    app.router.add_get("/healthz", _healthz)
    app.router.add_route("*", "/api/v1/{path:.+}", server.rest)
    return app


@asynccontextmanager
async def serve(user: dict[str, Any] | None, snapshot: dict[str, Any], port: int = 0) -> AsyncIterator[PageServer]:
    """The server on a free port of this machine; ends its links at the end."""
    server = PageServer(user=user, snapshot=snapshot)
    server.may_connect.set()
    runner = web.AppRunner(application(server), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        server.may_connect.set()
        await server.cut()
        await runner.cleanup()
