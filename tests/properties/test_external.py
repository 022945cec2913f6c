"""Whatever another system answers, it becomes records that can be shown, or one plain reason why not."""

from contextlib import suppress
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from config.external import ExternalSettings
from cti_bridge.domain.errors import ExternalFailed
from cti_bridge.domain.external import (
    ExternalAnswer,
    ExternalFact,
    ExternalRecord,
    ExternalState,
    cleaned,
    external_documents,
    is_web_address,
)
from cti_bridge.domain.json_path import json_path, value_at
from cti_bridge.external.reading import reader_of
from screen_pop.wire import to_json
from tests.support.crm import MAPPING

NUMBER = {"e164": "+442079460018", "digits": "442079460018", "national": "02079460018"}
READ = reader_of(ExternalSettings.model_validate({"name": "crm", "url": "https://crm.example/{e164}", **MAPPING}))

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
names = st.sampled_from(["customer", "no", "name", "class", "locale", "address", "firm", "open", "x"])
documents = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6))
records = st.builds(
    ExternalRecord,
    external_id=st.none() | st.text(),
    name=st.none() | st.text(),
    company=st.none() | st.text(),
    language=st.none() | st.text(),
    link=st.none() | st.text() | st.text().map(lambda rest: f"https://{rest}"),
    facts=st.lists(st.builds(ExternalFact, label=st.text(), value=st.text() | st.booleans()), max_size=20).map(tuple),
)


def texts_of(document: Any) -> list[str]:
    match document:
        case str():
            return [document]
        case dict():
            return [text for value in document.values() for text in texts_of(value)]
        case list():
            return [text for value in document for text in texts_of(value)]
        case _:
            return []


@given(documents | documents.map(lambda inner: {"customer": inner}))
def test_any_json_is_read_or_refused(document: Any) -> None:
    try:
        body = orjson.dumps(document)
    except orjson.JSONEncodeError:
        return
    try:
        found = READ(body, NUMBER)
    except ExternalFailed:
        return

    assert all(record.external_id or record.name for record in found)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(ExternalFailed):
        READ(body, NUMBER)


@given(records)
def test_what_is_shown_is_short_visible_and_leads_to_the_web_only(record: ExternalRecord) -> None:
    answer = ExternalAnswer(source="crm", state=ExternalState.FOUND, records=(cleaned(record),))

    (document,) = external_documents([answer])

    assert all(text.isprintable() and len(text) <= 2000 for text in texts_of(document))
    assert document["link"] is None or (document["link"].startswith(("http://", "https://")) and is_web_address(document["link"]))
    assert len(to_json(document)) < 64 * 1024
    assert cleaned(cleaned(record)) == cleaned(record)


@given(st.text(max_size=40), documents)
def test_any_path_is_refused_or_leads_somewhere_or_nowhere(text: str, document: Any) -> None:
    with suppress(ValueError, LookupError):
        value_at(document, json_path(text))
