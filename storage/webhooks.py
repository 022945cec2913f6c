"""The outbox: what webhooks are to be told is written in the transaction of what happened, and kept until it has arrived.

`Outbox` writes for the recorder, the merges and the cases; `Deliveries` is read by the senders and the admins. A delivery has a
`next_try_at` as long as it waits. What has arrived is kept for `DELIVERED_KEPT`, anything for `KEPT` at most.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, or_, select, tuple_, update

from cti_bridge.domain.listing import Page
from cti_bridge.domain.webhook import (
    Delivery,
    DeliveryId,
    DeliveryState,
    Happening,
    WebhookEvent,
    body_of,
    delivery_id_of,
)
from storage.database import Database
from storage.paging import page_of, time_key_of
from storage.schema import UNSTORABLE, webhook_deliveries

DELIVERED_KEPT, KEPT = timedelta(days=1), timedelta(days=30)

_columns = webhook_deliveries.c
_IN_STATE = {
    DeliveryState.WAITING: _columns.next_try_at.is_not(None),
    DeliveryState.DELIVERED: _columns.delivered_at.is_not(None),
    DeliveryState.DEAD: _columns.dead_at.is_not(None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """`asked_for`: the names of the webhooks that want each event; none, and nothing is written."""

    database: Database
    asked_for: Mapping[WebhookEvent, Sequence[str]] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def wants(self, event: WebhookEvent) -> bool:
        return bool(self.asked_for.get(event))

    def put(self, connection: Connection, happenings: Iterable[Happening]) -> None:
        """Within the transaction of what happened; what was told before is not told again."""
        now = self.now()
        rows = [
            _row_of(webhook, happening, now) for happening in happenings for webhook in self.asked_for.get(happening.event, ())
        ]
        if rows:
            connection.execute(self.database.insert(webhook_deliveries).on_conflict_do_nothing(), rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one try: arrived where `error` is None, else tried again at `next_try_at`, or given up where that is None."""

    delivery_id: DeliveryId
    tries: int
    at: datetime
    error: str | None = None
    next_try_at: datetime | None = None


class Deliveries:
    """The deliveries in the store. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, webhook: str, *, now: datetime, limit: int) -> tuple[Delivery, ...]:
        """Those whose time has come, longest due first."""
        wanted = (
            select(webhook_deliveries)
            .where(_columns.webhook == webhook, _columns.next_try_at <= now)
            .order_by(_columns.next_try_at)
            .limit(limit)
        )
        return tuple(_delivery_of(row) for row in await self._database.fetch(wanted))

    async def note(self, tried: Sequence[Tried]) -> None:
        """Writes down what came of the tries, in one commit."""
        result = (
            update(webhook_deliveries)
            .where(_columns.delivery_id == bindparam("of"))
            .values({name: bindparam(name) for name in ("tries", "next_try_at", "delivered_at", "dead_at", "last_error")})
        )
        rows = [
            {
                "of": one.delivery_id,
                "tries": one.tries,
                "next_try_at": one.next_try_at,
                "delivered_at": one.at if one.error is None else None,
                "dead_at": one.at if one.error is not None and one.next_try_at is None else None,
                "last_error": one.error,
            }
            for one in tried
        ]
        await self._database.commit(lambda connection: connection.execute(result, rows))

    async def resend(self, delivery_id: DeliveryId, *, now: datetime) -> Delivery | None:
        """Begins anew with its tries, whatever became of it before. None: no such delivery."""
        anew = (
            update(webhook_deliveries)
            .where(_columns.delivery_id == delivery_id)
            .values(next_try_at=now, tries=0, delivered_at=None, dead_at=None)
            .returning(*_columns)
        )
        row = await self._database.commit(lambda connection: connection.execute(anew).one_or_none())
        return None if row is None else _delivery_of(row)

    async def list(self, state: DeliveryState | None, *, cursor: str | None, limit: int) -> Page[Delivery]:
        """Newest first. ValueError for a cursor not ours."""
        wanted = select(webhook_deliveries)
        if state is not None:
            wanted = wanted.where(_IN_STATE[state])
        if cursor is not None:
            wanted = wanted.where(tuple_(_columns.created_at, _columns.delivery_id) < tuple_(*time_key_of(cursor)))
        newest_first = wanted.order_by(_columns.created_at.desc(), _columns.delivery_id.desc()).limit(limit + 1)
        rows = await self._database.fetch(newest_first)
        return page_of([_delivery_of(row) for row in rows], limit, lambda one: (one.created_at, one.delivery_id))

    async def forget(self, *, now: datetime) -> None:
        """Deletes what was kept long enough, also what waits for a webhook that is in the settings no more."""
        old = or_(_columns.delivered_at < now - DELIVERED_KEPT, _columns.created_at < now - KEPT)
        await self._database.commit(lambda connection: connection.execute(delete(webhook_deliveries).where(old)))


def _row_of(webhook: str, happening: Happening, now: datetime) -> dict[str, Any]:
    delivery_id = delivery_id_of(webhook, happening)
    return {
        "delivery_id": delivery_id,
        "webhook": webhook,
        "event": happening.event.value,
        "account_id": happening.account_id,
        "body": body_of(delivery_id, happening).translate(UNSTORABLE),
        "created_at": now,
        "next_try_at": now,
        "tries": 0,
    }


def _delivery_of(row: Row[Any]) -> Delivery:
    return Delivery(
        delivery_id=DeliveryId(row.delivery_id),
        webhook=row.webhook,
        event=WebhookEvent(row.event),
        body=row.body,
        created_at=row.created_at,
        next_try_at=row.next_try_at,
        tries=row.tries,
        delivered_at=row.delivered_at,
        dead_at=row.dead_at,
        last_error=row.last_error,
    )
