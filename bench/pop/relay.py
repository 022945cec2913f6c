"""The floor: the least that can turn a ringing phone on the PBX into a frame at the agent's browser, in bare asyncio.

Signs in, looks for the one event in the bytes, writes a frame of fixed size to that agent's socket. No parser, no call, no
customer, no store, no replay. `python -m bench.pop.relay PBX_PORT FRAME_BYTES`.
"""

import asyncio
import base64
import hashlib
import re
import sys

from bench.pop.feeder import SECRET, USERNAME

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_RINGS = re.compile(
    rb"Event: Newstate\r\nPrivilege: call,all\r\nChannel: PJSIP/(\d+)-\w+\r\nChannelState: 5\r\n"
    rb"(?:[^\r]+\r\n)*?Linkedid: ([0-9.]+)\r\n"
)
_KEY = re.compile(rb"Sec-WebSocket-Key: (\S+)\r\n", re.IGNORECASE)
_TOKEN = re.compile(rb"Authorization: Bearer bench-(\d+)\r\n", re.IGNORECASE)

browsers: dict[bytes, asyncio.Transport] = {}


class Browser(asyncio.Protocol):
    """One websocket: answers the upgrade and heeds nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open = False

    def data_received(self, data: bytes) -> None:
        if self._open:
            return
        key, token = _KEY.search(data), _TOKEN.search(data)
        assert key is not None
        assert token is not None
        accept = base64.b64encode(hashlib.sha1(key[1] + _GUID, usedforsecurity=False).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: cti.v1\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept
        )
        self._transport.write(_framed(b'{"type":"welcome"}'))
        self._open = True
        browsers[token[1]] = self._transport


class Pbx(asyncio.Protocol):
    """The manager's connection."""

    def __init__(self, frame_bytes: int) -> None:
        self._padding = b"x" * frame_bytes
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(f"Action: Login\r\nActionID: 1\r\nUsername: {USERNAME}\r\nSecret: {SECRET}\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        end = data.rfind(b"\r\n\r\n") + 4
        self._rest = data[end:]
        for found in _RINGS.finditer(data, 0, end):
            head = b'{"type":"pop","call_id":"main:%s","padding":"' % found[2]
            browsers[found[1]].write(_framed(head + self._padding[len(head) + 2 :] + b'"}'))


def _framed(payload: bytes) -> bytes:
    """An unmasked text frame (RFC 6455, 5.2)."""
    size = len(payload)
    return (b"\x81%c" % size if size < 126 else b"\x81\x7e" + size.to_bytes(2, "big")) + payload


async def main(pbx_port: int, frame_bytes: int) -> None:
    """Serves until stdin ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Browser, "127.0.0.1", 0)
    await loop.create_connection(lambda: Pbx(frame_bytes), "127.0.0.1", pbx_port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
