"""Server-side sessions: a browser holds a random token, the store its SHA-256, so a stolen database signs nobody in."""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select, update

from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.user import User
from storage.database import Database
from storage.schema import sessions, users
from storage.users import USER_COLUMNS, user_of_row

SEEN_EVERY = timedelta(minutes=5)
"""How stale `last_seen_at` may be: a write now and then instead of one for each request."""

USER_OF = (
    select(*USER_COLUMNS, sessions.c.last_seen_at)
    .join_from(sessions, users)
    .where(
        sessions.c.token_hash == bindparam("token_hash"),
        sessions.c.expires_at > bindparam("now"),
        sessions.c.last_seen_at > bindparam("idle_since"),
    )
)


class Sessions:
    """Sessions end at their own expiry, or after `idle` without a request. Every method may raise StorageError."""

    def __init__(self, database: Database, *, idle: timedelta = timedelta(hours=4)) -> None:
        self._database = database
        self._idle = idle

    async def create(self, user_id: str, *, token_hash: bytes, now: datetime, expires_at: datetime) -> None:
        """Begins a session, and forgets those that are over."""
        session = {
            "token_hash": token_hash,
            "user_id": user_id,
            "created_at": now,
            "expires_at": expires_at,
            "last_seen_at": now,
        }
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= now))
            await connection.execute(insert(sessions).values(session))

    async def user_of(self, token_hash: bytes, *, now: datetime) -> User | None:
        """Who is signed in with this token; None: nobody, or no longer."""
        rows = await self._database.fetch(USER_OF, {"token_hash": token_hash, "now": now, "idle_since": now - self._idle})
        if not rows:
            return None
        if now - rows[0].last_seen_at >= SEEN_EVERY:
            seen = update(sessions).where(sessions.c.token_hash == token_hash).values(last_seen_at=now)
            with suppress(StorageError):  # a store that is locked signs nobody out; the next request notes it
                async with self._database.write() as connection:
                    await connection.execute(seen)
        return user_of_row(rows[0])

    async def end(self, token_hash: bytes) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))
