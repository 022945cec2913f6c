"""Who is asking, and may they: sign-in, sessions, origins.

In: headers and credentials; out: a `User`, or a refusal. Authorisation fails closed: what no rule allows is refused.
Tokens are 256 random bits; the store sees only their SHA-256. Nothing here logs a user name, an address or a token.
"""

import asyncio
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import hdrs, web

from screen_pop.ports import PasswordCheck, Sessions, User, Users

COOKIE = "cti_session"
SESSION_HOURS = 12
"""Absolute: a shift and some. Nobody stays signed in over night because a tab was left open."""

VERIFIED_AT_ONCE = 4
"""argon2id takes 64 MiB a go: a rush of sign-ins waits its turn instead of filling the memory."""

MAX_WATCHED = 10_000
"""Names and addresses whose attempts are counted; the longest unused is forgotten first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptLimit:
    """`burst` wrong attempts at once, then one each `seconds`."""

    burst: int
    seconds: float


PAIR_LIMIT = AttemptLimit(burst=5, seconds=30)
"""One name from one address: somebody who mistypes, or a guesser."""
ADDRESS_LIMIT = AttemptLimit(burst=50, seconds=5)
"""One address, any name: a whole call centre may share one."""
NAME_LIMIT = AttemptLimit(burst=40, seconds=60)
"""One name from everywhere: fewer than 100 guesses an hour on any account, however many machines guess."""


class TooManyAttempts(Exception):
    """`retry_after` whole seconds must pass before the next attempt is looked at."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many attempts; try again in {retry_after} s")
        self.retry_after = retry_after


class Attempts:
    """Counts wrong sign-ins by name and address; a delay, never a lock. Memory is bounded."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, max_watched: int = MAX_WATCHED) -> None:
        self._clock = clock
        self._max_watched = max_watched
        self._free_at: OrderedDict[tuple[str, ...], float] = OrderedDict()
        """When each key's debt of attempts is paid off; absent: no debt."""

    def spend(self, username: str, address: str) -> None:
        """Counts one attempt before it is looked at. Raises TooManyAttempts, counting nothing."""
        now = self._clock()
        limits = self._limits(username, address)
        waits = [self._free_at.get(key, now) + limit.seconds - now - limit.burst * limit.seconds for key, limit in limits]
        if max(waits) > 0:
            raise TooManyAttempts(int(max(waits)) + 1)
        for key, limit in limits:
            self._free_at[key] = max(self._free_at.get(key, now), now) + limit.seconds
            self._free_at.move_to_end(key)
        while len(self._free_at) > self._max_watched:
            self._free_at.popitem(last=False)

    def forgive(self, username: str, address: str) -> None:
        """The attempt was right: it does not count."""
        for key, limit in self._limits(username, address):
            if key in self._free_at:
                self._free_at[key] -= limit.seconds

    @staticmethod
    def _limits(username: str, address: str) -> tuple[tuple[tuple[str, ...], AttemptLimit], ...]:
        name = username.casefold()
        return (
            (("pair", name, address), PAIR_LIMIT),
            (("address", address), ADDRESS_LIMIT),
            (("name", name), NAME_LIMIT),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """`token` is told to the browser once and kept nowhere."""

    user: User
    token: str
    expires_at: datetime


class SignIn:
    """Checks passwords and keeps sessions. `decoy_hash` is a hash like the real ones, of a password nobody knows."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        verify: PasswordCheck,
        *,
        decoy_hash: str,
        now: Callable[[], datetime],
        attempts: Attempts | None = None,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._verify = verify
        self._decoy_hash = decoy_hash
        self._now = now
        self._attempts = attempts or Attempts()
        self._turns = asyncio.Semaphore(VERIFIED_AT_ONCE)

    async def sign_in(self, username: str, password: str, *, address: str) -> SignedIn | None:
        """A new session, or None for wrong credentials: an unknown name costs the same work as a wrong password.

        Raises:
            TooManyAttempts: nothing was looked at.
        """
        self._attempts.spend(username, address)
        found = await self._users.with_username(username)
        user, password_hash = found or (None, self._decoy_hash)
        async with self._turns:
            is_right = await self._verify(password_hash, password)
        if user is None or not is_right:
            return None
        self._attempts.forgive(username, address)
        token = secrets.token_urlsafe(32)
        expires_at = self._now() + timedelta(hours=SESSION_HOURS)
        await self._sessions.create(user.user_id, token_hash=hash_of(token), now=self._now(), expires_at=expires_at)
        return SignedIn(user=user, token=token, expires_at=expires_at)

    async def user_of(self, token_hash: bytes) -> User | None:
        """Whose session this is, or None where it ended, expired or never was."""
        return await self._sessions.user_of(token_hash, now=self._now())

    async def sign_out(self, token_hash: bytes) -> None:
        await self._sessions.end(token_hash)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The session a request speaks for; a bearer token is no cookie: no web page can make a browser send it."""

    token_hash: bytes
    is_cookie: bool


def credentials_of(request: web.BaseRequest) -> Credentials | None:
    """The bearer token, else the session cookie, else None."""
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return Credentials(token_hash=hash_of(token.strip()), is_cookie=False)
    if cookie := request.cookies.get(COOKIE):
        return Credentials(token_hash=hash_of(cookie), is_cookie=True)
    return None


def hash_of(token: str) -> bytes:
    """What the store keeps of a token; 256 random bits need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Origins:
    """Which pages may speak to us: our own (by the Host they were fetched from) and the configured ones, letter for letter.

    Browsers write an origin in one way only, so a variant in case, port, path or suffix is somebody else.
    """

    def __init__(self, configured: Iterable[str] = ()) -> None:
        self._configured = frozenset(origin.rstrip("/") for origin in configured)

    def allow(self, headers: Mapping[str, str], *, scheme: str, is_cookie: bool) -> bool:
        """Whether a write or an upgrade may go on. A missing Origin is a program's: good with a bearer token or none at all,
        never with a cookie."""
        origin = headers.get(hdrs.ORIGIN)
        if origin is None:
            return not is_cookie
        host = headers.get(hdrs.HOST, "").lower()
        return origin in self._configured or (bool(host) and origin == f"{scheme}://{host}")


def cookie_header(token: str, *, secure: bool) -> str:
    """The `Set-Cookie` that gives the browser its session: not readable by scripts, not sent along by other sites' forms."""
    return _cookie(token, SESSION_HOURS * 3600, secure=secure)


def no_cookie_header(*, secure: bool) -> str:
    """The `Set-Cookie` that takes the session from the browser."""
    return _cookie("", 0, secure=secure)


def _cookie(token: str, max_age: int, *, secure: bool) -> str:
    return f"{COOKIE}={token}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")
