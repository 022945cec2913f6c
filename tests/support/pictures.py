"""The pictures of the README: a working day around the one call that the end-to-end test makes, and the screens in it.

What comes in: the laboratory, the running service, a browser that shows the agent in the call. What goes out: two PNG files.
Only `CTI_PICTURES=FOLDER` makes them, so that a test run changes nothing in the checkout; it takes about four minutes:
`CTI_PICTURES=docs/images pytest -o timeout=600 tests/browser/test_end_to_end.py`. Chinese names need a font (fonts-noto-cjk).
"""

import asyncio
import itertools
from datetime import datetime, timedelta
from pathlib import Path

import uuid_utils
from playwright.async_api import Browser, Page, expect

from cti_bridge.app import Application
from cti_bridge.demo import PASSWORD
from cti_bridge.domain.call import CallId, CallState, Direction, Extension, Outcome, Party
from cti_bridge.domain.interaction import Channel, Interaction, InteractionId
from tests.support import page_data
from tests.support.pbx_lab import Lab, first_ring
from tests.support.service import Service
from tests.support.sip_call import SipCall
from tests.support.sip_phone import SipPhone

HOLD_SECONDS, WAIT_SECONDS = 40.0, 17.0
"""What the board shows of the calls that are on, about."""
RING_SECONDS = (1.0, 4.2, 2.0, 3.0)
"""How long agents let it ring, in turn."""
EARLIER = (
    (9, "Katie Summers", "+441914980111", 142, "resolved", "Voucher code sent again by e-mail."),
    (24, "Bruce Callaghan", "+61255501234", 311, "sale", "Freight quote accepted."),
    (41, "林晓", "+441214960888", 96, "information", None),
    (58, "Isla Campbell", "+441414960777", 187, "call_back", "Rings back with the meter reading."),
    (83, "何平", "+442079460911", 254, "resolved", None),
)
"""Alice's calls of this morning: minutes ago, who, from where, seconds of talk, disposition, note."""
CALLERS = (
    ("George Pemberton", "01184960350"), ("王建国", "02079460121"), ("Katie Summers", "01914980111"), ("林晓", "01214960888"),
    ("Isla Campbell", "01414960777"), ("何平", "02079460911"), ("Tom Reed", "02079460333"), ("郭婷", "02920180650"),
)  # fmt: skip


async def remember_morning(application: Application, now: datetime) -> None:
    """Puts Alice's earlier calls on the customers' accounts."""
    for minutes, name, number, seconds, disposition, note in EARLIER:
        call_id = CallId(f"main:{now.timestamp() - minutes * 60:.0f}.1")
        call = page_data.call(
            call_id,
            state=CallState.ENDED,
            number=number,
            name=name,
            answered_by=("1001",),
            started=minutes * 60,
            talk_s=seconds,
            hung_up_by=Party.CUSTOMER,
            outcome=Outcome.ANSWERED,
        )
        (candidate, *_) = await application.accounts.by_phone(number)
        started = now - timedelta(minutes=minutes)
        await application.interactions.add(
            Interaction(
                interaction_id=InteractionId(str(uuid_utils.uuid7())),
                account_id=candidate.account.account_id,
                channel=Channel.PHONE,
                direction=Direction.INBOUND,
                started_at=started,
                ended_at=started + timedelta(seconds=seconds),
                agent=Extension("1001"),
                queue="support",
                outcome=Outcome.ANSWERED.value,
                subject=None,
                disposition=disposition,
                note=note,
                call_id=call_id,
                call=call,
            ),
            idempotency_key=None,
        )


async def take_pictures(folder: Path, *, lab: Lab, service: Service, desk: Page, browser: Browser, carrier: SipPhone) -> None:
    """Fills the call centre with calls while the agent talks, then takes both screens."""
    floor = await _Floor.opened(lab, carrier)
    await asyncio.gather(floor.handle("8001", answered=21), floor.handle("8002", answered=15))
    given_up = floor.call("8002")
    await asyncio.sleep(6)
    given_up.hang_up()
    sam = await service.person("sam")
    await sam.put("/agents/1005/state", {"status": "paused", "reason": "lunch"})
    await floor.answered("8001")
    await (await floor.answered("8001")).hold()
    await floor.answered("8002")
    await asyncio.sleep(HOLD_SECONDS)
    floor.call("8001")
    await asyncio.sleep(WAIT_SECONDS)
    await desk.mouse.move(0, 0)
    await desk.screenshot(path=folder / "agent-desktop.png")
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    board = await context.new_page()
    await board.goto(f"{service.base}/login")
    await board.fill("#username", "sam")
    await board.fill("#password", PASSWORD)
    await board.keyboard.press("Enter")
    await expect(board.locator("#queues tbody tr").first).to_be_visible()
    await expect(board.locator("#live-calls tbody tr").first).to_be_visible()
    await board.screenshot(path=folder / "supervisor-board.png")
    await context.close()


class _Floor:
    """The other agents' phones and the callers."""

    def __init__(self, carrier: SipPhone, phones: dict[str, list[SipPhone]]) -> None:
        self.phones = phones
        self._carrier = carrier
        self._callers = itertools.cycle(CALLERS)
        self._rings = itertools.cycle(RING_SECONDS)

    @classmethod
    async def opened(cls, lab: Lab, carrier: SipPhone) -> "_Floor":
        for item in await lab.driver.action("QueueStatus"):
            if item.get("Paused") == "1":
                await lab.driver.action("QueuePause", Queue=item["Queue"], Interface=item["Location"], Paused="false")
        support = [await lab.phone(extension) for extension in ("1002", "1003")]
        sales = [await lab.phone(extension) for extension in ("1004", "1005", "1006")]
        return cls(carrier, {"8001": support, "8002": sales})

    def call(self, did: str) -> SipCall:
        name, number = next(self._callers)
        return self._carrier.call(did, number=number, name=name)

    async def answered(self, did: str) -> SipCall:
        """A call that goes on; gives the agent's side."""
        customer = self.call(did)
        agent = await first_ring(*self.phones[did])
        await asyncio.sleep(next(self._rings))
        agent.answer()
        await customer.answered()
        return agent

    async def handle(self, did: str, *, answered: int) -> None:
        """Calls that come, are answered, and go."""
        for _ in range(answered):
            agent = await self.answered(did)
            await asyncio.sleep(0.5)
            agent.hang_up()
            await agent.ended()
            await asyncio.sleep(0.5)
