"""What another system answered, as records: by the settings' paths, and without anything hostile in it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from config.external import ExternalSettings
from cti_bridge.domain.account import Tier
from cti_bridge.domain.errors import ExternalFailed
from cti_bridge.domain.external import (
    MAX_RECORDS,
    ExternalAnswer,
    ExternalFact,
    ExternalRecord,
    ExternalState,
    cleaned,
    external_documents,
    is_web_address,
)
from cti_bridge.domain.json_path import json_path, value_at
from cti_bridge.domain.phone_number import national_of
from cti_bridge.domain.url_template import filled
from cti_bridge.external.reading import reader_of
from tests.support.crm import FANG, MAPPING

NUMBER = {"e164": "+442079460018", "digits": "442079460018", "national": "02079460018"}


def read(body: Any, **changes: Any) -> tuple[ExternalRecord, ...]:
    settings = ExternalSettings.model_validate({"name": "crm", "url": "https://crm.example/{e164}", **MAPPING} | changes)
    return reader_of(settings)(body if isinstance(body, bytes) else json.dumps(body).encode(), NUMBER)


def test_a_customer_is_read_by_the_paths_of_the_settings():
    assert read(FANG) == (
        ExternalRecord(
            external_id="4711",
            name="Fang Weiss",
            company="Lantern Tea",
            tier=Tier.PLATINUM,
            language="de",
            link="https://crm.example/customers/4711",
            facts=(ExternalFact(label="Open orders", value="3"),),
        ),
    )


def test_a_list_of_customers_is_several_and_an_empty_one_nobody():
    two = {"hits": {"items": [{"no": 1, "name": "A"}, {"no": 2, "name": "B"}]}}

    assert [record.name for record in read(two, records="hits.items")] == ["A", "B"]
    assert [record.name for record in read([{"no": 1}], records="")] == [None]
    assert read({"customer": []}) == read({"customer": None}) == read({"customer": {}}) == read([], records="") == ()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>Sign in</html>", "not JSON"),
        (b"", "not JSON"),
        (b'{"customer": {"no": 1}', "not JSON"),
        (b'{"customer": {"no": NaN}}', "not JSON"),
        (b'{"customer": {"no": "\\ud800"}}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({"error": "no licence"}, "nothing where"),
        ([1, 2], "nothing where"),
        ({"customer": "Fang"}, "no customer, and no list"),
        ({"customer": ["Fang"]}, "no customer, and no list"),
        ({"customer": {"nome": "Fang"}}, "neither id nor name"),
        ({"customer": {"no": "", "name": None}}, "neither id nor name"),
    ],
    ids=[
        "html",
        "empty",
        "cut off",
        "nan",
        "half a character",
        "deep",
        "no such path",
        "a list",
        "text",
        "texts",
        "other",
        "blank",
    ],
)
def test_an_answer_of_another_shape_is_refused_with_why_and_without_what_it_held(body: Any, why: str):
    with pytest.raises(ExternalFailed, match=why) as caught:
        read(body)

    assert "Fang" not in str(caught.value)
    assert "licence" not in str(caught.value)


def test_a_field_of_a_wrong_kind_is_left_out_and_named_and_the_rest_is_read():
    (record,) = read({"customer": {"no": 7, "name": ["Fang"], "address": "x", "class": "Z", "open": {"a": 1}, "locale": True}})

    assert (record.external_id, record.name, record.company, record.tier, record.language, record.facts) == (
        "7", None, None, None, None, (),
    )  # fmt: skip
    assert record.unread == (
        "name is a list, not a text or number",
        "language is a yes or no, not a text or number",
        "tier is no word of ours: say in `tiers` what theirs mean",
        "facts.Open orders is a table, not a text or number",
    )


def test_tiers_are_known_by_our_words_and_by_theirs_whatever_the_case():
    tiers = [read({"customer": {"no": 1, "class": word}})[0].tier for word in ("GOLD", "a", " A ", "lead")]

    assert tiers == [Tier.GOLD, Tier.PLATINUM, Tier.PLATINUM, Tier.LEAD]


def test_a_link_may_be_told_by_the_answer_or_made_of_the_number_but_never_without_the_id_it_needs():
    told = {"id": "no", "link": "urls[1]"}
    made = {"name": "name", "link": "https://crm.example/find?q={national}"}
    by_id = {"id": "no", "name": "name", "link": "https://crm.example/{id}"}
    body = {"customer": {"no": None, "name": "Fang", "urls": ["x", "https://crm.example/y"]}}

    assert (
        read(body | {"customer": {"no": 1, "urls": ["x", "https://crm.example/y"]}}, fields=told)[0].link
        == "https://crm.example/y"
    )
    assert read(body, fields=made)[0].link == "https://crm.example/find?q=02079460018"
    assert read(body, fields=by_id)[0].link is None


def test_a_hostile_id_cannot_leave_its_place_in_a_link():
    (record,) = read({"customer": {"no": "../../admin?x=1#@evil.example/", "name": "x"}})

    assert record.link == "https://crm.example/customers/..%2F..%2Fadmin%3Fx%3D1%23%40evil.example%2F"


def test_texts_become_one_line_without_what_cannot_be_seen_and_are_cut():
    hostile = "  Zo\u00eb\r\nEvent: X\u202e\u200b\x00\x1b[31m\u2028\u00a0Fang " + "x" * 5000
    record = cleaned(
        ExternalRecord(
            external_id="\x00\u200b",
            name=hostile,
            company="<img src=x onerror=alert(1)>",
            language="en; DROP",
            link="javascript:alert(1)",
            facts=(
                ExternalFact(label="\u202eLabel", value=hostile),
                ExternalFact(label="", value="no label"),
                ExternalFact(label="Newsletter", value=False),
                *(ExternalFact(label=str(number), value="x") for number in range(100)),
            ),
        )
    )

    assert record.name is not None
    assert record.name.startswith("Zoë Event: X[31m Fang xxx")
    assert (len(record.name), record.name.isprintable()) == (200, True)
    assert (record.external_id, record.language, record.link) == (None, None, None)
    assert record.company == "<img src=x onerror=alert(1)>", "markup is the page's to show as text"
    assert record.facts[:2] == (ExternalFact(label="Label", value=record.name), ExternalFact(label="Newsletter", value=False))
    assert len(record.facts) <= 12


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("https://crm.example/a?b=c#d", True),
        ("http://10.0.0.7:8080/", True),
        ("https://[::1]/", True),
        ("javascript:alert(1)//https://x", False),
        ("data:text/html,x", False),
        ("//evil.example/", False),
        ("https:evil.example", False),
        ("https://crm.example@evil.example/", False),
        ("https://crm.example\\@evil.example/", False),
        ("https://crm.example/\u202e", False),
        ("https://crm.example/\n", False),
        ("https://crm.example/a b", False),
        ("https://crm.example:99999/", False),
        ("https://[/", False),
        ("https://crm.example/" + "x" * 2000, False),
    ],
)
def test_only_an_address_of_the_web_is_a_link(address: str, good: bool):
    assert is_web_address(address) is good
    assert (cleaned(ExternalRecord(link=address)).link is not None) is good


def test_the_pop_carries_one_document_for_each_record_and_one_for_each_source_without():
    many = tuple(ExternalRecord(name=str(number)) for number in range(MAX_RECORDS + 3))
    answers = (
        ExternalAnswer(source="crm", state=ExternalState.FOUND, records=many),
        ExternalAnswer(source="erp", state=ExternalState.PENDING),
    )
    nothing = dict.fromkeys(("id", "name", "company", "tier", "language", "link")) | {"facts": []}

    documents = external_documents(answers)

    assert [one["name"] for one in documents] == ["0", "1", "2", "3", "4", None]
    assert documents[-1] == {"source": "erp", "state": "pending"} | nothing
    assert (answers[0].only, replace(answers[0], records=many[:1]).only) == (None, many[0])


@pytest.mark.parametrize(
    ("path", "value"),
    [("", "whole"), ("a", "one"), ("a.b", 1), ("a.c[1].d", 2), ("[0]", 3), ("a.客户-名", 4), ("a[0][1]", 5), ("$a._b:c", 6)],
)
def test_a_path_leads_to_its_value(path: str, value: Any):
    documents = {
        "": "whole",
        "a": {"a": "one"},
        "a.b": {"a": {"b": 1}},
        "a.c[1].d": {"a": {"c": [0, {"d": 2}]}},
        "[0]": [3],
        "a.客户-名": {"a": {"客户-名": 4}},
        "a[0][1]": {"a": [[0, 5]]},
        "$a._b:c": {"$a": {"_b:c": 6}},
    }

    assert value_at(documents[path], json_path(path)) == value


@pytest.mark.parametrize(
    "path", [".", "a.", ".a", "a..b", "a[", "a]", "a[x]", "a[-1]", "a.[0]", "a[99999]", " a", "a\n", "x" * 201]
)
def test_what_is_no_path_is_refused(path: str):
    with pytest.raises(ValueError, match="path"):
        json_path(path)


@pytest.mark.parametrize("document", [{}, {"a": None}, {"a": "b"}, {"a": []}, [], "a", None])
def test_a_path_that_leads_nowhere_is_a_lookup_error(document: Any):
    with pytest.raises(LookupError):
        value_at(document, json_path("a[0].b"))


def test_every_form_of_the_number_goes_into_an_address_percent_encoded():
    assert filled("https://x/{e164}?d={digits}&n={national}", NUMBER) == "https://x/%2B442079460018?d=442079460018&n=02079460018"


@pytest.mark.parametrize(
    ("e164", "national"),
    [
        ("+442079460018", "02079460018"),
        ("+8613812345678", "13812345678"),
        ("+14155552671", "4155552671"),
        ("+390612345678", "0612345678"),
    ],
)
def test_the_national_form_is_what_is_dialled_inside_the_country(e164: str, national: str):
    assert national_of(e164) == national
