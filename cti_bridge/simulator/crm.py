"""The demo's other system that knows customers: a small CRM over REST that takes its time, as such systems do.

Invented, like everybody in the demo.
"""

import asyncio
import secrets
from html import escape
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import hdrs, web
from pydantic import SecretStr

from config.external import ExternalFieldSettings, ExternalSettings
from cti_bridge.domain.account import Tier
from cti_bridge.domain.phone_number import to_e164
from cti_bridge.simulator.customers import CUSTOMERS

THINKS_SECONDS: Final = 1.2
REGION: Final = "GB"
Record = dict[str, Any]


def _record(number: str, name: str, open_orders: int, **more: Any) -> Record:
    return {"id": number, "name": name, "orders": {"open": open_orders, "last": more.pop("last", None)}, **more}


def _records() -> dict[str, tuple[Record, ...]]:
    """By number. It has the better customers, some callers who are on no account here, and two people at one number."""
    known = {
        customer.callers_id: (
            _record(f"C-{1000 + place}", customer.name, place % 4, company=customer.company, blocked=place % 5 == 0),
        )
        for place, customer in enumerate(CUSTOMERS)
        if customer.tier in {Tier.PLATINUM, Tier.GOLD}
    }
    unknown = {
        "02079460500": (_record("C-2041", "Harriet Ashdown", 2, last="2026-11-17", **{"class": "B"}),),
        "+441614960600": (_record("C-1177", "Imran Siddiqui", 5, company="Salford Timber", **{"class": "A"}),),
        "01174960701": (_record("C-0950", "Olu Adeyemi", 1, last="2026-10-30", blocked=True),),
        "+12125550187": (
            _record("C-3310", "Dana Whitlock", 1, company="Hudson Fittings"),
            _record("C-3311", "Marcus Bell", 0, company="Hudson Fittings"),
        ),
    }
    return {to_e164(number, REGION) or number: found for number, found in (known | unknown).items()}


class SimulatedCrm:
    """Serves on a free port of this machine inside `async with`."""

    def __init__(self, *, thinks_seconds: float = THINKS_SECONDS) -> None:
        self._thinks_seconds = thinks_seconds
        self._records = _records()
        self._secret = secrets.token_urlsafe()
        app = web.Application()
        app.router.add_get("/api/customers", self._find)
        app.router.add_get("/customers/{id}", self._show)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()

    def settings(self) -> ExternalSettings:
        """The section [[external]] that asks it."""
        address = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return ExternalSettings(
            name="CRM",
            url=f"{address}/api/customers?phone={{e164}}",
            headers={hdrs.AUTHORIZATION: "Bearer {secret}"},
            secret=SecretStr(self._secret),
            records="items",
            fields=ExternalFieldSettings(
                id="id", name="name", company="company", tier="class", link=f"{address}/customers/{{id}}"
            ),
            facts={"Open orders": "orders.open", "Last order": "orders.last", "Deliveries stopped": "blocked"},
            tiers={"A": "platinum", "B": "gold"},
        )

    async def _find(self, request: web.Request) -> web.Response:
        if not secrets.compare_digest(request.headers.get(hdrs.AUTHORIZATION, ""), f"Bearer {self._secret}"):
            return web.json_response({"error": "who asks?"}, status=401)
        await asyncio.sleep(self._thinks_seconds)
        return web.json_response({"items": self._records.get(request.query.get("phone", ""), ())})

    async def _show(self, request: web.Request) -> web.Response:
        found = (one for found in self._records.values() for one in found if one["id"] == request.match_info["id"])
        customer = next(found, None)
        if customer is None:
            raise web.HTTPNotFound
        title = escape(f"{customer['id']} {customer['name']}")
        page = f"<!doctype html><meta charset=utf-8><title>{title}</title><h1>{title}</h1><p>The demo's CRM, beside cti-bridge."
        return web.Response(text=page, content_type="text/html")
