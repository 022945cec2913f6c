"""An agent's page without the browser: what it would show, over any number of breaks of the link.

It does what screen_pop/page/lib/link.js and agent/desk.js do: comes back by itself with the last event it saw, takes each event
once, and shows a pop once by its id. It then tells what it showed, so that a test can hold that against how often the phone rang.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

FIRST_WAIT_SECONDS = 0.2
LAST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A pop on the screen. `rings` is false where the page learned of it from a snapshot."""

    pop_id: str
    call_id: str
    at: float
    rings: bool


@dataclass(slots=True)
class AgentsBrowser:
    """`run` it. `again` counts pops that came more than once and were shown once only."""

    base: str
    extension: str
    token: str
    shown: dict[str, Shown] = field(default_factory=dict)
    again: Counter[str] = field(default_factory=Counter)
    cards: frozenset[str] = frozenset()
    """The calls whose cards the last welcome brought back."""
    is_live: bool = False
    _last_event_id: int = 0

    async def run(self) -> None:
        """Keeps the link up until cancelled."""
        wait = FIRST_WAIT_SECONDS
        headers = {"Authorization": f"Bearer {self.token}"}
        async with aiohttp.ClientSession(self.base, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http:
            while True:
                try:
                    async with http.ws_connect("/ws", protocols=("cti.v1",), max_msg_size=0) as socket:
                        wait = FIRST_WAIT_SECONDS
                        await self._listen(socket)
                except (aiohttp.ClientError, ConnectionError):
                    pass  # the service is away: that is what this page is for
                self.is_live = False
                await asyncio.sleep(wait)
                wait = min(2 * wait, LAST_WAIT_SECONDS)

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_json({"type": "hello", "last_event_id": self._last_event_id})
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            message = frame.json()
            if message["type"] == "welcome":
                self._take_welcome(message)
            elif message.get("id", 0) > self._last_event_id:
                self._last_event_id = message["id"]
                if message["type"] == "pop":
                    self._take_pop(message, rings=True)
                await socket.send_json({"type": "ack", "id": message["id"]})

    def _take_welcome(self, welcome: dict[str, Any]) -> None:
        self.is_live = True
        if welcome["resumed"]:
            return
        self._last_event_id = welcome["event_id"]
        pops = welcome["snapshot"].get("pops", ())
        self.cards = frozenset(pop["call"]["call_id"] for pop in pops)
        for pop in pops:
            self._take_pop(pop, rings=False)

    def _take_pop(self, pop: dict[str, Any], *, rings: bool) -> None:
        pop_id = pop["pop_id"]
        if pop_id in self.shown:
            self.again[pop_id] += rings
            return
        self.shown[pop_id] = Shown(pop_id=pop_id, call_id=pop["call"]["call_id"], at=time.time(), rings=rings)
