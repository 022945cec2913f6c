"""Users and their sessions."""

from datetime import timedelta
from functools import partial

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from cti_bridge.domain.call import Extension
from cti_bridge.domain.user import Role, User
from storage.database import Database
from storage.schema import sessions as sessions_table
from storage.sessions import SEEN_EVERY, Sessions
from storage.users import Users
from tests.support.store import NOW

TOKEN = b"t" * 32


@pytest.fixture
def users(database: Database, monkeypatch: pytest.MonkeyPatch) -> Users:
    """Their passwords are hashed as cheaply as argon2 can."""
    monkeypatch.setattr("storage.passwords.PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1))
    return Users(database)


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return Sessions(database, idle=timedelta(hours=1))


async def an_agent(users: Users, username: str = "zoe", **changes) -> User:
    fields = {"name": "Zoë", "role": Role.AGENT, "extension": "1001", "language": "en", "password": "correct horse"}
    return await users.add(username=username, **(fields | changes))


async def test_added_user_is_found_by_name_in_any_case_with_an_argon2id_hash(database: Database):
    users = Users(database)
    added = await an_agent(users, "Zoe")

    found = await users.with_username(" ZOE ")

    assert found is not None
    user, password_hash = found
    assert user == added == User(
        user_id=added.user_id, username="zoe", name="Zoë", role=Role.AGENT, extension=Extension("1001"), language="en"
    )  # fmt: skip
    assert password_hash.startswith("$argon2id$")
    assert PasswordHasher().verify(password_hash, "correct horse")


async def test_users_are_listed_by_user_name(users: Users):
    await an_agent(users, "zoe")
    boss = await an_agent(users, "ann", role=Role.SUPERVISOR, extension=None)

    assert [user.username for user in await users.list()] == ["ann", "zoe"]
    assert await users.by_id(boss.user_id) == boss


async def test_nobody_has_an_unknown_name(users: Users):
    assert await users.with_username("nobody\0") is None
    assert await users.by_id("nobody") is None


async def test_a_user_name_is_taken_once(users: Users):
    await an_agent(users, "zoe")

    with pytest.raises(ValueError, match="there is a user 'zoe' already"):
        await an_agent(users, "ZOE")


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"password": "short"}, "8 to 1024"), ({"extension": None}, "needs an extension"), ({"name": ""}, "name is empty")],
)
async def test_an_unusable_user_is_not_added(users: Users, changes: dict, why: str):
    with pytest.raises(ValueError, match=why):
        await an_agent(users, **changes)

    assert await users.list() == ()


async def test_a_session_leads_to_its_user_until_it_expires(users: Users, sessions: Sessions):
    zoe = await an_agent(users)
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(minutes=30))

    assert await sessions.user_of(TOKEN, now=NOW) == zoe
    assert await sessions.user_of(TOKEN, now=NOW + timedelta(minutes=30)) is None
    assert await sessions.user_of(b"x" * 32, now=NOW) is None


async def test_a_session_ends_on_sign_out(users: Users, sessions: Sessions):
    zoe = await an_agent(users)
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(hours=9))

    await sessions.end(TOKEN)

    assert await sessions.user_of(TOKEN, now=NOW) is None


async def test_a_session_ends_after_an_hour_of_silence_and_lives_on_with_use(users: Users, sessions: Sessions):
    zoe = await an_agent(users)
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(hours=9))

    assert await sessions.user_of(TOKEN, now=NOW + timedelta(minutes=50)) == zoe
    assert await sessions.user_of(TOKEN, now=NOW + timedelta(minutes=100)) == zoe
    assert await sessions.user_of(TOKEN, now=NOW + timedelta(minutes=161)) is None


async def test_being_seen_is_written_only_now_and_then(database: Database, users: Users, sessions: Sessions):
    zoe = await an_agent(users)
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(hours=9))

    await sessions.user_of(TOKEN, now=NOW + SEEN_EVERY - timedelta(seconds=1))

    assert (await database.fetch(select(sessions_table.c.last_seen_at)))[0] == (NOW,)


async def test_a_new_password_ends_the_users_sessions(users: Users, sessions: Sessions):
    zoe, yan = await an_agent(users), await an_agent(users, "yan")
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(hours=9))
    await sessions.create(yan.user_id, token_hash=b"y" * 32, now=NOW, expires_at=NOW + timedelta(hours=9))

    assert await users.set_password("Zoe", "another secret")

    found = await users.with_username("zoe")
    assert found is not None
    assert PasswordHasher().verify(found[1], "another secret")
    assert await sessions.user_of(TOKEN, now=NOW) is None
    assert await sessions.user_of(b"y" * 32, now=NOW) == yan
    assert not await users.set_password("nobody", "another secret")


async def test_sessions_that_are_over_are_forgotten(database: Database, users: Users, sessions: Sessions):
    zoe = await an_agent(users)
    await sessions.create(zoe.user_id, token_hash=TOKEN, now=NOW, expires_at=NOW + timedelta(hours=1))

    later = NOW + timedelta(hours=1)
    await sessions.create(zoe.user_id, token_hash=b"y" * 32, now=later, expires_at=later + timedelta(hours=1))

    assert len(await database.fetch(select(sessions_table.c.token_hash))) == 1
