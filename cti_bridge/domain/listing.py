"""Lists: what is asked for and the page that answers; known to the store and to the people's side alike."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from cti_bridge.domain.account import AccountId

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """A page of a list; `next` is the cursor of the page after it, None at the end."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InteractionFilter:
    """Which interactions to list; None means any. Times are aware UTC: `since` inclusive, `until` exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    account: AccountId | None = None
    agent: str | None = None
    queue: str | None = None
    channel: str | None = None
    outcome: str | None = None
