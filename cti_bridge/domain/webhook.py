"""Webhooks: what is told to other systems, when it is tried again, and which addresses it may go to.

In: what happened. Out: a CloudEvents 1.0 document (structured mode) and decisions.
The store keeps, `cti_bridge/webhooks.py` sends.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NewType
from uuid import UUID, uuid5

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import Call, call_document, iso_utc
from cti_bridge.domain.case import Case, case_document
from cti_bridge.domain.interaction import Interaction
from cti_bridge.domain.merge import Merge, merge_document
from cti_bridge.domain.relation import Relation, relation_document

DeliveryId = NewType("DeliveryId", str)
"""A UUID as text, the same for the same event to the same webhook: what is told twice is kept once."""

SOURCE = "urn:cti-bridge"
_DELIVERIES = UUID("5c9f0f0e-8a51-4c0a-9f6b-3a1f6c1d2e70")
"""The name space of `DeliveryId`; any UUID, always the same."""

WAITS = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 30, 2 * 60, 10 * 60, 30 * 60, 3600, 2 * 3600, 4 * 3600, 6 * 3600, 10 * 3600)
)  # fmt: skip
"""Before the second try, the third, …: soon enough for a restart of the other side, 23 h 42 min in all for its bad day."""
JITTER = 0.1
"""A wait is longer by up to so much of itself, so that what failed together does not come back together."""

_NAT64 = IPv6Network("64:ff9b::/96")
_INSIDE = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's service to its own machines
        "192.0.0.0/24",  # Oracle's metadata (192.0.0.192); Python 3.11 takes the upper part for public
        "::/96",  # the old way of carrying an IPv4 address
        "64:ff9b:1::/48",  # a site's own NAT64
    )
)
"""What `ipaddress` does not know to be inside."""


class WebhookEvent(StrEnum):
    """What a webhook can be told."""

    CALL_ENDED = "call.ended"
    ACCOUNT_MERGED = "account.merged"
    ACCOUNT_PARTED = "account.parted"
    CASE_ESCALATED = "case.escalated"
    INTERACTION_SCORED = "interaction.scored"
    ACCOUNT_AT_RISK = "account.at_risk"


class DeliveryState(StrEnum):
    """WAITING: for its first or next try. DEAD: given up after the last one."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event for whoever asked for it; `key` tells it from all others of its kind, `account_id` is whom it is about."""

    event: WebhookEvent
    key: str
    subject: str
    at: datetime
    account_id: AccountId | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way to one webhook. `tries` counts from the beginning or the last resend; `body` is sent as it stands.

    `last_error` is why the last try failed, in words that name no secret.
    """

    delivery_id: DeliveryId
    webhook: str
    event: WebhookEvent
    body: str
    created_at: datetime
    next_try_at: datetime | None
    tries: int
    delivered_at: datetime | None
    dead_at: datetime | None
    last_error: str | None

    @property
    def state(self) -> DeliveryState:
        if self.delivered_at is not None:
            return DeliveryState.DELIVERED
        return DeliveryState.WAITING if self.dead_at is None else DeliveryState.DEAD


def call_ended(call: Call, interaction_id: str, account_id: AccountId | None) -> Happening:
    """The call as it was stored."""
    return Happening(
        event=WebhookEvent.CALL_ENDED,
        key=call.call_id,
        subject=f"call/{call.call_id}",
        at=call.ended_at or call.started_at,
        account_id=account_id,
        data={"interaction_id": interaction_id, "account_id": account_id, "call": call_document(call)},
    )


def account_merged(merge: Merge) -> Happening:
    """The merge, or its undoing where it is undone."""
    return Happening(
        event=WebhookEvent.ACCOUNT_MERGED if merge.undone_at is None else WebhookEvent.ACCOUNT_PARTED,
        key=merge.merge_id,
        subject=f"account/{merge.kept}",
        at=merge.undone_at or merge.at,
        account_id=merge.kept,
        data=merge_document(merge),
    )


def case_escalated(case: Case) -> Happening:
    """`case` as it stands after its escalation; given a new time, it can be escalated again, which is another event."""
    assert case.escalated_at is not None
    return Happening(
        event=WebhookEvent.CASE_ESCALATED,
        key=f"{case.case_id} {iso_utc(case.escalated_at)}",
        subject=f"case/{case.case_id}",
        at=case.escalated_at,
        account_id=case.account_id,
        data=case_document(case),
    )


def interaction_scored(interaction: Interaction, *, at: datetime) -> Happening:
    """The score as it stands since `at`, without the comment: that is the customer's, and is asked for by REST."""
    given = interaction.satisfaction
    return Happening(
        event=WebhookEvent.INTERACTION_SCORED,
        key=f"{interaction.interaction_id} {iso_utc(at)}",
        subject=f"interaction/{interaction.interaction_id}",
        at=at,
        account_id=interaction.account_id,
        data={
            "interaction_id": interaction.interaction_id,
            "account_id": interaction.account_id,
            "score": given.score if given else None,
            "source": given.source.value if given else None,
        },
    )


def account_at_risk(account_id: AccountId, relation: Relation) -> Happening:
    """`relation` as it stands once a sign was noticed that was not there before."""
    assert relation.noticed_at is not None
    return Happening(
        event=WebhookEvent.ACCOUNT_AT_RISK,
        key=f"{account_id} {iso_utc(relation.noticed_at)}",
        subject=f"account/{account_id}",
        at=relation.noticed_at,
        account_id=account_id,
        data={"account_id": account_id, **relation_document(relation)},
    )


def delivery_id_of(webhook: str, happening: Happening) -> DeliveryId:
    return DeliveryId(str(uuid5(_DELIVERIES, f"{webhook} {happening.event.value} {happening.key}")))


def body_of(delivery_id: DeliveryId, happening: Happening) -> str:
    """The CloudEvents 1.0 document as JSON; its `id` is the delivery's, by which a receiver knows what it has had before."""
    document = {
        "specversion": "1.0",
        "id": delivery_id,
        "source": SOURCE,
        "type": f"cti-bridge.{happening.event.value}.v1",
        "subject": happening.subject,
        "time": iso_utc(happening.at),
        "datacontenttype": "application/json",
        "data": happening.data,
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def wait_after(tries: int, *, draw: float) -> timedelta | None:
    """How long to wait after so many failed tries (1 at least); None: give up. `draw` is from 0 to 1."""
    return WAITS[tries - 1] * (1 + JITTER * draw) if tries <= len(WAITS) else None


def is_public(address: str) -> bool:
    """Whether the IP address is one of the open internet: not of a private network, this machine, a link, or a cloud's metadata.

    An IPv6 address that carries an IPv4 one inside is judged by that. What is no IP address is not public.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inside = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inside is None and ip in _NAT64:
            inside = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inside is not None:
            return is_public(str(inside))
        if ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _INSIDE)


def delivery_document(delivery: Delivery) -> dict[str, Any]:
    """The delivery as the REST API shows it: without its body, which is the customer's."""
    return {
        "delivery_id": delivery.delivery_id,
        "webhook": delivery.webhook,
        "event": delivery.event.value,
        "state": delivery.state.value,
        "created_at": iso_utc(delivery.created_at),
        "next_try_at": iso_utc(delivery.next_try_at),
        "tries": delivery.tries,
        "delivered_at": iso_utc(delivery.delivered_at),
        "dead_at": iso_utc(delivery.dead_at),
        "last_error": delivery.last_error,
    }
