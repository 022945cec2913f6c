"""The zone of times that name none: as the settings say, else found out from the rows themselves."""

from collections.abc import Iterable
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cti_bridge.record.rows import started, unix_seconds

NEAR_SECONDS: Final = 60.0
"""A first row of a channel is written within this time of what its Uniqueid says; zones differ by 15 minutes at least."""


def zone_of(samples: Iterable[tuple[object, str]], setting: str | None) -> tzinfo | None:
    """The zone of the times in `samples`, each with the Uniqueid of its row, whose seconds are UTC; None: the machine's own.

    Without a setting it is UTC (cdr.conf's `usegmtime = yes`) where more of the samples fit that, else the machine's own.
    """
    if setting is not None:
        return ZoneInfo(setting)
    votes = 0
    for value, uniqueid in samples:
        began = started(uniqueid)
        if began is not None:
            votes += _near(value, UTC, began) - _near(value, None, began)
    return UTC if votes > 0 else None


def _near(value: object, zone: tzinfo | None, began: float) -> int:
    at = unix_seconds(value, zone)
    return int(at is not None and abs(at - began) <= NEAR_SECONDS)
