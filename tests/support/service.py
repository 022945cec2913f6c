"""The service of a test, whole: on the laboratory's PBX, with a store of its own, rules, customers, and people who sign in.

`running_service` runs it in this process; `service_process` as the program that an administrator starts, for what only a process
shows: its log, its signals, its death. Both read the same settings file.
"""

import asyncio
import os
import shutil
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from config.load import load_settings
from cti_bridge.app import Application
from cti_bridge.demo import PASSWORD
from cti_bridge.domain.account import Account, ContactKind, Tier
from cti_bridge.domain.user import Role
from storage.accounts import Accounts
from storage.database import Database
from storage.users import Users
from tests.support.cti_client import Person, sign_in, until
from tests.support.pbx import SERVICE, AmiAccount, Network
from tests.support.pbx_lab import Lab

PEOPLE = (
    ("alice", "Alice Morgan", Role.AGENT, "1001"),
    ("wangfang", "王芳", Role.AGENT, "1002"),
    ("ben", "Ben Okafor", Role.AGENT, "1003"),
    ("eva", "Eva Lindqvist", Role.AGENT, "1005"),
    ("sam", "Sam Rivera", Role.SUPERVISOR, None),
    ("admin", "Admin", Role.ADMIN, None),
)
USER_OF = {extension: username for username, _, _, extension in PEOPLE}
RULES = """
rules:
  - name: best-customers-first
    when:
      did: ["8500", "8600"]
      tier: [platinum, gold]
    queue: sales
    priority: 7
default:
  queue: support
"""
SETTINGS = """
[server]
port = 0
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[journal]
directory = "{folder}/journal"
[numbers]
region = "GB"
[fastagi]
host = "{network.service}"
[routing]
file = "{folder}/routing.yaml"
[queues]
wrap_up_seconds = 30
[[pbx]]
name = "main"
host = "{network.pbx}"
username = "{account.username}"
secret_file = "{folder}/secret"
"""
START_SECONDS = 30.0
END_SECONDS = 15.0
CONNECTIONS = 2
"""AMI sessions of one service: events and actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What an administrator sets up before the start: settings, secret, rules and store, in `folder`."""

    folder: Path
    network: Network
    account: AmiAccount = SERVICE
    rules: str = RULES

    @property
    def config(self) -> Path:
        return self.folder / "cti.toml"

    def set_up(self, store: Path) -> None:
        """Writes the files, and takes a copy of `store` (see `fill_store`)."""
        self.write_files()
        shutil.copy(store, self.folder / "cti.db")

    def write_files(self) -> None:
        """Writes settings, secret and rules."""
        self.config.write_text(SETTINGS.format(folder=self.folder, network=self.network, account=self.account))
        secret = self.folder / "secret"
        secret.write_text(self.account.secret)
        secret.chmod(0o600)
        (self.folder / "routing.yaml").write_text(self.rules)

    async def customer(self, name: str, *phones: str, own_number: str | None = None, **fields: Any) -> Account:
        """Adds a customer; `own_number` is the customer number."""
        points = [(ContactKind.PHONE, phone, None) for phone in phones]
        if own_number is not None:
            points.append((ContactKind.CUSTOMER_NUMBER, own_number, None))
        given: dict[str, Any] = {"company": None, "tier": Tier.GOLD, "language": None, "note": None} | fields
        async with _database(self.folder / "cti.db") as database:
            return await Accounts(database, region="GB").create(name=name, contact_points=points, now=datetime.now(UTC), **given)


async def fill_store(file: Path) -> None:
    """Makes a store with `PEOPLE` in it: hashing passwords takes long on purpose, so once for a whole run."""
    async with _database(file) as database:
        await database.migrate()
        for username, name, role, extension in PEOPLE:
            await Users(database).add(
                username=username, name=name, role=role, extension=extension, language="en", password=PASSWORD
            )


@asynccontextmanager
async def _database(file: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{file}")
    try:
        yield database
    finally:
        await database.close()


@dataclass(slots=True, kw_only=True)
class Service:
    """A running service and the people signed in to it."""

    lab: Lab
    site: Site
    base: str
    _stack: AsyncExitStack

    async def person(self, username: str) -> Person:
        """Signed in, with a live websocket, until the test ends."""
        return await self._stack.enter_async_context(sign_in(self.base, username, PASSWORD))

    async def agent(self, extension: str) -> Person:
        return await self.person(USER_OF[extension])

    async def readiness(self) -> dict[str, Any]:
        """What /readyz says."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.base}/readyz") as response:
            readiness: dict[str, Any] = await response.json()
            return readiness

    async def connected(self) -> None:
        """Waits until the service reads and may command the PBX, and knows the PBX's present state."""
        supervisor = await self.person("sam")

        async def is_up() -> bool:
            (link,) = (await supervisor.get("/links"))["items"]
            return link["state"] == "connected" and "complete" in link["detail"]

        await until(is_up)
        sessions = self.lab.sessions_of

        async def both() -> bool:
            return len(await sessions(self.site.account)) >= CONNECTIONS

        await until(both)


@dataclass(slots=True, kw_only=True)
class ServiceProcess(Service):
    """The same as a program of its own; `log` is what it has logged."""

    process: Process
    log: list[dict[str, Any]] = field(default_factory=list)
    _heard: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def logged(self, event: str, *, seconds: float = 10.0, **fields: Any) -> dict[str, Any]:
        """The first line of the log with this event and these fields, awaited where it has not come yet."""
        wanted = {"event": event, **fields}

        def found() -> dict[str, Any] | None:
            return next((line for line in self.log if all(line.get(key) == value for key, value in wanted.items())), None)

        async with asyncio.timeout(seconds), self._heard:
            while (line := found()) is None:
                await self._heard.wait()
        return line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """The exit code, once it has ended."""
        return await asyncio.wait_for(self.process.wait(), END_SECONDS)

    async def read(self) -> None:
        """Takes in the log until the process ends; a line that is not JSON is kept as `text`."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            async with self._heard:
                self.log.append(_line(line))
                self._heard.notify_all()


@asynccontextmanager
async def running_service(lab: Lab, site: Site) -> AsyncIterator[Service]:
    """The service in this process, connected; what it raises fails the test."""
    application = Application(load_settings(site.config, {}))
    async with asyncio.TaskGroup() as tasks, AsyncExitStack() as stack:
        running = tasks.create_task(application.run())
        stack.callback(application.stop)
        async with asyncio.timeout(START_SECONDS):
            await asyncio.wait({running, tasks.create_task(application.started.wait())}, return_when=asyncio.FIRST_COMPLETED)
        service = Service(lab=lab, site=site, base=f"http://127.0.0.1:{application.port}", _stack=stack)
        yield service


@asynccontextmanager
async def service_process(lab: Lab, site: Site, *, environment: Mapping[str, str] | None = None) -> AsyncIterator[ServiceProcess]:
    """The service as `cti-bridge run`; killed at the end where the test has not ended it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti_bridge", "run", "--config", str(site.config),
        stdout=PIPE, stderr=STDOUT, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    async with AsyncExitStack() as stack:
        service = ServiceProcess(lab=lab, site=site, base="", _stack=stack, process=process)
        reading = asyncio.create_task(service.read())
        try:
            started = await service.logged("service.started", seconds=START_SECONDS)
            service.base = f"http://127.0.0.1:{started['port']}"
            yield service
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            with suppress(asyncio.CancelledError):
                await reading


def _line(raw: bytes) -> dict[str, Any]:
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"event": "not json", "text": raw.decode(errors="replace")}
    return line if isinstance(line, dict) else {"event": "not json", "text": raw.decode(errors="replace")}
