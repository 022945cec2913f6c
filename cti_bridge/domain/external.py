"""What another system (a CRM, an ERP) says of a caller: shown beside our own account, never mixed into it.

In: records as an adapter read them, which is hostile text. Out: records fit to be shown, and their one JSON shape. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from cti_bridge.domain.account import Tier

MAX_RECORDS: Final = 5
"""Records of one source that are shown; a source that knows more of one number does not tell who is calling."""
MAX_FACTS: Final = 12
_LONGEST_ID, _LONGEST_NAME, _LONGEST_LABEL, _LONGEST_FACT, _LONGEST_LINK = 100, 200, 60, 200, 2000
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")


class ExternalState(StrEnum):
    """How far a source has got with a number."""

    PENDING = "pending"
    FOUND = "found"
    NOT_FOUND = "not_found"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalFact:
    """A line to show; True and False are told as yes and no in the reader's language."""

    label: str
    value: str | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalRecord:
    """One customer as the other system has it; `link` opens it there.

    `unread` names the fields whose values could not be read, each with why.
    """

    external_id: str | None = None
    name: str | None = None
    company: str | None = None
    tier: Tier | None = None
    language: str | None = None
    link: str | None = None
    facts: tuple[ExternalFact, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAnswer:
    """What one source says of one number; `records` only where the state is FOUND."""

    source: str
    state: ExternalState
    records: tuple[ExternalRecord, ...] = ()

    @property
    def only(self) -> ExternalRecord | None:
        """The record where the source knows exactly one."""
        return self.records[0] if len(self.records) == 1 else None


def cleaned(record: ExternalRecord) -> ExternalRecord:
    """The record with every text on one line, without control characters and marks of direction, and cut to its longest; a link
    that is not http or https, and what is no language, are left out.
    """
    return replace(
        record,
        external_id=_line(record.external_id, _LONGEST_ID),
        name=_line(record.name, _LONGEST_NAME),
        company=_line(record.company, _LONGEST_NAME),
        link=record.link if record.link is not None and is_web_address(record.link) else None,
        language=record.language if record.language is not None and _LANGUAGE.fullmatch(record.language) else None,
        facts=tuple(_cleaned_facts(record.facts)),
    )


def is_web_address(text: str) -> bool:
    """Whether a browser may be led there: http or https, a host, nobody's name or password, nothing unseen."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = len(text) <= _LONGEST_LINK and text.isascii() and text.isprintable() and " " not in text and "\\" not in text
    return is_plain and parts.scheme in {"http", "https"} and bool(host) and "@" not in parts.netloc


def external_documents(answers: Sequence[ExternalAnswer]) -> list[dict[str, Any]]:
    """The answers as the pop carries them: one for each record, and one for each source that has none."""
    nothing = ExternalRecord()
    return [
        {
            "source": answer.source,
            "state": answer.state.value,
            "id": record.external_id,
            "name": record.name,
            "company": record.company,
            "tier": record.tier.value if record.tier else None,
            "language": record.language,
            "link": record.link,
            "facts": [{"label": fact.label, "value": fact.value} for fact in record.facts],
        }
        for answer in answers
        for record in (answer.records[:MAX_RECORDS] or (nothing,))
    ]


def _cleaned_facts(facts: Sequence[ExternalFact]) -> list[ExternalFact]:
    shown = []
    for fact in facts[:MAX_FACTS]:
        label = _line(fact.label, _LONGEST_LABEL)
        value = fact.value if isinstance(fact.value, bool) else _line(fact.value, _LONGEST_FACT)
        if label and value is not None:
            shown.append(ExternalFact(label=label, value=value))
    return shown


def _line(text: str | None, limit: int) -> str | None:
    """One line of what can be seen; None where nothing of it can."""
    if text is None:
        return None
    visible = "".join(character for character in text if character.isprintable() or character.isspace())
    return " ".join(visible.split())[:limit].strip() or None
