"""Webhooks, the pure part: what is told, when it is tried again, where it may go."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from cti_bridge.domain.account import AccountId
from cti_bridge.domain.webhook import WAITS, body_of, call_ended, delivery_id_of, is_public, wait_after
from tests.support.store import a_finished_call

NOBODY = AccountId("00000000-0000-7000-8000-000000000000")


def test_a_call_becomes_a_cloud_event():
    call = a_finished_call()
    told = call_ended(call, "interaction", NOBODY)

    event = json.loads(body_of(delivery_id_of("crm", told), told))

    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": delivery_id_of("crm", told),
        "source": "urn:cti-bridge",
        "type": "cti-bridge.call.ended.v1",
        "subject": f"call/{call.call_id}",
        "time": "2026-11-22T02:35:27.540Z",
        "datacontenttype": "application/json",
    }
    assert (data["interaction_id"], data["account_id"]) == ("interaction", NOBODY)
    assert (data["call"]["call_id"], data["call"]["customer_number"]) == (call.call_id, "+442079460018")


def test_an_event_has_one_id_for_each_webhook_however_often_it_is_told():
    told = call_ended(a_finished_call(), "interaction", None)
    again = call_ended(a_finished_call(), "interaction", NOBODY)

    assert delivery_id_of("crm", told) == delivery_id_of("crm", again)
    assert len({delivery_id_of("crm", told), delivery_id_of("bi", told), delivery_id_of("crm", replace(told, key="x"))}) == 3


def test_tries_go_on_for_a_day_ever_more_seldom_and_then_end():
    assert list(WAITS) == sorted(WAITS)
    assert timedelta(hours=23) < sum(WAITS, timedelta()) < timedelta(hours=25)
    assert [wait_after(tries, draw=0.0) for tries in range(1, len(WAITS) + 1)] == list(WAITS)
    assert wait_after(len(WAITS) + 1, draw=0.0) is None


def test_what_failed_together_does_not_come_back_together():
    assert (wait_after(1, draw=0.0), wait_after(1, draw=1.0)) == (timedelta(seconds=5), timedelta(seconds=5.5))


PRIVATE = """
    127.0.0.1 127.8.9.10 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 169.254.0.1 100.64.0.1
    100.100.100.200 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1
    255.255.255.255 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 fec0::1 ff02::1 2001:db8::1 ::ffff:127.0.0.1
    ::ffff:169.254.169.254 ::ffff:a00:1 ::ffff:168.63.129.16 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::7f00:1 2002:7f00:1::
    2002:a00:1::1
    2001:0:4136:e378:8000:63bf:80ff:fffe ::127.0.0.1 2130706433 0x7f.1 127.1 localhost
"""


@pytest.mark.parametrize("address", ["", *PRIVATE.split()])
def test_inside_is_not_public(address: str):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "172.32.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_the_open_internet_is_public(address: str):
    assert is_public(address)
