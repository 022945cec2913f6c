"""How long what is known of customers is kept: kinds of data, each with its own time, after which it goes by itself."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum


class RetentionKind(StrEnum):
    """What has a time of its own, in the order in which it goes."""

    CASES = "cases"
    """Commitments, from the day they were closed."""
    PROVISIONAL_ACCOUNTS = "provisional_accounts"
    """Accounts made from a call that nobody named, from the last contact; their contacts stay as figures."""
    INTERACTIONS = "interactions"
    """Contacts with their notes, from the day they began."""
    CALL_DETAILS = "call_details"
    """Of calls: who was rung when, the caller's number and name. The call stays as figures, on its account, with its note."""
    GAPS = "gaps"
    AUDITS = "audits"
    """Results of audits; the newest of each PBX stays."""
    DELIVERIES = "deliveries"
    """To webhooks, that were taken or given up; never longer than the outbox itself keeps them."""
    AUDIT_LOG = "audit_log"


Periods = Mapping[RetentionKind, timedelta]
"""Only the kinds that are not kept for ever."""
Counts = Mapping[RetentionKind, int]
