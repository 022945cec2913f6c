"""The documented dialplan (docs/asterisk.md) asks the routing rules, and serves the caller whatever becomes of the answer."""

import pytest

from tests.support.fake_agi import Mood, fake_agi
from tests.support.pbx_lab import Lab, first_ring
from tests.support.sip_call import CallState

pytestmark = pytest.mark.pbx


async def _queue_and_seconds(lab: Lab) -> tuple[str, float]:
    """The queue that the customer of the asking DID joins, and how long the asking took by the PBX's clock."""
    asked = await lab.driver.event("Newexten", Application="AGI")
    joined = await lab.driver.event("QueueCallerJoin")
    return joined["Queue"], float(joined["Timestamp"]) - float(asked["Timestamp"])


async def test_rules_choose_queue_and_priority(lab: Lab) -> None:
    carrier = await lab.carrier()

    async with fake_agi(lab.network.service, Mood.ANSWERS, {"CTI_PRIORITY": "7", "CTI_QUEUE": "sales"}) as agi:
        carrier.call("8500", number="+31612345678")
        queue, seconds = await _queue_and_seconds(lab)

    (question,) = agi.questions
    assert (question["agi_network_script"], question["agi_callerid"]) == ("route?did=8500&customer=", "+31612345678")
    assert queue == "sales"
    assert seconds < 0.5
    entries = await lab.driver.action("QueueStatus", Queue="sales")
    assert [entry["Priority"] for entry in entries if entry.get("Event") == "QueueEntry"] == ["7"]


@pytest.mark.parametrize(
    ("mood", "at_least", "at_most"),
    [
        pytest.param(Mood.DOWN, 0.0, 0.5, id="down"),
        pytest.param(Mood.SILENT, 0.0, 0.5, id="silent"),
        pytest.param(Mood.HUNG, 0.5, 1.5, id="hung"),
        pytest.param(Mood.DEAF, 1.9, 3.5, id="deaf"),  # Asterisk's own limit for connecting
    ],
)
async def test_caller_is_served_by_the_default_queue(lab: Lab, mood: Mood, at_least: float, at_most: float) -> None:
    carrier, phones = await lab.carrier(), [await lab.phone(extension) for extension in ("1001", "1002", "1003")]

    async with fake_agi(lab.network.service, mood):
        customer = carrier.call("8500", number="0612345678")
        queue, seconds = await _queue_and_seconds(lab)
        agent = await first_ring(*phones)
        agent.answer()
        await lab.driver.event("AgentConnect")

    assert queue == "support"
    assert at_least <= seconds <= at_most
    assert customer.state is CallState.TALKING
    assert await lab.value_of(await lab.channel_of("trunk"), "TIMEOUT(absolute)") == "0"


async def test_asterisk_lets_go_of_a_hung_service(lab: Lab) -> None:
    carrier = await lab.carrier()

    async with fake_agi(lab.network.service, Mood.HUNG) as agi:
        carrier.call("8500", number="0612345678")
        await _queue_and_seconds(lab)
        await agi.given_up()

    assert len(agi.questions) == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"CTI_QUEUE": "no-such-queue"}, id="unknown queue"),
        pytest.param({"CTI_QUEUE": "vip,tT,,,1"}, id="more than a name"),
        pytest.param({"CTI_PRIORITY": "9"}, id="no queue"),
    ],
)
async def test_an_answer_that_names_no_queue_of_the_pbx_is_not_followed(lab: Lab, answer: dict[str, str]) -> None:
    carrier = await lab.carrier()

    async with fake_agi(lab.network.service, Mood.ANSWERS, answer):
        carrier.call("8500", number="0612345678")
        queue, _ = await _queue_and_seconds(lab)

    assert queue == "support"


async def test_caller_may_hang_up_while_the_rules_are_asked(lab: Lab) -> None:
    carrier = await lab.carrier()

    async with fake_agi(lab.network.service, Mood.HUNG) as agi:
        customer = carrier.call("8500", number="0612345678")
        await customer.answered()
        await lab.driver.event("Newexten", Application="AGI")
        customer.hang_up()
        await agi.given_up()
        await lab.driver.event("Hangup")

    assert [event for event in lab.driver.events if event["Event"] == "QueueCallerJoin"] == []


async def test_forged_lines_do_not_reach_the_question(lab: Lab) -> None:
    carrier = await lab.carrier()

    async with fake_agi(lab.network.service, Mood.SILENT) as agi:
        carrier.call("8500", from_header=f"<sip:0612%0Aagi_dnid%3A%208001@{lab.network.carrier}>")
        await _queue_and_seconds(lab)

    (question,) = agi.questions
    assert (question["agi_callerid"], question["agi_dnid"]) == ("06128001", "8500")
