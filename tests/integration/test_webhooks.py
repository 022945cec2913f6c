"""The sender against real web servers that take, refuse, hang, and point inside."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from config.settings import WebhookSettings
from cti_bridge.domain.webhook import WAITS, Delivery, DeliveryState, WebhookEvent
from cti_bridge.webhooks import Webhooks, WebhookSender
from storage.database import Database
from storage.recorder import Recorder
from storage.webhooks import Deliveries, Outbox
from tests.support.store import a_finished_call
from tests.support.webhook_target import SECRET, Target, listening

PATIENCE_SECONDS = 10.0


class Clock:
    """The sender's time: real, and put forward by a test."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/cti.db")
    await database.migrate()
    yield database
    await database.close()


def settings_for(url: str, *, allow_private: bool = True, name: str = "crm") -> WebhookSettings:
    return WebhookSettings.model_validate(
        {"name": name, "url": url, "secret": SECRET, "events": ["call.ended"], "allow_private": allow_private}
    )


def a_sender(database: Database, settings: WebhookSettings, clock: Clock) -> WebhookSender:
    return WebhookSender(settings, SECRET, Deliveries(database), now=clock, limit_seconds=0.3, poll_seconds=0.01)


async def told(database: Database, webhook: str = "crm", calls: int = 1) -> None:
    """Calls end, and the webhook waits to hear of them."""
    recorder = Recorder(database, outbox=Outbox(database=database, asked_for={WebhookEvent.CALL_ENDED: (webhook,)}))
    running = asyncio.create_task(recorder.run())
    await asyncio.gather(*(recorder.put(a_finished_call(number), None) for number in range(calls)))
    running.cancel()


@asynccontextmanager
async def sending(*senders: WebhookSender | Webhooks) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(sender.run()) for sender in senders]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert [task for task in tasks if not task.cancelled()] == []


@asynccontextmanager
async def served(database: Database, target: AbstractAsyncContextManager[Target], clock: Clock) -> AsyncIterator[Target]:
    """The target, and a sender to it."""
    async with target as there, sending(a_sender(database, settings_for(f"http://127.0.0.1:{there.port}/hook"), clock)):
        yield there


async def until(database: Database, seen: Callable[[list[Delivery]], bool]) -> list[Delivery]:
    """The deliveries, once they are so."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not seen(found := list((await Deliveries(database).list(None, cursor=None, limit=200)).items)):  # noqa: ASYNC110  the store tells nobody
            await asyncio.sleep(0.01)
    return found


def all_are(state: DeliveryState) -> Callable[[list[Delivery]], bool]:
    return lambda found: bool(found) and all(one.state is state for one in found)


def tried(times: int) -> Callable[[list[Delivery]], bool]:
    return lambda found: bool(found) and all(one.tries >= times for one in found)


async def test_what_arrives_is_signed_as_the_library_of_the_other_side_wants_it(database: Database):
    await told(database)
    async with served(database, listening(204), Clock()) as target:
        (delivery,) = await until(database, all_are(DeliveryState.DELIVERED))

    ((headers, body),) = target.got
    event = Webhook(SECRET).verify(body, headers)
    assert (event["id"], event["type"], headers["webhook-id"]) == (
        delivery.delivery_id,
        "cti-bridge.call.ended.v1",
        delivery.delivery_id,
    )
    assert headers["Content-Type"].startswith("application/cloudevents+json")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)


async def test_a_refused_one_is_tried_again_the_same_but_signed_anew(database: Database):
    await told(database)
    clock = Clock()
    async with served(database, listening(500, 200), clock) as target:
        (failed,) = await until(database, tried(1))
        clock.ahead = WAITS[0] * 1.2
        (delivered,) = await until(database, all_are(DeliveryState.DELIVERED))

    assert (failed.state, failed.last_error) == (DeliveryState.WAITING, "answered 500")
    assert failed.next_try_at is not None
    assert WAITS[0] - timedelta(seconds=1) < failed.next_try_at - failed.created_at < WAITS[0] * 1.1 + timedelta(seconds=5)
    assert (delivered.tries, delivered.last_error) == (2, None)
    (first, first_body), (second, second_body) = target.got
    assert (first_body, first["webhook-id"]) == (second_body, second["webhook-id"])
    assert first["webhook-timestamp"] < second["webhook-timestamp"]


async def test_after_a_day_it_is_dead_and_a_resend_brings_it_back(database: Database):
    await told(database)
    clock = Clock()
    with capture_logs() as logs:
        async with served(database, listening(*[503] * (len(WAITS) + 1), 200), clock) as target:
            for tries, wait in enumerate(WAITS, start=1):
                await until(database, tried(tries))
                clock.ahead += wait * 1.2
            (dead,) = await until(database, all_are(DeliveryState.DEAD))
            await Deliveries(database).resend(dead.delivery_id, now=clock())
            (delivered,) = await until(database, all_are(DeliveryState.DELIVERED))

    assert (dead.tries, dead.last_error, delivered.tries) == (11, "answered 503", 1)
    assert len(target.got) == 12
    assert [entry["event"] for entry in logs] == ["webhook.failed"] * 10 + ["webhook.dead"]
    assert SECRET not in str(logs)
    assert "/hook" not in str(logs)


async def test_one_that_hangs_is_given_up_and_keeps_no_other_waiting(database: Database):
    await told(database, "slow", calls=20)
    await told(database, "crm", calls=20)
    clock = Clock()
    async with listening(None) as slow, listening(200) as quick:
        hanging = settings_for(f"http://127.0.0.1:{slow.port}/hook", name="slow")
        prompt = settings_for(f"http://127.0.0.1:{quick.port}/hook")
        async with sending(a_sender(database, hanging, clock), a_sender(database, prompt, clock)):
            await until(database, lambda found: sum(one.state is DeliveryState.DELIVERED for one in found) == 20)
            at_once = len(slow.got)
            found = await until(database, lambda found: any(one.last_error for one in found))

    assert len(quick.got) == 20
    assert at_once <= 16  # a group of 8, or the second one when this machine is slow
    assert {one.last_error for one in found} == {None, "no answer within 0.3 s"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_refusal(database: Database, status: int):
    await told(database)
    async with listening(200) as inside:
        location = {"Location": f"http://127.0.0.1:{inside.port}/hook"}
        async with served(database, listening(status, headers=location), Clock()):
            (failed,) = await until(database, tried(1))

    assert (failed.last_error, inside.got) == (f"answered {status}", [])


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0.0.0.0"],
)
async def test_a_private_address_is_never_connected_to(database: Database, host: str):
    await told(database)
    connections = []

    async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sending(a_sender(database, settings_for(f"https://{host}:{port}/hook", allow_private=False), Clock())):
        (failed,) = await until(database, tried(1))

    assert failed.last_error is not None
    assert "private address" in failed.last_error
    assert connections == []


@pytest.mark.parametrize("host", [f"{'a' * 64}.example", "name.invalid"])
async def test_a_name_that_leads_nowhere_is_a_failed_try(database: Database, host: str):
    await told(database)
    async with sending(a_sender(database, settings_for(f"http://{host}/hook"), Clock())):
        (failed,) = await until(database, tried(1))

    assert failed.last_error is not None
    assert failed.last_error.startswith("Cannot connect to host")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0" * 100,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 999999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
    ids=range(9),
)
async def test_a_hostile_answer_is_a_failed_try_and_nothing_more(database: Database, answer: bytes):
    await told(database)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with suppress(ConnectionError):
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sending(a_sender(database, settings_for(f"http://127.0.0.1:{port}/hook"), Clock())):
        (failed,) = await until(database, tried(1))

    assert failed.state is DeliveryState.WAITING
    assert failed.last_error


async def test_an_answer_without_end_is_not_read(database: Database):
    await told(database)
    hung_up = asyncio.Event()

    async def pour(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            hung_up.set()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, sending(a_sender(database, settings_for(f"http://127.0.0.1:{port}/hook"), Clock())):
        await until(database, all_are(DeliveryState.DELIVERED))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await hung_up.wait()


async def test_all_webhooks_of_the_settings_are_served(database: Database):
    async with listening(200) as one, listening(500) as two:
        settings = [
            settings_for(f"http://127.0.0.1:{target.port}/hook", name=name) for name, target in (("crm", one), ("bi", two))
        ]
        webhooks = Webhooks(settings, database, now=Clock())
        recorder = Recorder(database, outbox=webhooks.outbox)
        running = asyncio.create_task(recorder.run())
        await recorder.put(a_finished_call(), None)
        running.cancel()
        async with sending(webhooks):
            found = await until(database, tried(1))

    assert {one.webhook: one.state for one in found} == {"crm": DeliveryState.DELIVERED, "bi": DeliveryState.WAITING}
    assert webhooks.counters == {"delivered": 1, "failed": 1}
