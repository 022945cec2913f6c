"""A person's browser without the browser: signed in, REST by bearer token, and every websocket message kept as it came."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

POLL_SECONDS = 0.05


class Refused(Exception):
    """The service refused; `kind` is the last word of the problem's type."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem}")
        self.status = status
        self.kind = str(problem["type"]).rpartition(":")[2]
        self.detail = str(problem.get("detail"))


async def until(holds: Callable[[], Awaitable[bool]], *, seconds: float = 15.0) -> None:
    """Asks again until it holds.

    Raises:
        TimeoutError: it did not within `seconds`.
    """
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110 - REST tells nobody when it changes
            await asyncio.sleep(POLL_SECONDS)


class Person:
    """Made by `sign_in`."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse, user: dict[str, Any]) -> None:
        self.user = user
        self.messages: list[dict[str, Any]] = []
        """All that the websocket brought, the welcome first."""
        self._http = http
        self._socket = socket
        self._heard = asyncio.Condition()

    async def get(self, path: str, **query: str) -> Any:
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self._ask("POST", path, json={} if body is None else body)

    async def put(self, path: str, body: Any) -> Any:
        return await self._ask("PUT", path, json=body)

    async def patch(self, path: str, body: Any) -> Any:
        return await self._ask("PATCH", path, json=body)

    async def event(self, kind: str, *, seconds: float = 10.0, where: Callable[[dict[str, Any]], bool] | None = None) -> Any:
        """The first message of this type (for which `where` holds), awaited where it has not come yet."""

        def found() -> dict[str, Any] | None:
            return next((one for one in self.messages if one["type"] == kind and (where is None or where(one))), None)

        async with asyncio.timeout(seconds), self._heard:
            while (message := found()) is None:
                await self._heard.wait()
        return message

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """What came of these types, in order."""
        return [message for message in self.messages if message["type"] in kinds]

    async def stored(self, call_id: str) -> dict[str, Any]:
        """The call, once it is over and on record."""
        call: dict[str, Any] = {}

        async def is_stored() -> bool:
            nonlocal call
            items = (await self.get("/interactions"))["items"]
            call = next((one["call"] for one in items if one["call_id"] == call_id), {})
            return call.get("ended_at") is not None

        await until(is_stored)
        return call

    async def listen(self) -> None:
        """Reads until the websocket ends."""
        await self._socket.send_json({"type": "hello", "last_event_id": 0})
        async for frame in self._socket:
            message = frame.json()
            async with self._heard:
                self.messages.append(message)
                self._heard.notify_all()
            if "id" in message:
                await self._socket.send_json({"type": "ack", "id": message["id"]})

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        async with self._http.request(method, f"/api/v1{path}", **how) as response:
            body = await response.json(content_type=None)
            if response.status >= 400:
                raise Refused(response.status, body)
            return body


@asynccontextmanager
async def sign_in(base: str, username: str, password: str) -> AsyncIterator[Person]:
    """Signs in, and opens the websocket until the welcome."""
    credentials = {"username": username, "password": password}
    async with aiohttp.ClientSession(base) as plain, plain.post("/api/v1/session", json=credentials) as response:
        response.raise_for_status()
        session = await response.json()
    headers = {"Authorization": f"Bearer {session['token']}"}
    async with (
        aiohttp.ClientSession(base, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http,
        http.ws_connect("/ws", protocols=("cti.v1",)) as socket,
    ):
        person = Person(http, socket, session["user"])
        listening = asyncio.create_task(person.listen())
        try:
            await person.event("welcome")
            yield person
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
