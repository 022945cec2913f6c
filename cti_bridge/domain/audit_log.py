"""The audit log: who did what to whose data, in rows that each carry the hash of the one before, so that a change shows."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from cti_bridge.domain.call import iso_utc

FIRST_HASH = "0" * 64
"""What stands before the first row."""


class AuditAction(StrEnum):
    """What is written down; a verb's past, by the thing it was done to."""

    ACCOUNT_MERGED = "account.merged"
    ACCOUNT_PARTED = "account.parted"
    TIER_SET = "account.tier_set"
    SCORE_REPLACED = "interaction.score_replaced"
    ACCOUNTS_EXPORTED = "accounts.exported"
    INTERACTIONS_EXPORTED = "interactions.exported"
    PERSON_EXPORTED = "person.exported"
    PERSON_ERASED = "person.erased"
    ACCOUNT_REVEALED = "account.revealed"
    CALL_REVEALED = "call.revealed"
    RETENTION_DONE = "retention.done"
    LOG_CUT = "audit_log.cut"
    """`detail`: all rows up to `up_to`, whose hash is `hash`, were kept long enough and are gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row. `subject` is an id or None, never a number or a name, and so is what `detail` holds."""

    seq: int
    at: datetime
    actor: str
    action: str
    subject: str | None
    detail: Mapping[str, Any]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last row of the log at some moment. Kept elsewhere, it shows later that no row before it was taken away."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first row (or missing row) that is not as it was written."""

    seq: int
    why: str


def hash_of(
    *, seq: int, at: datetime, actor: str, action: str, subject: str | None, detail: Mapping[str, Any], prev_hash: str
) -> str:
    """SHA-256 over the row in one fixed form (JSON, keys sorted, no spaces, ASCII), as 64 hex digits."""
    row = [seq, at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action, subject, detail, prev_hash]
    return hashlib.sha256(json.dumps(row, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def head_of(text: str) -> Head:
    """The way back from `str(head)`. Raises ValueError."""
    seq, _, digest = text.partition(":")
    if not (seq.isascii() and seq.isdecimal() and len(digest) == len(FIRST_HASH)):
        raise ValueError("a head of the audit log is SEQ:HASH, as `cti-bridge log verify` printed it")
    return Head(seq=int(seq), hash=digest)


def audit_entry_document(entry: AuditEntry) -> dict[str, Any]:
    """The row as the REST API shows it."""
    return {
        "seq": entry.seq,
        "at": iso_utc(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": dict(entry.detail),
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
    }
