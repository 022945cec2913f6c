"""Running an AmiClient in tests: settings for a FakePbx, the client in the background, its stream read up to what is awaited."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from config.settings import PbxSettings
from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.connection import Limits
from cti_bridge.ami.link import LinkState
from cti_bridge.ami.messages import AmiEvent
from cti_bridge.ami.stream import Disconnected, Opened, Received, Resynced, StreamNews
from tests.support.fake_pbx import FakePbx

SECRET = "s3cret"

T = TypeVar("T", Opened, Received, Disconnected)


def settings_of(
    pbx: FakePbx, *, secret: str = SECRET, auth: str = "md5", tls: bool = False, tls_ca: Path | None = None
) -> PbxSettings:
    return PbxSettings.model_validate(
        {
            "name": "main",
            "host": "localhost" if tls else "127.0.0.1",
            "port": pbx.port,
            "username": "cti",
            "secret": secret,
            "auth": auth,
            "tls": tls,
            "tls_ca": tls_ca,
        }
    )


def a_client(pbx: FakePbx, *, secret: str = SECRET, limits: Limits | None = None, **more) -> AmiClient:
    return AmiClient(settings_of(pbx, secret=secret), secret, limits=limits, **more)


@contextlib.asynccontextmanager
async def running(client: AmiClient) -> AsyncIterator[AmiClient]:
    task = asyncio.create_task(client.run())
    try:
        async with asyncio.timeout(15):
            yield client
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def resynced(client: AmiClient) -> list[StreamNews]:
    """Reads up to the end of the next resync; gives what was told on the way, `Resynced` at last."""
    told: list[StreamNews] = []
    async for item in client.events:
        if isinstance(item, Received):
            told += item.news
            if told and isinstance(told[-1], Resynced):
                return told
    raise AssertionError


async def event_named(client: AmiClient, name: str) -> AmiEvent:
    async for item in client.events:
        if isinstance(item, Received):
            for news in item.news:
                if isinstance(news, AmiEvent) and news.name == name:
                    return news
    raise AssertionError


async def item_of(client: AmiClient, kind: type[T]) -> T:
    async for item in client.events:
        if isinstance(item, kind):
            return item
    raise AssertionError


async def until(condition: Callable[[], bool]) -> None:
    """Polls, for what comes to pass without telling."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.002)


async def state_is(client: AmiClient, state: LinkState) -> None:
    await until(lambda: client.status().state is state)
