"""The other side of a webhook: a web server that answers as it is told, or never."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class Target:
    """A web server that answers as it is told, by the number of the request; None: never."""

    answer: Callable[[int], web.Response | None]
    port: int = 0
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        answer = self.answer(len(self.got))
        if answer is None:
            await self.released.wait()
            return web.Response()
        return answer


@asynccontextmanager
async def listening(*answers: int | None, headers: dict[str, str] | None = None) -> AsyncIterator[Target]:
    """The last answer is given for ever."""

    def answer(number: int) -> web.Response | None:
        status = answers[min(number, len(answers)) - 1]
        return None if status is None else web.Response(status=status, headers=headers)

    target = Target(answer)
    app = web.Application()
    app.router.add_post("/hook", target.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    target.port = runner.addresses[0][1]
    try:
        yield target
    finally:
        target.released.set()
        await runner.cleanup()
