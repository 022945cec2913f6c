"""A call centre whose service may die at any moment: the real program over real sockets, a simulated PBX that goes on, an agent's
browser that comes back, and an account of what the agent saw and was promised.
"""

import asyncio
import os
import shutil
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from cti_bridge.simulator.pbx import SimulatedPbx
from tests.support.running import PASSWORD

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 40.0
"""On a machine that is busy with other tests."""
SETTINGS = """
[server]
port = 0
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[journal]
directory = "{folder}/journal"
[routing]
file = "{folder}/routing.yaml"
[fastagi]
port = 0
[[pbx]]
name = "main"
port = {pbx_port}
username = "cti"
secret = "s3cret"
"""


class Died(Exception):
    """The service is not there (any more)."""


@dataclass
class MortalService:
    """`start` it, let it die, `start` it again; `log` is what all its lives have said."""

    folder: Path
    pbx: SimulatedPbx
    base: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    process: Process | None = None
    _reading: "asyncio.Task[None] | None" = None
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def set_up(self, template: Path) -> None:
        (self.folder / "cti.toml").write_text(SETTINGS.format(folder=self.folder, pbx_port=self.pbx.port))
        (self.folder / "cti.toml").chmod(0o600)
        (self.folder / "routing.yaml").write_text("rules: []\ndefault: {queue: support}\n")
        shutil.copy(template, self.folder / "cti.db")

    async def start(self, kill_point: str = "") -> None:
        """Returns when the service knows the PBX's present state, or has died before."""
        self.log.clear()
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"CTI_KILLPOINT": kill_point} if kill_point else {})
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cti_bridge", "run", "--config", str(self.folder / "cti.toml"),
            cwd=self.folder, env=environment, stdout=PIPE,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self.process))
        with suppress(Died):
            self.base = f"http://127.0.0.1:{(await self.said('service.started'))['port']}"
            await self.said("ami.resynced")

    def kill(self) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.kill()

    async def dead(self) -> int:
        """Waits for the end of the process; gives its exit code."""
        assert self.process is not None
        assert self._reading is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reading
            return await self.process.wait()

    async def said(self, event: str) -> dict[str, Any]:
        """The line of the log, awaited where it has not come yet. Raises Died."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            while (line := next((line for line in self.log if line["event"] == event), None)) is None:
                if self._reading is None or self._reading.done():
                    raise Died
                await self._changed.wait()
        return line

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            async for raw in process.stdout:
                async with self._changed:
                    self.log.append(orjson.loads(raw))
                    self._changed.notify_all()
        finally:
            asyncio.get_running_loop().call_soon(asyncio.ensure_future, self._wake())

    async def _wake(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def stored(self) -> list[sqlite3.Row]:
        """What is on record of calls."""
        with closing(sqlite3.connect(self.folder / "cti.db")) as store:
            store.row_factory = sqlite3.Row
            return store.execute("SELECT * FROM interactions WHERE call_id IS NOT NULL").fetchall()


@dataclass
class Desk:
    """An agent's browser. It shows each pop once, by its id, and keeps a wrap-up until the service has acknowledged it."""

    service: MortalService
    http: aiohttp.ClientSession
    username: str
    token: str = ""
    last_event_id: int = 0
    shown: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    """How often each pop came as an event."""
    resumed: list[bool] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)

    async def _sign_in(self) -> None:
        body = {"username": self.username, "password": PASSWORD}
        async with self.http.post(f"{self.service.base}/api/v1/session", json=body) as answer:
            answer.raise_for_status()
            self.token = (await answer.json())["token"]

    async def run(self) -> None:
        """Comes back for ever."""
        while True:
            with suppress(aiohttp.ClientError):
                await self._listen()
            await asyncio.sleep(0.05)

    async def _listen(self) -> None:
        if not self.token:
            await self._sign_in()
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.ws_connect(f"{self.service.base}/ws", protocols=("cti.v1",), headers=headers) as socket:
            await socket.send_json({"type": "hello", "last_event_id": self.last_event_id})
            async for frame in socket:
                self._hear(frame.json())

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "welcome", "resumed": resumed, "event_id": event_id, "snapshot": {"pops": pops}}:
                self.resumed.append(resumed)
                self.last_event_id = event_id
                for pop in pops:
                    self._show(pop["pop_id"])
            case {"type": "pop", "pop_id": pop_id}:
                self.sent[pop_id] += 1
                self._show(pop_id)
        if "id" in message:
            self.last_event_id = message["id"]

    def _show(self, pop_id: str) -> None:
        if pop_id not in self.shown:
            self.shown.append(pop_id)

    async def sees(self, pop_id: str) -> None:
        """Waits until this card is, or was, on the screen."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while pop_id not in self.shown:  # noqa: ASYNC110 - there is a socket between us and the event
                await asyncio.sleep(0.02)

    async def asks(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request. Raises Died."""
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            async with self.http.request(method, f"{self.service.base}/api/v1{path}", json=body, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)
        except aiohttp.ClientError as error:
            raise Died from error

    async def knows(self, call_id: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        """Waits until this agent's live calls show it so, however often the service dies meanwhile."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(Died):
                    _, body = await self.asks("GET", "/calls")
                    if any(call["call_id"] == call_id and wanted(call) for call in (body or {}).get("items", ())):
                        return
                await asyncio.sleep(0.02)

    async def wraps_up(self, call_id: str, disposition: str) -> None:
        """Says it until it is acknowledged, as the page does."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(Died):
                    status, _ = await self.asks("PATCH", f"/calls/{call_id}/wrap-up", {"disposition": disposition})
                    if status == 200:
                        self.acknowledged[call_id] = disposition
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def mortal_service(folder: Path, template: Path, pbx: SimulatedPbx) -> AsyncIterator[tuple[MortalService, Desk]]:
    """A service that is not started yet, and the desk of agent 1001; whatever still runs at the end is killed."""
    service = MortalService(folder, pbx)
    service.set_up(template)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        desk = Desk(service, http, "one")
        try:
            yield service, desk
        finally:
            if service.process is not None and service.process.returncode is None:
                service.kill()
                await service.dead()
