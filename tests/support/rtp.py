"""The voice side of a test phone: 20 ms packets of silence, and key tones as RFC 4733 events.

Asterisk waits for media after Answer() and needs it for feature codes; nobody listens to what it sends, so nothing is read.
"""

import asyncio
import itertools
import secrets
import socket
import struct

KEYS = "0123456789*#ABCD"
PACKET_SECONDS = 0.02
PACKET_SAMPLES = 160
VOICE, KEY_TONE = 0, 101
SILENCE = b"\xff" * PACKET_SAMPLES
KEY_PACKETS, KEY_END_PACKETS = 6, 3
KEY_GAP_SECONDS = 0.1


class RtpStream:
    """One call's stream from a free port of `address`; `start` it with the far end's, `close` it with the call."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._sequence = itertools.count(secrets.randbelow(1 << 15))
        self._source = secrets.randbits(32)
        self._samples = 0
        self._target: tuple[str, int] | None = None
        self._voice: asyncio.Task[None] | None = None
        self._keys = asyncio.Lock()
        self.muted = False

    def start(self, target: tuple[str, int]) -> None:
        """Send to `target` from now on; a later call only moves the target."""
        self._target = target
        if self._voice is None:
            self._voice = asyncio.get_running_loop().create_task(self._speak())

    def close(self) -> None:
        if self._voice is not None:
            self._voice.cancel()
        self._socket.close()

    async def press(self, keys: str) -> None:
        """Send `keys` one after the other, each 120 ms long."""
        async with self._keys:
            for key in keys:
                await self._press_one(KEYS.index(key))
                await asyncio.sleep(KEY_GAP_SECONDS)

    async def _press_one(self, key: int) -> None:
        began = self._samples
        for packet in range(1, KEY_PACKETS + 1):
            self._send_key(key, began, packet, last=False)
            await asyncio.sleep(PACKET_SECONDS)
        for _ in range(KEY_END_PACKETS):
            self._send_key(key, began, KEY_PACKETS + 1, last=True)
        self._samples = began + (KEY_PACKETS + 2) * PACKET_SAMPLES

    def _send_key(self, key: int, began: int, packet: int, *, last: bool) -> None:
        event = struct.pack("!BBH", key, (0x80 if last else 0) | 10, packet * PACKET_SAMPLES)
        self._send(KEY_TONE, began, event, marker=packet == 1)

    async def _speak(self) -> None:
        while True:
            await asyncio.sleep(PACKET_SECONDS)
            self._samples += PACKET_SAMPLES
            if not (self.muted or self._keys.locked()):
                self._send(VOICE, self._samples, SILENCE)

    def _send(self, payload_type: int, samples: int, payload: bytes, *, marker: bool = False) -> None:
        kind = payload_type | (0x80 if marker else 0)
        header = struct.pack("!BBHII", 0x80, kind, next(self._sequence) & 0xFFFF, samples & 0xFFFFFFFF, self._source)
        if self._target is not None:
            self._socket.sendto(header + payload, self._target)
