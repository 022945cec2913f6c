"""Keyset cursors: where the next page begins, opaque to who carries them, so that page 1,000 costs what page 1 does."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from cti_bridge.domain.listing import Page

T = TypeVar("T")

MAX_CURSOR = 2000


def cursor_after(*key: str) -> str:
    """The cursor of the page that begins after the row with this sort key."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def key_of(cursor: str) -> tuple[str, str]:
    """The sort key in the cursor: a value and a row's id. Raises ValueError for a cursor not ours."""
    try:
        if len(cursor) > MAX_CURSOR:
            raise ValueError("too long")
        match json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)):
            case [str() as value, str() as row_id]:
                return value, row_id
    except (binascii.Error, ValueError, RecursionError) as error:
        raise ValueError("this cursor was not made here: leave it out to begin anew") from error
    raise ValueError("this cursor was not made here: leave it out to begin anew")


def time_key_of(cursor: str) -> tuple[datetime, str]:
    """As `key_of`, for lists in order of time."""
    value, row_id = key_of(cursor)
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("this cursor was not made here: leave it out to begin anew")
    return at, row_id


def page_of(found: Sequence[T], limit: int, key: Callable[[T], tuple[datetime, str]]) -> Page[T]:
    """The page of a list in order of time; `found` holds one more than `limit` where there is more. `key`: its order."""
    items = tuple(found[:limit])
    if len(found) <= limit:
        return Page(items=items, next=None)
    at, row_id = key(items[-1])
    return Page(items=items, next=cursor_after(at.isoformat(), row_id))
