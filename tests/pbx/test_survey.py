"""A survey after the call, as docs/asterisk.md has it: the customer's key becomes the score of the contact."""

import pytest

from tests.support.pbx_lab import Lab, first_ring
from tests.support.service import Service

pytestmark = pytest.mark.pbx

NUMBER = "02079460018"


@pytest.mark.parametrize(("keys", "score"), [("4", 4), ("9", None)])
async def test_the_customers_key_after_the_agent_hung_up_is_the_score(
    lab: Lab, service: Service, keys: str, score: int | None
) -> None:
    account = await service.site.customer("Zoë", NUMBER)
    await lab.only("support", "1001")
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    alice, supervisor = await service.agent("1001"), await service.person("sam")

    customer = carrier.call("8031", number=NUMBER)
    agent = await first_ring(phone)
    agent.answer()
    await alice.event("call.answered")
    await lab.through("1001")
    agent.hang_up()
    await lab.driver.event("Newexten", Application="Read")
    await customer.press(keys)
    await customer.ended()
    ended = await supervisor.event("call.ended")
    call = await supervisor.stored(ended["call"]["call_id"])

    (contact,) = (await supervisor.get(f"/accounts/{account.account_id}/timeline"))["items"]
    assert call["outcome"] == "answered"
    assert (contact["satisfaction"] and contact["satisfaction"]["score"]) == score
    if score is not None:
        assert (contact["satisfaction"]["source"], contact["satisfaction"]["by"]) == ("survey", "main")
