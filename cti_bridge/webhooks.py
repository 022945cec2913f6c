"""The sender: takes what waits in the store for one webhook, signs it and posts it, until the other side has said yes.

In: deliveries that are due. Out: requests signed as Standard Webhooks has it, and in the store what came of each. At least once,
in no promised order. The other side is not trusted with anything: it gets `LIMIT_SECONDS`, its redirects are not followed,
its answer's body is not read, and where it may not be private, each address is judged at the socket that is about to be
connected to it, so that neither a name that changes nor an odd way of writing an address leads inside.
Each webhook has a sender of its own: one that hangs delays no other, and no call.
"""

import asyncio
import errno
import random
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import structlog
from aiohttp import (
    AddrInfoType,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from standardwebhooks import Webhook
from yarl import URL

import cti_bridge
from config.load import read_webhook_secret
from config.settings import WebhookSettings
from cti_bridge.backoff import Backoff
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.webhook import Delivery, WebhookEvent, is_public, wait_after
from cti_bridge.resolver import Resolver
from storage.database import Database
from storage.webhooks import Deliveries, Outbox, Tried

log = structlog.get_logger()

LIMIT_SECONDS = 10.0
"""For name, connection, request and the head of the answer together."""
AT_ONCE = 8
"""Requests to one webhook; a group is noted in the store with one commit."""
POLL_SECONDS = 1.0
TIDY_SECONDS = 3600.0
_LONGEST_ERROR = 200


class Webhooks:
    """All webhooks of the settings; `outbox` is for those who tell, `deliveries` for those who look. Raises ConfigError."""

    def __init__(self, settings: Sequence[WebhookSettings], database: Database, *, now: Callable[[], datetime]) -> None:
        asked_for = {event: [one.name for one in settings if event.value in one.events] for event in WebhookEvent}
        self.outbox = Outbox(database=database, asked_for=asked_for, now=now)
        self.deliveries = Deliveries(database)
        self._now = now
        self._senders = tuple(
            WebhookSender(one, read_webhook_secret(one).get_secret_value(), self.deliveries, now=now) for one in settings
        )

    @property
    def counters(self) -> Mapping[str, int]:
        return sum((Counter(sender.counters) for sender in self._senders), Counter[str]())

    async def run(self) -> None:
        """Sends and tidies until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for sender in self._senders:
                tasks.create_task(sender.run(), name=f"webhook {sender.name}")
            await self._tidy()

    async def _tidy(self) -> None:
        """Deletes what was kept long enough; a store that is away is asked again with the next time."""
        while True:
            try:
                await self.deliveries.forget(now=self._now())
            except StorageError as error:
                log.warning("webhook.not_tidied", error=str(error))
            await asyncio.sleep(TIDY_SECONDS)


class AddressRefused(OSError):
    """The name leads to a private address, which this webhook may not."""


class WebhookSender:
    """Sends to one webhook; `run()` until cancelled, what was under way then is sent again by the next start."""

    def __init__(
        self,
        settings: WebhookSettings,
        secret: str,
        deliveries: Deliveries,
        *,
        now: Callable[[], datetime],
        draw: Callable[[], float] = random.random,
        limit_seconds: float = LIMIT_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self.name = settings.name
        self._url = URL(str(settings.url), encoded=True)
        self._allow_private = settings.allow_private
        self._signer = Webhook(secret)
        self._deliveries = deliveries
        self._now = now
        self._draw = draw
        self._limit = ClientTimeout(total=limit_seconds)
        self._poll_seconds = poll_seconds
        self.counters = {"delivered": 0, "failed": 0, "dead": 0}

    async def run(self) -> None:
        """Sends what is due, a group at a time. A store that is away is asked again."""
        backoff = Backoff(first_seconds=self._poll_seconds)
        resolver = Resolver()
        connector = TCPConnector(
            resolver=resolver, use_dns_cache=False, force_close=True, limit=AT_ONCE, socket_factory=self._socket_for
        )
        try:
            async with ClientSession(
                connector=connector,
                timeout=self._limit,
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": f"cti-bridge/{cti_bridge.__version__}"},
            ) as session:
                while True:
                    try:
                        sent = await self._send_due(session)
                    except StorageError as error:
                        log.warning("webhook.store_away", webhook=self.name, error=str(error))
                        await asyncio.sleep(backoff.next())
                        continue
                    backoff.reset()
                    if not sent:
                        await asyncio.sleep(self._poll_seconds)
        finally:
            await resolver.close()

    async def _send_due(self, session: ClientSession) -> int:
        """How many were sent, arrived or not."""
        due = await self._deliveries.due(self.name, now=self._now(), limit=AT_ONCE)
        if due:
            tried = await asyncio.gather(*(self._try(session, delivery) for delivery in due))
            await self._deliveries.note(tried)
        return len(due)

    async def _try(self, session: ClientSession, delivery: Delivery) -> Tried:
        error = await self._post(session, delivery)
        tries, at = delivery.tries + 1, self._now()
        if error is None:
            self.counters["delivered"] += 1
            return Tried(delivery_id=delivery.delivery_id, tries=tries, at=at)
        self.counters["failed"] += 1
        wait = wait_after(tries, draw=self._draw())
        what = {"webhook": self.name, "delivery_id": delivery.delivery_id, "tries": tries, "error": error}
        if wait is None:
            self.counters["dead"] += 1
            log.error("webhook.dead", **what)
        else:
            log.warning("webhook.failed", **what, retry_in_seconds=round(wait.total_seconds()))
        return Tried(
            delivery_id=delivery.delivery_id, tries=tries, at=at, error=error, next_try_at=None if wait is None else at + wait
        )

    async def _post(self, session: ClientSession, delivery: Delivery) -> str | None:
        """None where it arrived, else why not: never with the URL's path, which may hold a secret of the other side."""
        at = self._now()
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(delivery.delivery_id, at, delivery.body),
        }
        body = delivery.body.encode()
        try:
            async with session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                return None if 200 <= response.status < 300 else f"answered {response.status}"
        except TimeoutError:
            return f"no answer within {self._limit.total:g} s"
        except ClientConnectorError as error:
            return str(error)[:_LONGEST_ERROR]  # host, port and the system's words
        except (ClientError, OSError) as error:
            return type(error).__name__

    def _socket_for(self, address: AddrInfoType) -> socket.socket:
        """The socket for an address about to be connected to. Raises AddressRefused."""
        family, kind, protocol, _, where = address
        if not (self._allow_private or is_public(str(where[0]))):
            raise AddressRefused(errno.EACCES, "a private address: allow_private = true if that is meant")
        return socket.socket(family, kind, protocol)
