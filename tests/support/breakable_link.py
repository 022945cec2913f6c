"""A TCP link that can be broken in the ways real ones break: cut with a reset, or gone deaf without a word.

Stands between the service and the PBX's AMI port. What comes in on the one side goes out on the other, until it is told not to.
"""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(slots=True, eq=False)
class _Pair:
    """One connection through the link: both ends, and whether what they send still arrives."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    is_deaf: bool = False


@dataclass(slots=True)
class BreakableLink:
    """Made by `breakable_link`."""

    target: tuple[str, int]
    opened_at: list[float] = field(default_factory=list)
    """When each connection was opened, in monotonic seconds."""
    _pairs: set[_Pair] = field(default_factory=set)
    _carrying: set["asyncio.Task[None]"] = field(default_factory=set)

    @property
    def connections(self) -> int:
        """Connections that still carry something."""
        return sum(not pair.is_deaf for pair in self._pairs)

    def cut(self) -> int:
        """Resets every connection, at both ends; gives their number. New ones may be opened at once."""
        pairs = tuple(self._pairs)
        for pair in pairs:
            for end in (pair.near, pair.far):
                _reset(end)
        return len(pairs)

    def go_deaf(self) -> int:
        """From now on what is sent over the present connections vanishes, both ways, and nobody is told; gives their number."""
        pairs = tuple(self._pairs)
        for pair in pairs:
            pair.is_deaf = True
        return len(pairs)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes a new connection."""
        carrying = asyncio.create_task(self._carry(reader, writer), name="carry")
        self._carrying.add(carrying)
        carrying.add_done_callback(self._carrying.discard)

    async def close(self) -> None:
        """Cuts what is still open, and returns when nothing is carried any more."""
        self.cut()
        await asyncio.gather(*self._carrying)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its opening to its end."""
        try:
            far_reader, far = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)  # the PBX is away: the client sees a link that breaks
            return
        self.opened_at.append(time.monotonic())
        pair = _Pair(writer, far)
        self._pairs.add(pair)
        try:
            await asyncio.gather(_pump(reader, far, pair), _pump(far_reader, writer, pair))
        finally:
            self._pairs.discard(pair)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pair: _Pair) -> None:
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            if not pair.is_deaf:
                writer.write(chunk)
                await writer.drain()
    if not pair.is_deaf:  # whoever hangs up a deaf line is not heard either
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    end: socket.socket | None = writer.get_extra_info("socket")
    if end is not None and not writer.transport.is_closing():
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


@asynccontextmanager
async def breakable_link(host: str, port: int, *, to: tuple[str, int]) -> AsyncIterator[BreakableLink]:
    """Listens on `host`:`port` and leads to `to`, until the context ends."""
    link = BreakableLink(to)
    server = await asyncio.start_server(link.accept, host, port)
    try:
        yield link
    finally:
        server.close()
        await link.close()
