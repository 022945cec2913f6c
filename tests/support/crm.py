"""Another system that knows customers: a real web server that answers as it is told, after a time, or never."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from config.external import ExternalSettings

SECRET = "crm-s3cret"
FANG = {
    "customer": {"no": 4711, "name": "Fang Weiss", "class": "A", "locale": "de", "address": {"firm": "Lantern Tea"}, "open": 3}
}
"""One customer, as this system has it."""
MAPPING: dict[str, Any] = {
    "records": "customer",
    "fields": {
        "id": "no",
        "name": "name",
        "company": "address.firm",
        "tier": "class",
        "language": "locale",
        "link": "https://crm.example/customers/{id}",
    },
    "facts": {"Open orders": "open"},
    "tiers": {"A": "platinum"},
}


@dataclass
class Crm:
    """`answer` gives what is answered to a request; while `gate` is closed, nothing is."""

    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    port: int = 0
    asked: list[web.Request] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.connections.add(request.transport and request.transport.get_extra_info("peername"))
        self.reached.set()
        await self.gate.wait()
        return await self.answer(request)

    @property
    def numbers(self) -> list[str]:
        return [request.query["phone"] for request in self.asked]

    def settings(self, **changes: Any) -> ExternalSettings:
        """The section of the settings that asks it."""
        fields = {"name": "crm", "url": f"http://127.0.0.1:{self.port}/customers?phone={{e164}}", **MAPPING}
        return ExternalSettings.model_validate(fields | changes)


def says(body: Any, *, status: int = 200, **more: Any) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Always the same answer; `body` is text, bytes, or becomes JSON."""
    payload = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=payload, content_type="application/json", **more)

    return answer


@asynccontextmanager
async def a_crm(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None, *, is_open: bool = True
) -> AsyncIterator[Crm]:
    crm = Crm(answer or says(FANG))
    if is_open:
        crm.gate.set()
    app = web.Application()
    app.router.add_get("/{path:.*}", crm.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    crm.port = runner.addresses[0][1]
    try:
        yield crm
    finally:
        crm.gate.set()
        await runner.cleanup()
