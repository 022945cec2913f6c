"""The call centre of a soak: a real PBX with its crowd, a breakable link, the service as a process, and a page for every agent.

`open_site` builds it and takes it down. What a run does with it is told in loss.py and in the other stories.
"""

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import insert

from cti_bridge.domain.user import Role
from storage.database import Database
from storage.schema import new_id, users
from storage.sessions import Sessions
from tests.support import crowd
from tests.support.agents_browser import AgentsBrowser
from tests.support.breakable_link import BreakableLink, breakable_link
from tests.support.kept_service import KeptService, kept_service
from tests.support.pbx import SERVICE, Pbx

SERVICE_PORT = 8080
AMI_PORT = 5038
SESSION = timedelta(hours=8)
SETTINGS = """
[server]
host = "{network.service}"
port = {port}
[database]
url = "{database}"
[journal]
directory = "{folder}/journal"
[numbers]
region = "GB"
[fastagi]
host = "{network.service}"
[routing]
file = "{folder}/routing.yaml"
[[pbx]]
name = "main"
host = "{network.service}"
username = "{account.username}"
secret_file = "{folder}/secret"
[pbx.record]
cel_csv = "{pbx.cel_csv}"
cdr_csv = "{pbx.cdr_csv}"
queue_log = "{pbx.queue_log}"
"""
RULES = "rules: []\ndefault:\n  queue: rush\n"


@dataclass(slots=True, kw_only=True)
class Site:
    """`cel_from`: the byte of the PBX's CEL at which this site began. `told` are the mishaps so far."""

    pbx: Pbx
    folder: Path
    link: BreakableLink
    service: KeptService
    browsers: tuple[AgentsBrowser, ...]
    cel_from: int
    supervisor: aiohttp.ClientSession
    began: float = field(default_factory=time.monotonic)
    told: list[dict[str, Any]] = field(default_factory=list)

    def tell(self, mishap: str, **facts: Any) -> None:
        """Notes what was done to the site, as a line of mishaps.jsonl."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "t": self.elapsed, "mishap": mishap, **facts}
        self.told.append(line)
        with (self.folder / "mishaps.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")

    @property
    def elapsed(self) -> float:
        """Seconds since the site was opened."""
        return round(time.monotonic() - self.began, 3)

    async def get(self, path: str) -> dict[str, Any]:
        """What the supervisor sees there; raises aiohttp.ClientError where the service is away."""
        async with self.supervisor.get(f"/api/v1{path}") as response:
            response.raise_for_status()
            document: dict[str, Any] = await response.json()
            return document

    async def items(self, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = await self.get(f"{path}?limit=200{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    async def call_ids(self) -> set[str]:
        """The calls that the service shows as live."""
        return {call["call_id"] for call in await self.items("/calls")}

    async def channels(self) -> int:
        """The PBX's channels, by its own count."""
        answer = await asyncio.to_thread(self.pbx.command, "core show channels count")
        return int(answer.partition(" active channel")[0].split()[-1])


@asynccontextmanager
async def open_site(
    pbx: Pbx, folder: Path, *, database: str | None = None, agents: Sequence[str] = crowd.EXTENSIONS
) -> AsyncIterator[Site]:
    """A site on a PBX that has the crowd (`crowd.add_to`), with a page for each of `agents`; the service is connected.

    `database` is a URL of an empty store; a SQLite file in `folder` where None.
    """
    url = database or f"sqlite+aiosqlite:///{folder}/cti.db"
    network = pbx.network
    text = SETTINGS.format(network=network, port=SERVICE_PORT, database=url, folder=folder, account=SERVICE, pbx=pbx)
    (folder / "cti.toml").write_text(text)
    (folder / "routing.yaml").write_text(RULES)
    secret = folder / "secret"
    secret.write_text(SERVICE.secret)
    secret.chmod(0o600)
    supervisor, tokens = await _sign_everybody_in(url, agents)
    base = f"http://{network.service}:{SERVICE_PORT}"
    cel_from = pbx.cel_csv.stat().st_size if pbx.cel_csv.exists() else 0
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(breakable_link(network.service, AMI_PORT, to=(network.pbx, AMI_PORT)))
        service = await stack.enter_async_context(kept_service(folder / "cti.toml", base, folder / "service.log"))
        http = await stack.enter_async_context(
            aiohttp.ClientSession(base, headers={"Authorization": f"Bearer {supervisor}"}, cookie_jar=aiohttp.DummyCookieJar())
        )
        pages = tuple(AgentsBrowser(base, extension, token) for extension, token in tokens.items())
        browsing = [asyncio.create_task(page.run(), name=f"page of {page.extension}") for page in pages]
        stack.callback(lambda: [task.cancel() for task in browsing])
        await eventually(lambda: _all_live(pages), seconds=30)
        yield Site(pbx=pbx, folder=folder, link=link, service=service, browsers=pages, cel_from=cel_from, supervisor=http)


async def _all_live(pages: Sequence[AgentsBrowser]) -> bool:
    return all(page.is_live for page in pages)


async def _sign_everybody_in(url: str, agents: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The supervisor's token and each agent's; nobody here has a password."""
    now = datetime.now(UTC)
    people = [("supervisor", Role.SUPERVISOR, None), *((f"agent{extension}", Role.AGENT, extension) for extension in agents)]
    tokens: dict[str | None, str] = {}
    database = Database(url)
    try:
        await database.migrate()
        for name, role, extension in people:
            user_id, token = new_id(), secrets.token_urlsafe()
            user = {"user_id": user_id, "username": name, "name": name, "role": role.value, "extension": extension}
            async with database.write() as connection:
                await connection.execute(insert(users).values({**user, "language": None, "password_hash": "none"}))
            token_hash = hashlib.sha256(token.encode()).digest()
            await Sessions(database).create(user_id, token_hash=token_hash, now=now, expires_at=now + SESSION)
            tokens[extension] = token
    finally:
        await database.close()
    return tokens[None], {extension: tokens[extension] for extension in agents}


async def eventually(holds: Callable[[], Awaitable[bool]], *, seconds: float, every: float = 0.1) -> bool:
    """Asks again until it holds; False where it does not within `seconds`. A service that is away does not hold."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if await holds():
                return True
        except (aiohttp.ClientError, OSError):
            pass  # it is away just now
        await asyncio.sleep(every)
    return False
