"""An interaction: one contact by any channel, as it stands on the customer's account."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.call import CallId, Direction, Extension, iso_utc
from cti_bridge.domain.satisfaction import Satisfaction, satisfaction_document

InteractionId = NewType("InteractionId", str)
"""A UUIDv7 as text."""


class Channel(StrEnum):
    """By which way the contact came."""

    PHONE = "phone"
    EMAIL = "email"
    WEB = "web"
    CHAT = "chat"
    SMS = "sms"
    FAX = "fax"
    LETTER = "letter"
    VISIT = "visit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """`call` is the call's document (domain.call.call_document) for channel PHONE; `disposition` is the agent's own label."""

    interaction_id: InteractionId
    account_id: AccountId | None
    channel: Channel
    direction: Direction
    started_at: datetime
    ended_at: datetime | None
    agent: Extension | None
    queue: str | None
    outcome: str | None
    subject: str | None
    disposition: str | None
    note: str | None
    call_id: CallId | None
    call: dict[str, Any] | None
    satisfaction: Satisfaction | None = None


def interaction_document(interaction: Interaction) -> dict[str, Any]:
    """The interaction as the REST API and the websocket show it."""
    return {
        "interaction_id": interaction.interaction_id,
        "account_id": interaction.account_id,
        "channel": interaction.channel.value,
        "direction": interaction.direction.value,
        "started_at": iso_utc(interaction.started_at),
        "ended_at": iso_utc(interaction.ended_at),
        "agent": interaction.agent,
        "queue": interaction.queue,
        "outcome": interaction.outcome,
        "subject": interaction.subject,
        "disposition": interaction.disposition,
        "note": interaction.note,
        "satisfaction": satisfaction_document(interaction.satisfaction) if interaction.satisfaction else None,
        "call_id": interaction.call_id,
        "call": interaction.call,
    }
