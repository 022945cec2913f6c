"""An answer's JSON becomes records, by the paths that the settings name. Pure; what comes in is hostile.

Its texts are not cleaned here: the source does that for every adapter.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from config.external import ExternalSettings, is_template
from cti_bridge.domain.account import Tier
from cti_bridge.domain.errors import ExternalFailed
from cti_bridge.domain.external import ExternalFact, ExternalRecord
from cti_bridge.domain.json_path import JsonPath, json_path, value_at
from cti_bridge.domain.url_template import filled

_KINDS: Final = {list: "a list", dict: "a table", bool: "a yes or no"}

Reader = Callable[[bytes, Mapping[str, str]], tuple[ExternalRecord, ...]]


def reader_of(settings: ExternalSettings) -> Reader:
    """Reads the bodies of answers; the second argument is the number in its forms, for links."""
    fields = {name: json_path(path) for name, path in settings.fields if path is not None and not is_template(path)}
    facts = {label: json_path(path) for label, path in settings.facts.items()}
    link = settings.fields.link if settings.fields.link and is_template(settings.fields.link) else None
    tiers = {ours.value: ours for ours in Tier} | {theirs.casefold(): Tier(ours) for theirs, ours in settings.tiers.items()}
    records = json_path(settings.records)

    def read(body: bytes, number: Mapping[str, str]) -> tuple[ExternalRecord, ...]:
        found = tuple(_record(one, fields, facts, tiers) for one in _found(_parsed(body), records))
        if any(record.external_id is None and record.name is None for record in found):
            raise ExternalFailed("its answer holds a customer with neither id nor name where the settings say")
        return tuple(_linked(record, link, number) for record in found)

    return read


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ExternalFailed("its answer is not JSON") from error


def _found(document: Any, path: JsonPath) -> list[Any]:
    try:
        found = value_at(document, path)
    except LookupError as error:
        raise ExternalFailed("its answer has nothing where `records` says") from error
    match found:
        case None:
            return []
        case dict():
            return [found] if found else []
        case list() if all(isinstance(one, dict) for one in found):
            return found
        case _:
            raise ExternalFailed("its answer has no customer, and no list of them, where `records` says")


def _record(
    document: Any, fields: Mapping[str, JsonPath], facts: Mapping[str, JsonPath], tiers: Mapping[str, Tier]
) -> ExternalRecord:
    unread: list[str] = []

    def read(what: str, path: JsonPath, *, is_fact: bool) -> str | bool | None:
        match _value(document, path):
            case None | "":
                return None
            case bool() as value if is_fact:
                return value
            case str() as value:
                return value
            case int() | float() as value if not isinstance(value, bool):
                return str(value)
            case value:
                unread.append(f"{what} is {_KINDS[type(value)]}, not a text or number")
                return None

    texts = {what: value for what, path in fields.items() if isinstance(value := read(what, path, is_fact=False), str)}
    told = texts.pop("tier", None)
    tier = tiers.get(told.strip().casefold()) if told is not None else None
    if told is not None and tier is None:
        unread.append("tier is no word of ours: say in `tiers` what theirs mean")
    shown = tuple(
        ExternalFact(label=label, value=value)
        for label, path in facts.items()
        if (value := read(f"facts.{label}", path, is_fact=True)) is not None
    )
    return ExternalRecord(external_id=texts.pop("id", None), tier=tier, facts=shown, unread=tuple(unread), **texts)


def _value(document: Any, path: JsonPath) -> Any:
    try:
        return value_at(document, path)
    except LookupError:
        return None


def _linked(record: ExternalRecord, link: str | None, number: Mapping[str, str]) -> ExternalRecord:
    if link is None or ("{id}" in link and record.external_id is None):
        return record
    return replace(record, link=filled(link, {**number, "id": record.external_id or ""}))
