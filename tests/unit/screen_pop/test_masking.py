"""What a masked call and account still tell."""

from typing import Any

import pytest

from cti_bridge.domain.account import ContactKind, ContactPoint, account_document
from cti_bridge.domain.call import Direction, Transfer, TransferType, call_document
from screen_pop.masking import is_masked, masked_account, masked_call, masked_interaction
from tests.support.stores import NOW, a_call, an_account


@pytest.mark.parametrize(
    ("changes", "masked"),
    [
        pytest.param({"customer_number": "+442079460018"}, {"customer_number": "+44********18"}, id="E.164"),
        pytest.param({"customer_number": "12345"}, {"customer_number": "*****"}, id="short"),
        pytest.param({"customer_number": "1"}, {"customer_number": "**"}, id="one digit"),
        pytest.param({"customer_number": None}, {"customer_number": None}, id="withheld"),
        pytest.param({"customer_name": "020 7946 0018"}, {"customer_name": "020********18"}, id="called by the number"),
        pytest.param({"customer_name": "Zoë 2"}, {"customer_name": "Zoë 2"}, id="a name"),
        pytest.param({"did": "8001"}, {"did": "8001"}, id="the company's own number"),
        pytest.param({"did": "02079460018"}, {"did": "020******18"}, id="dialled: the customer's"),
    ],
)
def test_of_a_call_the_customers_numbers_are_masked(changes: dict[str, Any], masked: dict[str, Any]):
    document = call_document(a_call(**changes))

    assert masked_call(document) == masked_call(document) | masked
    assert set(masked_call(document)) == set(document)


def test_agents_and_queues_stay_and_numbers_outside_do_not():
    targets = ("1002", "queue:sales", "+442079460111", "02079460111")
    transfers = tuple(Transfer(type=TransferType.BLIND, from_agent="1001", to=to, at=NOW) for to in targets)
    document = call_document(a_call(talking=["1001", "external:02079460111"], transfers=transfers))

    masked = masked_call(document)

    assert [one["to"] for one in masked["transfers"]] == ["1002", "queue:sales", "+44********11", "020******11"]
    assert masked["talking"] == ["1001", "external:020******11"]


def test_calls_among_agents_stay():
    document = call_document(a_call(direction=Direction.INTERNAL, customer_number="1001", presented_number="1001"))

    assert masked_call(document) == document


@pytest.mark.parametrize(
    ("kind", "value", "masked"),
    [
        (ContactKind.PHONE, "+442079460018", "+44********18"),
        (ContactKind.FAX, "+442079460018", "+44********18"),
        (ContactKind.PHONE_RANGE, "+442079460xxx", "+44********xx"),
        (ContactKind.CUSTOMER_NUMBER, "7", "**"),
        (ContactKind.EMAIL, "zoe@example.org", "z**@example.org"),
        (ContactKind.EMAIL, "no address", "**"),
        (ContactKind.MESSENGER, "@zoe", "**"),
        (ContactKind.WEB, "zoe-1", "**"),
        (ContactKind.POSTAL, "42 Seed Lane", "**"),
    ],
)
def test_every_kind_of_contact_point_is_masked_and_seen_to_be(kind: ContactKind, value: str, masked: str):
    point = ContactPoint(kind=kind, value=value, as_given=f"{value} as given", label="mobile", extension="12")

    shown = masked_account(account_document(an_account(contact_points=(point,))))["contact_points"]

    assert shown == [{"kind": kind.value, "value": masked, "as_given": masked, "label": "mobile", "extension": "**"}]
    assert is_masked(masked)


def test_a_provisional_account_that_is_called_by_its_number_is_masked():
    assert masked_account(account_document(an_account(name="+442079460018")))["name"] == "+44********18"
    assert masked_account(account_document(an_account(name="Zoë")))["name"] == "Zoë"


def test_a_contact_without_a_call_has_nothing_to_mask():
    assert masked_interaction({"call": None, "note": "x"}) == {"call": None, "note": "x"}
