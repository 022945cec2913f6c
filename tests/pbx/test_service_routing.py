"""The documented dialplan asks the running service; when that is down, hung or silent, the caller is served all the same."""

import signal

import pytest

from tests.support.pbx_lab import Lab
from tests.support.service import Service, Site, running_service, service_process

pytestmark = pytest.mark.pbx

NUMBER = "02079460018"


async def test_rule_chooses_the_queue_and_the_pop_says_why(lab: Lab, service: Service) -> None:
    await service.site.customer("Marta Silva", NUMBER)
    await lab.only("sales", "1005")
    eva, phone, carrier = await service.agent("1005"), await lab.phone("1005"), await lab.carrier()

    carrier.call("8500", number=NUMBER)
    await phone.next_call()
    pop = await eva.event("pop")
    waiting = [item for item in await lab.driver.action("QueueStatus", Queue="sales") if item.get("Event") == "QueueEntry"]

    assert (pop["routing"]["rule"], pop["routing"]["queue"], pop["routing"]["priority"]) == ("best-customers-first", "sales", 7)
    assert "gold" in pop["routing"]["reason"]
    assert (pop["call"]["queue"], pop["call"]["did"]) == ("sales", "8500")
    assert [entry["Priority"] for entry in waiting] == ["7"]


async def test_what_the_caller_types_shows_the_account_and_chooses_the_queue(lab: Lab, service: Service) -> None:
    """The documented DID that asks for the customer number; the telephone's own number is nobody's."""
    await service.site.customer("Marta Silva", NUMBER, own_number="4711")
    await lab.only("sales", "1005")
    eva, phone, carrier = await service.agent("1005"), await lab.phone("1005"), await lab.carrier()

    customer = carrier.call("8600", number="02079460999")
    await customer.answered()
    await lab.driver.event("Newexten", Application="Read")
    await customer.press("4711#")
    await phone.next_call()
    pop = await eva.event("pop")

    assert (pop["account"]["name"], pop["lookup"]) == ("Marta Silva", "found")
    assert [(one["reason"], one["detail"]["entered"]) for one in pop["candidates"]] == [("customer_number_entered", "4711")]
    assert (pop["routing"]["rule"], pop["call"]["queue"], pop["call"]["did"]) == ("best-customers-first", "sales", "8600")
    assert pop["call"]["customer_number"] == "+442079460999"


async def test_other_callers_take_the_default_rule(lab: Lab, service: Service) -> None:
    await lab.only("support", "1001")
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

    carrier.call("8500", number=NUMBER)
    await phone.next_call()
    pop = await alice.event("pop")

    assert (pop["routing"]["rule"], pop["call"]["queue"], pop["lookup"]) == ("default", "support", "unknown")


async def test_without_good_rules_the_dialplans_queue_serves(lab: Lab, site: Site) -> None:
    """FastAGI then answers nothing: the silent case of the table in docs/asterisk.md."""
    await lab.only("support", "1001")
    (site.folder / "routing.yaml").write_text("rules: [")
    async with running_service(lab, site) as service:
        await service.connected()
        alice, admin = await service.agent("1001"), await service.person("admin")
        phone, carrier = await lab.phone("1001"), await lab.carrier()

        carrier.call("8500", number=NUMBER)
        await phone.next_call()
        pop = await alice.event("pop")

        assert (pop["routing"], pop["call"]["queue"]) == (None, "support")
        assert (await admin.get("/routing"))["problems"] != []


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["hung", "down"])
async def test_caller_is_served_by_the_default_queue(lab: Lab, site: Site, how: signal.Signals) -> None:
    await site.customer("Marta Silva", NUMBER)
    await lab.only("support", "1001")
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    async with service_process(lab, site) as service:
        await service.connected()
        service.signal(how)

        customer = carrier.call("8500", number=NUMBER)
        asked = await lab.driver.event("Newexten", Application="AGI")
        joined = await lab.driver.event("QueueCallerJoin")
        (await phone.next_call()).answer()
        await customer.answered()

        assert joined["Queue"] == "support"
        assert float(joined["Timestamp"]) - float(asked["Timestamp"]) < 1.5


async def test_service_that_was_hung_catches_up(lab: Lab, site: Site) -> None:
    """What happened while it stood still is in the socket: the call is recorded, and no pop names a rule that did not decide."""
    await site.customer("Marta Silva", NUMBER)
    await lab.only("support", "1001")
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    async with service_process(lab, site) as service:
        await service.connected()
        supervisor, alice = await service.person("sam"), await service.agent("1001")
        service.signal(signal.SIGSTOP)
        customer = carrier.call("8500", number=NUMBER)
        (await phone.next_call()).answer()
        service.signal(signal.SIGCONT)
        await alice.event("call.answered")
        customer.hang_up()
        pop = await alice.event("pop")
        call = await supervisor.stored(pop["call"]["call_id"])

        assert (call["queue"], call["answered_by"], call["outcome"]) == ("support", ["1001"], "answered")
        assert pop["routing"] is None
