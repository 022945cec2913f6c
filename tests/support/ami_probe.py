"""A plain AMI reader for tests: it keeps every byte as it came and shares no code with the service.

What comes in: the manager's TCP stream. What goes out: `raw`, the events in order, and the answers to actions.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

AMI_PORT = 5038

Headers = dict[str, str]


class AmiRefusal(Exception):
    """The PBX refused the login; the message is the PBX's own."""


class AmiProbe:
    """One AMI session; `ami_probe` makes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.raw = bytearray()
        """All that was read since the banner, byte for byte."""
        self.events: list[Headers] = []
        """All blocks with an Event header, list items included; of a repeated header the first counts, of Output all."""
        self._answers: dict[str, list[Headers]] = {}
        self._reader = reader
        self._writer = writer
        self._news = asyncio.Condition()
        self._closed = asyncio.Event()
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """Read until the PBX closes the session."""
        while block := await self._block():
            headers = _headers(block)
            async with self._news:
                self._answers.get(headers.get("ActionID", ""), []).append(headers)
                if "Event" in headers:
                    self.events.append(headers)
                self._news.notify_all()
        self._closed.set()

    async def closed(self, seconds: float = 10.0) -> None:
        """Wait until the PBX has closed this session."""
        await asyncio.wait_for(self._closed.wait(), seconds)

    async def event(self, name: str, *, seconds: float = 10.0, **fields: str) -> Headers:
        """The first event `name` of this session whose headers equal `fields`, awaited where it has not come yet.

        Raises:
            TimeoutError: it did not come within `seconds`.
        """

        def found() -> Headers | None:
            wanted = {"Event": name, **fields}.items()
            return next((event for event in self.events if wanted <= event.items()), None)

        async with asyncio.timeout(seconds), self._news:
            while (event := found()) is None:
                await self._news.wait()
        return event

    async def action(self, name: str, *, seconds: float = 10.0, **fields: str) -> list[Headers]:
        """Do an action; returns its response and, for a list, the items and the closing event."""
        action_id = f"probe-{next(self._numbers)}"
        answer = self._answers[action_id] = []
        lines = [f"Action: {name}", f"ActionID: {action_id}", *(f"{key}: {value}" for key, value in fields.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: _is_complete(answer))
        return answer

    async def channels(self) -> list[str]:
        """The names of all channels that are up now."""
        return [item["Channel"] for item in await self.action("CoreShowChannels") if item.get("Event") == "CoreShowChannel"]

    async def _block(self) -> bytes:
        try:
            block = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        self.raw += block
        return block


@asynccontextmanager
async def ami_probe(host: str, username: str, secret: str, *, events: str = "on") -> AsyncIterator[AmiProbe]:
    """Log in and read in the background until the context ends.

    Raises:
        AmiRefusal: wrong account.
    """
    reader, writer = await asyncio.open_connection(host, AMI_PORT, limit=1 << 22)
    try:
        await reader.readline()
        probe = AmiProbe(reader, writer)
        reading = asyncio.get_running_loop().create_task(probe.run())
        try:
            answer = await probe.action("Login", Username=username, Secret=secret, Events=events)
            if answer[0]["Response"] != "Success":
                raise AmiRefusal(answer[0]["Message"])
            yield probe
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading
    finally:
        writer.close()


def _headers(block: bytes) -> Headers:
    headers: Headers = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        key, separator, value = line.partition(": ")
        if not separator:
            continue
        if key == "Output" and key in headers:
            headers[key] += "\n" + value
        else:
            headers.setdefault(key, value)
    return headers


def _is_complete(answer: list[Headers]) -> bool:
    if not answer:
        return False
    if answer[0].get("EventList") == "start":
        return answer[-1].get("EventList") == "Complete"
    return True
