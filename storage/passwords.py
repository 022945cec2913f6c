"""Passwords as argon2id hashes; hashing takes tens of milliseconds and 64 MiB on purpose, so it runs beside the event loop."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 8
MAX_LENGTH = 1024
"""Characters; longer ones only cost time."""


async def hash_password(password: str) -> str:
    """The argon2id hash with its parameters and salt inside. Raises ValueError for a password too short or too long."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise ValueError(f"a password has {MIN_LENGTH} to {MAX_LENGTH} characters")
    return await asyncio.to_thread(PasswordHasher().hash, password)


async def check_password(password_hash: str, password: str, /) -> bool:
    """Whether the password is the hashed one; takes as long for a wrong one."""
    try:
        return await asyncio.to_thread(PasswordHasher().verify, password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
