"""A gap: a time in which the service did not see a PBX, and what is known of the calls of that time."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from cti_bridge.domain.call import iso_utc

GapId = NewType("GapId", str)
"""`<pbx name>:<since in Unix milliseconds>`: the same gap told again is the same gap."""


class GapCause(StrEnum):
    """LINK: the AMI connection ended. SERVICE: this service was not running. PBX: Asterisk itself was restarted."""

    LINK = "link"
    SERVICE = "service"
    PBX = "pbx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """`since` is the last thing seen before it, `until` the moment the PBX's present state was read (None: still away).

    `rebuilt`: calls that were alive on both sides and go on. `ended_unseen`: closed as estimated. `appeared`: found alive that
    began within the gap. `added` and `corrected`: what the PBX's own record brought afterwards. `queues`: whose figures it
    concerns. `settled_at`: the audit of this time found nothing missing (any more); until then its figures are provisional.
    """

    gap_id: GapId
    pbx: str
    cause: GapCause
    since: datetime
    until: datetime | None = None
    rebuilt: int = 0
    ended_unseen: int = 0
    appeared: int = 0
    added: int = 0
    corrected: int = 0
    queues: tuple[str, ...] = ()
    settled_at: datetime | None = None


def gap_document(gap: Gap) -> dict[str, Any]:
    """The gap as the REST API and the websocket show it."""
    return {
        "gap_id": gap.gap_id,
        "pbx": gap.pbx,
        "cause": gap.cause.value,
        "since": iso_utc(gap.since),
        "until": iso_utc(gap.until),
        "rebuilt": gap.rebuilt,
        "ended_unseen": gap.ended_unseen,
        "appeared": gap.appeared,
        "added": gap.added,
        "corrected": gap.corrected,
        "queues": list(gap.queues),
        "settled_at": iso_utc(gap.settled_at),
    }
