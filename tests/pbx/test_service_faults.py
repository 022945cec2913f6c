"""The service when the link, the PBX or the secret fails, and when a caller lies: calls go on and are recorded once."""

import signal
from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from cti_bridge.ami.shapes import INJECTION_BUDGET
from tests.support.cti_client import until
from tests.support.pbx import SERVICE
from tests.support.pbx_lab import Lab
from tests.support.service import CONNECTIONS, Service, Site, running_service, service_process
from tests.support.sip_call import CallState
from tests.support.sipp import call_by_sipp

pytestmark = pytest.mark.pbx

NUMBER = "02079460018"


async def test_link_cut_in_mid_call_keeps_the_call(lab: Lab, service: Service) -> None:
    account = await service.site.customer("Marta Silva", NUMBER)
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()
    supervisor = await service.person("sam")

    customer = carrier.call("8100", number=NUMBER)
    (await phone.next_call()).answer()
    call_id = (await alice.event("call.answered"))["call"]["call_id"]
    await lab.cut(SERVICE)
    told = await supervisor.event("link.state", where=lambda event: event["links"][0]["counters"]["reconnects"] == 1)
    await service.connected()
    (live,) = (await supervisor.get("/calls"))["items"]
    customer.hang_up()
    call = await supervisor.stored(call_id)

    assert (live["call_id"], live["talking"]) == (call_id, ["1001"])
    assert told["links"][0]["name"] == "main"
    assert (call["outcome"], call["answered_by"], call["hung_up_by"]) == ("answered", ["1001"], "customer")
    (contact,) = (await alice.get(f"/accounts/{account.account_id}/timeline"))["items"]
    assert contact["call_id"] == call_id
    assert len(alice.events("pop")) == 1


async def test_call_answered_while_the_link_is_away_is_found_again(lab: Lab, service: Service) -> None:
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()

    customer = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    call_id = (await alice.event("pop"))["call"]["call_id"]
    await lab.cut(SERVICE)
    agent.answer()
    await customer.answered()
    answered = await alice.event("call.answered")
    customer.hang_up()
    call = await (await service.person("sam")).stored(call_id)

    assert answered["call"]["call_id"] == call_id
    assert (call["outcome"], call["answered_by"]) == ("answered", ["1001"])


async def test_pbx_killed_in_mid_call_ends_the_call_as_estimated(lab: Lab, service: Service) -> None:
    alice, phone, carrier = await service.agent("1001"), await lab.phone("1001"), await lab.carrier()
    supervisor = await service.person("sam")

    carrier.call("8100", number=NUMBER)
    (await phone.next_call()).answer()
    call_id = (await alice.event("call.answered"))["call"]["call_id"]
    lab.pbx.kill()
    await supervisor.event("link.state", where=lambda event: event["links"][0]["state"] == "disconnected")
    ready = await service.readiness()
    back_at = datetime.now(UTC)
    lab.pbx.start()
    call = await supervisor.stored(call_id)

    assert (call["outcome"], call["estimated"]) == ("answered", True)
    assert datetime.fromisoformat(call["answered_at"]) < datetime.fromisoformat(call["ended_at"]) < back_at
    assert (await supervisor.get("/calls"))["items"] == []
    assert ready["status"] == "degraded"


@pytest.mark.usefixtures("sipp")
async def test_forged_event_is_counted_told_and_not_acted_upon(lab: Lab, site: Site) -> None:
    await lab.only("support", "1001")
    async with service_process(lab, site) as service:
        await service.connected()
        alice, supervisor = await service.agent("1001"), await service.person("sam")
        phone, carrier = await lab.phone("1001"), await lab.carrier()
        honest = carrier.call("8100", number=NUMBER)
        (await phone.next_call()).answer()
        honest_id = (await alice.event("call.answered"))["call"]["call_id"]

        # The caller tries to end somebody's call on our screens; test_laboratory.py shows such an event on the wire.
        forged = f"06\r\n\r\nEvent: Hangup\r\nUniqueid: {honest_id.partition(':')[2]}\r\n\r\nA: b"
        assert len(forged) < INJECTION_BUDGET
        await call_by_sipp(lab.network, did="8002", number=quote(forged))
        ended = (await supervisor.event("call.ended"))["call"]
        told = await service.logged("ami.forged")
        (link,) = (await supervisor.get("/links"))["items"]
        (live,) = (await supervisor.get("/calls"))["items"]

        assert link["counters"]["forged"] > 0
        assert (link["state"], told["pbx"]) == ("connected", "main")
        assert (live["call_id"], live["talking"], honest.state) == (honest_id, ["1001"], CallState.TALKING)
        assert (ended["outcome"], ended["queue"], ended["untrusted_caller"]) == ("abandoned", "sales", True)
        assert [event["call"]["call_id"] for event in supervisor.events("call.ended")] == [ended["call_id"]]
        service.signal(signal.SIGTERM)
        assert await service.ended() == 0


async def test_wrong_secret_is_told_in_plain_words_until_it_is_mended(lab: Lab, site: Site) -> None:
    secrets = lab.pbx.folder / "etc" / "manager.conf"
    right = secrets.read_text()
    secrets.write_text(right.replace(f"secret = {SERVICE.secret}", "secret = another"))
    lab.pbx.command("manager reload")
    try:
        async with running_service(lab, site) as service:
            supervisor = await service.person("sam")
            refused = await supervisor.event("link.state", where=lambda event: event["links"][0]["state"] == "refused")
            ready = await service.readiness()

            secrets.write_text(right)
            lab.pbx.command("manager reload")
            mended = await supervisor.event(
                "link.state", seconds=20, where=lambda event: event["links"][0]["state"] == "connected"
            )
    finally:
        secrets.write_text(right)
        lab.pbx.command("manager reload")

    assert "check username and secret against [cti] in manager.conf" in refused["links"][0]["detail"]
    assert SERVICE.secret not in str(refused)
    assert ready["status"] == "degraded"
    assert mended["links"][0]["counters"]["reconnects"] == 1


async def test_service_ends_clean_on_sigterm(lab: Lab, site: Site) -> None:
    async with service_process(lab, site) as service:
        await service.connected()
        service.signal(signal.SIGTERM)

        assert await service.ended() == 0
        await service.logged("service.stopped")
        assert [line for line in service.log if line["event"] == "not json" or line.get("level") in {"error", "critical"}] == []

    async def gone() -> bool:
        return await lab.sessions_of(SERVICE) == []

    await until(gone)


async def test_service_killed_in_mid_call_finds_the_call_again(lab: Lab, site: Site) -> None:
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    async with service_process(lab, site) as service:
        await service.connected()
        alice = await service.agent("1001")
        customer = carrier.call("8100", number=NUMBER)
        (await phone.next_call()).answer()
        call_id = (await alice.event("call.answered"))["call"]["call_id"]
        service.signal(signal.SIGKILL)
        await service.ended()

    async with service_process(lab, site) as service:
        await service.connected()
        supervisor = await service.person("sam")
        (live,) = (await supervisor.get("/calls"))["items"]
        customer.hang_up()
        call = await supervisor.stored(call_id)

        assert (live["call_id"], live["talking"]) == (call_id, ["1001"])
        assert (call["outcome"], call["answered_by"], call["estimated"]) == ("answered", ["1001"], False)
        assert len((await supervisor.get("/interactions"))["items"]) == 1
        assert len(await lab.sessions_of(SERVICE)) == CONNECTIONS
