"""The whole service as one test object: the real Application with its store, a PBX on a real socket, and people's browsers.

The PBX is the simulated one (`service`), or any that speaks AMI on a port (`serving`). Nothing of the service is replaced.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import aiohttp
from pydantic import SecretStr

from config.settings import (
    DatabaseSettings,
    FastAgiSettings,
    JournalSettings,
    PbxSettings,
    PrivacySettings,
    QueueSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
)
from cti_bridge.ami.link import LinkState
from cti_bridge.app import Application
from cti_bridge.domain.account import Account, ContactKind, Tier
from cti_bridge.domain.call import Direction
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from cti_bridge.domain.user import Role
from cti_bridge.simulator.pbx import SimulatedPbx
from cti_bridge.simulator.world import Agent, AgentNumber, Queue, QueueNumber, Strategy, World
from storage.accounts import Accounts
from storage.database import Database
from storage.interactions import Interactions
from storage.users import Users
from tests.support.simulated_pbx import a_pbx
from tests.support.store import NOW
from tests.support.web import PATIENCE_SECONDS, Browser

T = TypeVar("T")

PASSWORD = "correct horse"
PEOPLE = (
    ("one", Role.AGENT, "1001"),
    ("two", Role.AGENT, "1002"),
    ("three", Role.AGENT, "1003"),
    ("sam", Role.SUPERVISOR, None),
    ("admin", Role.ADMIN, None),
)
ZOE, MUM, DAD, NOBODY = "02079460018", "02079460500", "02079460500", "02079460777"
"""Zoë is a customer with history; a family shares one number; the last is on nobody's account."""


def call_centre(*, ring_seconds: float = 60.0, longest_wait_seconds: float = 300.0) -> World:
    """A queue that rings 1001, then 1002, then 1003; one that rings 1001 and 1002 at once; a phone with a number of its own."""
    return World(
        agents=tuple(Agent(extension=extension, name=f"Agent {extension}") for extension in ("1001", "1002", "1003")),
        queues=(
            Queue(
                name="support",
                members=("1001", "1002", "1003"),
                strategy=Strategy.ROUND_ROBIN,
                ring_seconds=ring_seconds,
                retry_seconds=0.0,
                longest_wait_seconds=longest_wait_seconds,
            ),
            Queue(name="sales", members=("1001", "1002"), strategy=Strategy.RING_ALL, longest_wait_seconds=longest_wait_seconds),
        ),
        numbers=MappingProxyType(
            {
                "8001": QueueNumber(queue="support"),
                "8002": QueueNumber(queue="sales"),
                "8100": AgentNumber(extension="1001", ring_seconds=ring_seconds),
            }
        ),
        services=MappingProxyType({"6002": QueueNumber(queue="sales", steps=1)}),
        outbound_number="02079460000",
    )


@dataclass
class Person:
    """Somebody who is signed in, over REST and at any number of browsers."""

    service: "Service"
    token: str
    username: str

    async def asks(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request; gives the status and the JSON (None where there is none)."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.service.http.request(method, f"{self.service.base}/api/v1{path}", json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def sees(self, path: str) -> Any:
        """The JSON of something that must be there."""
        status, document = await self.asks("GET", path)
        assert status == 200, (path, status, document)
        return document

    async def opens(self, last_event_id: int = 0) -> "Screen":
        """A browser that was welcomed."""
        socket = await self.service.http.ws_connect(
            self.service.base + "/ws", protocols=("cti.v1",), headers={"Authorization": f"Bearer {self.token}"}, max_msg_size=0
        )
        screen = Screen(socket)
        self.service.screens.append(screen)
        await screen.say({"type": "hello", "last_event_id": last_event_id})
        screen.welcome = await screen.until("welcome")
        return screen


@dataclass
class Screen(Browser):
    """A browser that keeps everything it heard."""

    heard: list[dict[str, Any]] = field(default_factory=list)

    async def until(self, kind: str, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Reads on until such a message has come, and gives it."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    message = await self.hear()
                    self.heard.append(message)
                    if message["type"] == kind and wanted(message):
                        return message
        except TimeoutError:
            raise AssertionError(f"no {kind} came; heard {[one['type'] for one in self.heard]}") from None

    async def until_call(self, kind: str, call_id: str) -> dict[str, Any]:
        """The next such event of this call: its call document."""
        call: dict[str, Any] = (await self.until(kind, lambda message: message["call"]["call_id"] == call_id))["call"]
        return call

    def numbered(self, *kinds: str) -> list[dict[str, Any]]:
        """The numbered events heard so far, of these types (or all)."""
        return [one for one in self.heard if "id" in one and (not kinds or one["type"] in kinds)]


@dataclass
class Service:
    """A running Application, and the ways to look at it from outside."""

    app: Application
    http: aiohttp.ClientSession
    task: "asyncio.Task[None]"
    people: dict[str, Person] = field(default_factory=dict)
    screens: list[Screen] = field(default_factory=list)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.app.port}"

    async def sign_in(self, username: str) -> Person:
        """This person's one sign-in."""
        if username not in self.people:
            body = {"username": username, "password": PASSWORD}
            async with self.http.post(f"{self.base}/api/v1/session", json=body) as answer:
                assert answer.status == 200, await answer.text()
                self.people[username] = Person(self, (await answer.json())["token"], username)
        return self.people[username]

    async def link_is(self, state: LinkState) -> dict[str, Any]:
        """Waits for the PBX link to be so; gives it as the supervisor sees it."""
        sam = await self.sign_in("sam")

        async def stands() -> dict[str, Any] | None:
            (link,) = (await sam.sees("/links"))["items"]
            return link if link["state"] == state else None

        return await eventually(stands)

    async def stored(self, call_id: str) -> dict[str, Any]:
        """Waits for the call's record, and gives it; there must be exactly one."""
        sam = await self.sign_in("sam")

        async def found() -> list[dict[str, Any]]:
            items = (await sam.sees("/interactions?limit=200"))["items"]
            return [one for one in items if one["call_id"] == call_id and one["ended_at"]]

        (interaction,) = await eventually(found)
        return interaction

    async def stop(self) -> None:
        self.app.stop()
        await self.task


async def eventually(look: Callable[[], Awaitable[T]]) -> T:
    """Looks again until what is seen is true (not None, not empty); fails after the usual patience."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (seen := await look()):  # noqa: ASYNC110 - there is a socket between us and the event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError("it did not come to be") from None
    return seen


def make_template(file: Path) -> None:
    """A store with people, customers and Zoë's history; made once, copied for each test."""
    asyncio.run(_fill(file))


async def _fill(file: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{file}")
    await database.migrate()
    users, accounts, interactions = Users(database), Accounts(database, region="GB"), Interactions(database)
    for username, role, extension in PEOPLE:
        await users.add(
            username=username, name=username.title(), role=role, extension=extension, language=None, password=PASSWORD
        )
    zoe = await _customer(accounts, "Zoë", ZOE, tier=Tier.GOLD)
    await _customer(accounts, "Mum", MUM)
    await _customer(accounts, "Dad", DAD)
    await interactions.add(_a_letter(zoe), idempotency_key=None)
    await database.close()


async def _customer(accounts: Accounts, name: str, phone: str, *, tier: Tier | None = None) -> Account:
    return await accounts.create(
        name=name,
        company=None,
        tier=tier,
        language=None,
        note=None,
        contact_points=[(ContactKind.PHONE, phone, None)],
        now=NOW,
    )


def _a_letter(account: Account) -> Interaction:
    return Interaction(
        interaction_id=InteractionId("01990000-0000-7000-8000-000000000001"),
        account_id=account.account_id,
        channel=Channel.LETTER,
        direction=Direction.INBOUND,
        started_at=NOW,
        ended_at=None,
        agent=None,
        queue=None,
        outcome=None,
        subject="A complaint",
        disposition=None,
        note=None,
        call_id=None,
        call=None,
    )


RULES = """
rules:
  - name: gold-first
    when: {tier: gold}
    queue: support
    priority: 7
default:
  queue: support
"""


def settings_for(folder: Path, template: Path, pbx_port: int, **changes: Any) -> Settings:
    """Settings whose every port is free and whose every file is in `folder`; the store is a copy of `template`."""
    store = folder / "cti.db"
    if not store.exists():
        shutil.copy(template, store)
    rules = folder / "routing.yaml"
    if not rules.exists():
        rules.write_text(RULES)
    return Settings(
        server=ServerSettings(port=0),
        database=DatabaseSettings(url=f"sqlite+aiosqlite:///{store}"),
        journal=JournalSettings(directory=folder / "journal"),
        fastagi=FastAgiSettings(port=0),
        routing=RoutingSettings(file=rules),
        queues=changes.pop("queues", QueueSettings()),
        privacy=changes.pop("privacy", PrivacySettings()),
        webhook=changes.pop("webhook", ()),
        external=changes.pop("external", ()),
        pbx=(PbxSettings(name="main", port=pbx_port, username="cti", secret=SecretStr(changes.pop("secret", "s3cret"))),),
    )


@asynccontextmanager
async def serving(settings: Settings, *, prepare: Callable[[Application], None] = lambda _: None) -> AsyncIterator[Service]:
    """The service until the block ends; what it failed with is raised there. `prepare` gets it before it runs."""
    app = Application(settings)
    prepare(app)
    task = asyncio.create_task(app.run(), name="the service")
    waiting = asyncio.create_task(app.started.wait())
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
        service = Service(app, http, task)
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        try:
            if not task.done():
                yield service
        finally:
            # A browser that reads nothing any more would hold up the service's goodbye for its time limit.
            await asyncio.gather(*(screen.socket.close() for screen in service.screens))
            app.stop()
            await task


@asynccontextmanager
async def service(
    folder: Path,
    template: Path,
    *,
    world: World | None = None,
    prepare: Callable[[Application], None] = lambda _: None,
    **changes: Any,
) -> AsyncIterator[tuple[Service, SimulatedPbx]]:
    """The service and a simulated PBX it is connected with: its agents are known, its queues are listed."""
    async with (
        a_pbx(world or call_centre()) as pbx,
        serving(settings_for(folder, template, pbx.port, **changes), prepare=prepare) as running,
    ):
        await ready(running, agents=len((world or call_centre()).agents))
        yield running, pbx


async def ready(running: Service, *, agents: int) -> None:
    """Waits for the PBX's first listing."""
    sam = await running.sign_in("sam")
    await running.link_is(LinkState.CONNECTED)

    async def listed() -> bool:
        return len((await sam.sees("/agents"))["items"]) == agents

    await eventually(listed)
