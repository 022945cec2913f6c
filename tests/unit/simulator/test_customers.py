"""The demo's customers are fit to be looked up, and most callers are among them."""

from collections import Counter

from cti_bridge.domain.account import Tier
from cti_bridge.domain.interaction import Channel
from cti_bridge.domain.phone_number import is_withheld, to_e164
from cti_bridge.simulator.customers import CUSTOMERS
from cti_bridge.simulator.demo_callers import UNKNOWN_NUMBERS, demo_callers
from cti_bridge.simulator.world import demo_world


def test_every_number_is_valid_where_the_demo_is():
    numbers = [phone for customer in CUSTOMERS for phone in customer.phones] + [number for number, _ in UNKNOWN_NUMBERS]

    assert [number for number in numbers if to_e164(number, "GB") is None] == []


def test_some_share_a_number_and_unknown_numbers_are_nobodys():
    holders = Counter(to_e164(phone, "GB") for customer in CUSTOMERS for phone in customer.phones)

    assert sorted(count for count in holders.values() if count > 1) == [2, 2]
    assert not {to_e164(number, "GB") for number, _ in UNKNOWN_NUMBERS} & holders.keys()


def test_they_come_in_every_tier_in_both_languages_by_every_channel():
    assert {customer.tier for customer in CUSTOMERS} == set(Tier)
    assert {customer.language for customer in CUSTOMERS} >= {"en", "zh"}
    contacts = {contact.channel for customer in CUSTOMERS for contact in customer.history}
    assert contacts >= {Channel.PHONE, Channel.EMAIL, Channel.WEB, Channel.FAX, Channel.LETTER, Channel.VISIT}


def test_most_callers_are_known_and_dial_numbers_that_exist():
    callers = demo_callers()
    known = {to_e164(customer.callers_id, "GB") for customer in CUSTOMERS}

    share = sum(caller.number is not None and to_e164(caller.number, "GB") in known for caller in callers) / len(callers)
    assert 0.8 < share < 0.95
    assert any(is_withheld(caller.number) for caller in callers)
    assert {did for caller in callers for did in caller.dids} <= demo_world().numbers.keys()


def test_past_calls_were_taken_by_agents_and_queues_of_the_demo():
    world = demo_world()
    contacts = [contact for customer in CUSTOMERS for contact in customer.history]

    assert {contact.agent for contact in contacts} - {None} <= {agent.extension for agent in world.agents}
    assert {contact.queue for contact in contacts} - {None} <= {queue.name for queue in world.queues}
