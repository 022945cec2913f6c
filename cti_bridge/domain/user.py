"""A person who signs in, and what that person may do; known to the store and to the people's side alike."""

from dataclasses import dataclass
from enum import StrEnum

from cti_bridge.domain.call import Extension


class Role(StrEnum):
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who signs in; `extension` is the phone of an agent (None for people without one)."""

    user_id: str
    username: str
    name: str
    role: Role
    extension: Extension | None
    language: str | None = None
