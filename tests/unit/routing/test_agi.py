"""The PBX's question is understood, and a caller cannot write a part of it."""

import pytest

from cti_bridge.domain.decision import RoutingDecision
from routing.agi import AgiRefused, AgiRequest, answer_commands, is_done, read_request
from tests.support.routing_samples import a_question


def ask(**changes: str) -> AgiRequest:
    return read_request(a_question(**changes).split(b"\n\n", 1)[0].split(b"\n"))


def test_question_of_asterisk_22():
    assert ask() == AgiRequest(uniqueid="1795314829.43", did="8001", caller="02079460018")


@pytest.mark.parametrize(
    ("changes", "did"),
    [
        ({"network_script": "route?did=%2B442079460001"}, "+442079460001"),
        ({"network_script": "route?did=+442079460001&x=1"}, "+442079460001"),
        ({"network_script": "route", "dnid": "8002"}, "8002"),
        ({"network_script": "route?did=", "dnid": "unknown", "extension": "8003"}, "8003"),
        ({"network_script": "/route/?did=*98"}, "*98"),
    ],
)
def test_dialled_number(changes, did):
    assert ask(**changes).did == did


@pytest.mark.parametrize(
    ("typed", "customer"),
    [
        ("4711", "4711"),
        ("0", "0"),
        ("9" * 20, "9" * 20),
        ("", None),
        ("9" * 21, None),
        ("47*11#", None),
        ("%34%37", None),
        ("４７１１", None),
        ("4711%0A", None),
        ("' OR 1=1", None),
    ],
)
def test_customer_number_is_digits_of_a_telephone_or_nothing(typed, customer):
    assert ask(network_script=f"route?did=8001&customer={typed}") == AgiRequest(
        uniqueid="1795314829.43", did="8001", caller="02079460018", customer=customer
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"callerid": "unknown"},
        {"callerid": ""},
        {"callerid": "Anonymous"},
        {"callingpres": "35"},
        {"callingpres": "32"},
    ],
)
def test_caller_who_shows_or_wants_to_show_no_number(changes):
    assert ask(**changes).caller is None


@pytest.mark.parametrize("presentation", ["0", "67", "", "x", "-1", "9" * 5000, "³"])
def test_other_presentations_leave_the_number(presentation):
    assert ask(callingpres=presentation).caller == "02079460018"


def test_name_that_is_cut_in_the_middle_of_a_letter_is_no_fault():
    lines = a_question(calleridname="Zo").split(b"\n\n", 1)[0].replace(b"Zo\n", b"Zo\xc3\n").split(b"\n")

    assert read_request(lines).did == "8001"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param({"callerid": "100\nagi_dnid: 8009"}, "forged", id="a name sent twice"),
        pytest.param({"callerid": "100\r\nagi_dnid: 8009"}, "forged", id="a line end of SIP"),
        pytest.param({"callerid": "100\r"}, "forged", id="a lone CR"),
        pytest.param({"callerid": "100\nEvent: Hangup"}, "forged", id="a line that is no field"),
        pytest.param({"callerid": "100\nagi_dnid: 8009\n"}, "forged", id="an early end"),
        pytest.param({"calleridname": "x\0y"}, "forged", id="a NUL"),
        pytest.param({"network_script": "admin"}, "unknown_script", id="another script"),
        pytest.param({"network_script": "route", "dnid": "unknown", "extension": "s"}, "garbage", id="no number dialled"),
        pytest.param({"network_script": "route", "dnid": "500&PJSIP/x", "extension": "s"}, "garbage", id="no number at all"),
        pytest.param({"uniqueid": "a b"}, "garbage", id="no unique id"),
    ],
)
def test_question_that_is_not_asterisks_own_is_refused(changes, kind):
    with pytest.raises(AgiRefused) as refused:
        ask(**changes)

    assert refused.value.kind == kind


def test_whole_forged_question_does_not_fit_into_a_callers_number():
    """Asterisk cuts the number at 79 bytes; the names a caller would have to write before an empty line are longer."""
    names = a_question().decode().split("agi_calleridname", 1)[1].split("agi_threadid")[0]
    shortest = "agi_calleridname" + "".join(line.split(":")[0] + ":\n" for line in names.splitlines())

    assert len(shortest) > 79 * 2


def test_answer_sets_the_queue_last():
    decision = RoutingDecision(rule="vip", queue="vip", priority=10, reason="", rules_version="0" * 12)

    assert answer_commands(decision) == (
        b'SET VARIABLE CTI_RULE "vip"\n',
        b'SET VARIABLE CTI_PRIORITY "10"\n',
        b'SET VARIABLE CTI_QUEUE "vip"\n',
    )


@pytest.mark.parametrize(
    ("reply", "done"), [(b"200 result=1", True), (b"HANGUP", False), (b"511 Command Not Permitted", False), (b"", False)]
)
def test_reply(reply, done):
    assert is_done(reply) is done


@pytest.mark.parametrize(
    ("script", "pbx"),
    [
        ("route?did=8001&pbx=north", "north"),
        ("route?pbx=south-2", "south-2"),
        ("route?did=8001", None),
        ("route?pbx=a%20b", None),
    ],
)
def test_pbx_is_what_the_dialplan_says(script: str, pbx: str | None) -> None:
    assert ask(network_script=script).pbx == pbx
