"""The people who sign in."""

from typing import Any

from sqlalchemy import Row, delete, insert, select, update

from cti_bridge.domain.call import Extension
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.user import Role, User
from storage.contact_points import clean, fold
from storage.database import Database, is_integrity_error
from storage.passwords import hash_password
from storage.schema import new_id, sessions, users

USER_COLUMNS = [column for column in users.c if column is not users.c.password_hash]


class Users:
    """The users in the store; user names compare without regard to case. Every method may raise StorageError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def with_username(self, username: str) -> tuple[User, str] | None:
        """The user and the argon2id hash of the password."""
        rows = await self._database.fetch(select(users).where(users.c.username == fold(username)))
        return (user_of_row(rows[0]), rows[0].password_hash) if rows else None

    async def by_id(self, user_id: str) -> User | None:
        rows = await self._database.fetch(select(*USER_COLUMNS).where(users.c.user_id == user_id))
        return user_of_row(rows[0]) if rows else None

    async def list(self) -> tuple[User, ...]:
        """Everybody, by user name."""
        rows = await self._database.fetch(select(*USER_COLUMNS).order_by(users.c.username))
        return tuple(user_of_row(row) for row in rows)

    async def add(
        self, *, username: str, name: str, role: Role, extension: str | None, language: str | None, password: str
    ) -> User:
        """A new user. ValueError: the user name is taken or not readable, the password too short, an agent without extension."""
        if role is Role.AGENT and not extension:
            raise ValueError("an agent needs an extension: the phone that rings for this person")
        user = User(
            user_id=new_id(),
            username=fold(clean("user name", username, limit=100)),
            name=clean("name", name, limit=200),
            role=role,
            extension=Extension(clean("extension", extension, limit=40)) if extension else None,
            language=clean("language", language, limit=35) if language else None,
        )
        values = {
            "user_id": user.user_id,
            "username": user.username,
            "name": user.name,
            "role": user.role.value,
            "extension": user.extension,
            "language": user.language,
            "password_hash": await hash_password(password),
        }
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(users).values(values))
        except StorageError as error:
            if is_integrity_error(error):
                raise ValueError(f"there is a user {user.username!r} already") from error
            raise
        return user

    async def set_password(self, username: str, password: str) -> bool:
        """Sets the password and ends all sessions of the user; False: no such user. ValueError: too short or too long."""
        password_hash = await hash_password(password)
        async with self._database.write() as connection:
            changed = update(users).where(users.c.username == fold(username)).values(password_hash=password_hash)
            user_id = (await connection.execute(changed.returning(users.c.user_id))).scalar_one_or_none()
            if user_id is None:
                return False
            await connection.execute(delete(sessions).where(sessions.c.user_id == user_id))
            return True


def user_of_row(row: Row[Any]) -> User:
    return User(
        user_id=row.user_id,
        username=row.username,
        name=row.name,
        role=Role(row.role),
        extension=Extension(row.extension) if row.extension is not None else None,
        language=row.language,
    )
