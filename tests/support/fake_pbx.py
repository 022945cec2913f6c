"""A PBX stand-in for tests: a real TCP (or TLS) server that speaks enough AMI to be signed in to, asked, and watched.

It can also misbehave as real ones do: refuse, cut, fall silent, vanish in mid-event. Each signed-in connection is a `Session`.
"""

import asyncio
import hashlib
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

BANNER = "Asterisk Call Manager/11.0.0"

EMPTY_LISTS = {
    "CoreShowChannels": "CoreShowChannelsComplete",
    "BridgeList": "BridgeListComplete",
    "ParkedCalls": "ParkedCallsComplete",
    "QueueStatus": "QueueStatusComplete",
}


class Session:
    """One client's connection as the PBX sees it; `actions` are the actions it sent, as dicts."""

    def __init__(self, pbx: "FakePbx", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pbx = pbx
        self.actions: list[dict[str, str]] = []
        self.events = ""
        self.signed_in = False
        self._reader = reader
        self._writer = writer

    @property
    def wants_events(self) -> bool:
        return self.signed_in and self.events != "off"

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def reset(self) -> None:
        """Cuts with RST, as a crashed PBX or a firewall does."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()

    def answer(self, action: dict[str, str], *headers: str, status: str = "Success") -> None:
        lines = [f"Response: {status}", f"ActionID: {action.get('ActionID', '')}", *headers]
        self.write("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")

    async def serve(self) -> None:
        self.write(f"{self.pbx.banner}\r\n".encode())
        while True:
            request = await self._reader.readuntil(b"\r\n\r\n")
            action = dict(line.split(": ", 1) for line in request.decode().split("\r\n") if ": " in line)
            self.actions.append(action)
            if not self.pbx.silent:
                await self._perform(action)
            self.pbx.note_change()

    async def _perform(self, action: dict[str, str]) -> None:
        name = action["Action"]
        if not self.signed_in:
            await self._sign_in(name, action)
        elif name in self.pbx.unanswered:
            return
        elif name in self.pbx.refuses:
            self.answer(action, f"Message: {self.pbx.refuses[name]}", status="Error")
        elif name in EMPTY_LISTS:
            items = self.pbx.lists.get(name, ())
            self.answer(action, "EventList: start", "Message: A listing follows")
            for item in (*items, f"Event: {EMPTY_LISTS[name]}\r\nEventList: Complete\r\nListItems: {len(items)}"):
                head, _, rest = item.partition("\r\n")
                self.write(f"{head}\r\nActionID: {action['ActionID']}\r\n{rest}\r\n\r\n".encode())
        else:
            self.answer(action, *self.pbx.facts.get(name, ("Message: done",)))

    async def _sign_in(self, name: str, action: dict[str, str]) -> None:
        self.pbx.attempts += 1
        if name == "Challenge":
            self.pbx.attempts -= 1
            self.answer(action, "Challenge: 123456789")
            return
        key = hashlib.md5(b"123456789" + self.pbx.secret.encode()).hexdigest()  # noqa: S324 - the protocol's
        proven = action.get("Key") == key or action.get("Secret") == self.pbx.secret
        if name == "Login" and proven and action.get("Username") == self.pbx.username:
            self.signed_in = True
            self.events = action.get("Events", "on")
            self.answer(action, "Message: Authentication accepted")
            if self.wants_events:
                self.write(b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 17\r\nStatus: Fully Booted\r\n\r\n")
        else:
            self.answer(action, f"Message: {self.pbx.refusal}", status="Error")
            await self._writer.drain()
            self._writer.close()


class FakePbx:
    """The server; `async with FakePbx() as pbx`, then `pbx.port`. Its attributes say how it behaves, at any time."""

    def __init__(self, *, username: str = "cti", secret: str = "s3cret", tls: ssl.SSLContext | None = None) -> None:  # noqa: S107
        self.username = username
        self.secret = secret
        self.banner = BANNER
        self.refusal = "Authentication failed"
        self.refuses: dict[str, str] = {}
        self.unanswered: set[str] = set()
        self.lists: dict[str, tuple[str, ...]] = {}
        self.facts: dict[str, tuple[str, ...]] = {
            "CoreStatus": ("CoreStartupDate: 2026-11-22", "CoreStartupTime: 02:41:28"),
            "CoreSettings": ("AMIversion: 11.0.0", "AsteriskVersion: 22.10.1"),
            "Ping": ("Ping: Pong", "Timestamp: 1795315305.084138"),
        }
        self.silent = False
        self.attempts = 0
        self.sessions: list[Session] = []
        self.port = 0
        self._tls = tls
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for session in self.sessions:
            session.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def listeners(self) -> list[Session]:
        """The sessions that get events now."""
        return [session for session in self.sessions if session.wants_events]

    def tell(self, data: bytes) -> None:
        """Writes to all sessions that want events."""
        for session in self.listeners:
            session.write(data)

    def note_change(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self._keep(asyncio.get_running_loop().create_task(notify()))

    async def until(self, condition: Callable[[], bool], *, seconds: float = 10) -> None:
        """Waits until the condition holds; looks again after each thing that happens here."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._keep(task)
        session = Session(self, reader, writer)
        self.sessions.append(session)
        self.note_change()
        try:
            await session.serve()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.sessions.remove(session)
            writer.close()
            self.note_change()

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def events_of(trace: Path) -> list[bytes]:
    """The events of a recorded trace, each with its blank line, without greetings and answers."""
    blocks = trace.read_bytes().split(b"\r\n\r\n")
    return [block + b"\r\n\r\n" for block in blocks if block.startswith(b"Event: ")]
