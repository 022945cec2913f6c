"""A TCP proxy before a real PBX that shifts the time its Ping tells: a PBX whose clock is wrong."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STAMP = re.compile(rb"(?<=\r\nTimestamp: )[0-9]+\.[0-9]+(?=\r\n)")


@asynccontextmanager
async def shifting_proxy(host: str, port: int, *, seconds: float) -> AsyncIterator[int]:
    """Listens on a port of this machine, which it gives; every Timestamp from `host`:`port` comes `seconds` later."""
    tasks: set[asyncio.Task[None]] = set()

    def shifted(block: bytes) -> bytes:
        return _STAMP.sub(lambda stamp: b"%.6f" % (float(stamp[0]) + seconds), block)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, shift: bool) -> None:
        try:
            while data := await (_block(reader) if shift else reader.read(65536)):
                writer.write(shifted(data) if shift else data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, port, limit=1 << 22)
        writer.write(await far_reader.readline())
        for task in (
            asyncio.create_task(copy(reader, far_writer, shift=False)),
            asyncio.create_task(copy(far_reader, writer, shift=True)),
        ):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _block(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
