"""The kinds of field that requests are made of, each with its bounds; unknown fields are refused everywhere."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from screen_pop.api.problems import not_found

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CALL_ID = re.compile(r"[A-Za-z0-9_-]{1,40}:[\x21-\x7e]{1,150}")


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    return text


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is outside of the calendar") from error


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]
"""A name or a label."""

Note = Annotated[str, Field(max_length=10_000), AfterValidator(_without_nul)]
"""Free text; shown as text only."""

Comment = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_without_nul)]
"""What a customer said of a contact."""

Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_without_nul)]
"""A queue, an outcome, a language, a pause reason."""

Dialled = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[0-9+ ()./\-*#]+$")]
"""What an agent may ask to be dialled: digits and how people write them; the dial plan has the last word."""

Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""ISO 8601 with an offset, as `2026-11-22T02:33:49Z`; becomes UTC."""

CallIdField = Annotated[str, Field(pattern=f"^{_CALL_ID.pattern}$")]

AccountIdField = Annotated[str, Field(pattern=f"^{_UUID.pattern}$")]


class Fields(BaseModel):
    """The fields of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def given(self) -> dict[str, Any]:
        """Only what the request named: a null clears a field, a field not named stays."""
        return self.model_dump(exclude_unset=True)


class NoFields(Fields):
    """A request that carries nothing."""


class PageQuery(Fields):
    """Which page of a list."""

    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str | None, Field(max_length=500), AfterValidator(lambda text: _without_nul(text) if text else text)] = None


def record_id(text: str, what: str) -> str:
    """An account's or interaction's id from the path; what is no id at all is not found."""
    if not _UUID.fullmatch(text):
        raise not_found(what)
    return text


def call_id_of(text: str) -> str:
    """A call's id from the path."""
    if not _CALL_ID.fullmatch(text):
        raise not_found("call")
    return text
