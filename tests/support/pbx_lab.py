"""One test's laboratory on the running PBX: phones, the carrier, and AMI sessions, all gone and quiet again at its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from tests.support.ami_probe import AmiProbe, ami_probe
from tests.support.pbx import DRIVER, AmiAccount, Network, Pbx
from tests.support.sip_call import SipCall
from tests.support.sip_phone import SipPhone
from tests.support.sipp import agent_by_sipp

QUIET_SECONDS = 10.0
CARRIER = "carrier"
PHONES = ("1001", "1002", "1003", "1004", "1005", "1006", "1009", CARRIER)
OFF = 480
"""SIP "temporarily unavailable"."""
SESSION_COLUMN = 4
"""Of `manager show connected`: the session's file descriptor."""


class Lab:
    """Made by `open_lab`. `driver` is an AMI session with all rights that has been reading since before the test."""

    def __init__(self, pbx: Pbx, driver: AmiProbe, phones: dict[str, SipPhone], stack: AsyncExitStack) -> None:
        self.pbx = pbx
        self.driver = driver
        self._phones = phones
        self._stack = stack
        self._log_began = pbx.log_size()

    @property
    def network(self) -> Network:
        return self.pbx.network

    async def phone(self, extension: str) -> SipPhone:
        """Switches the desk phone of an agent on, until the test ends."""
        phone = self._phones[extension]
        phone.rejects = None
        return phone

    async def carrier(self) -> SipPhone:
        """The trunk's far end: customers call from it and are called on it."""
        return await self.phone(CARRIER)

    @asynccontextmanager
    async def agent_by_sipp(self, extension: str, *, ring_seconds: float = 0.2) -> AsyncIterator[None]:
        """The agent's phone as SIPp, see there."""
        self._phones[extension].close()
        async with agent_by_sipp(self.network, extension, ring_seconds=ring_seconds):
            yield

    async def session(self, account: AmiAccount, *, events: str = "on") -> AmiProbe:
        """A further AMI session."""
        return await self._stack.enter_async_context(ami_probe(self.network.pbx, account.username, account.secret, events=events))

    async def channel_of(self, extension: str) -> str:
        """The name of the one channel that the endpoint has now."""
        (channel,) = [name for name in await self.driver.channels() if name.startswith(f"PJSIP/{extension}-")]
        return channel

    async def through(self, extension: str) -> None:
        """Waits until the phone's one call is through: SIP says "answered" some milliseconds before both sides are bridged."""
        async with asyncio.timeout(QUIET_SECONDS):
            while True:
                items = await self.driver.action("CoreShowChannels")
                bridge_of = {item["Channel"]: item.get("BridgeId") for item in items if "Channel" in item}
                (bridge,) = [bridge for name, bridge in bridge_of.items() if name.startswith(f"PJSIP/{extension}-")]
                if bridge and list(bridge_of.values()).count(bridge) == 2:
                    return

    async def value_of(self, channel: str, variable: str) -> str:
        """A channel's variable or dialplan function, as `TIMEOUT(absolute)`."""
        (answer,) = await self.driver.action("Getvar", Channel=channel, Variable=variable)
        return answer["Value"]

    async def sessions_of(self, account: AmiAccount) -> list[str]:
        """The file descriptors of the account's AMI sessions."""
        (answer,) = await self.driver.action("Command", Command="manager show connected")
        lines = (line.split() for line in answer["Output"].splitlines())
        return [fields[SESSION_COLUMN] for fields in lines if fields and fields[0] == account.username]

    async def cut(self, account: AmiAccount) -> None:
        """Cut every AMI session of the account, as a broken link does; the PBX and its calls go on."""
        for session in await self.sessions_of(account):
            await self.driver.action("Command", Command=f"manager kick session {session}")

    async def only(self, queue: str, extension: str) -> None:
        """Pauses the queue's other members until the test ends: this phone rings."""
        for item in await self.driver.action("QueueStatus", Queue=queue):
            if item.get("Event") == "QueueMember" and item["StateInterface"] != f"PJSIP/{extension}":
                await self.driver.action("QueuePause", Queue=queue, Interface=item["Location"], Paused="true")

    def log(self) -> str:
        """What Asterisk has logged since the test began."""
        return self.pbx.log_since(self._log_began)


@asynccontextmanager
async def open_lab(pbx: Pbx) -> AsyncIterator[Lab]:
    """A laboratory for one test; at its end the PBX runs, every channel is hung up, and every queue member unpaused.

    Phones that a test does not switch on are there and refuse: Asterisk repeats an INVITE that nobody answers for half a minute,
    and would so ring a phone of the next test for a call of this one.
    """
    async with AsyncExitStack() as stack:
        phones = {name: SipPhone(address=pbx.network.address_of(name), user=name, pbx=pbx.network.pbx) for name in PHONES}
        for phone in phones.values():
            phone.rejects = OFF
            await stack.enter_async_context(phone)
        async with ami_probe(pbx.network.pbx, DRIVER.username, DRIVER.secret) as driver:
            yield Lab(pbx, driver, phones, stack)
        if not pbx.is_running:
            pbx.start()
        async with ami_probe(pbx.network.pbx, DRIVER.username, DRIVER.secret, events="off") as last:
            await _make_quiet(last)


async def first_ring(*phones: SipPhone, seconds: float = 10.0) -> SipCall:
    """The first call that rings on any of the phones: a queue chooses among its free members.

    Raises:
        TimeoutError: none rang within `seconds`.
    """
    loop = asyncio.get_running_loop()
    waiting = {loop.create_task(phone.next_call(None)): phone for phone in phones}
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
    first, *others = [task.result() for task in waiting if task.done() and not task.cancelled()]
    for call in others:  # a queue may ring several at once
        call.phone.put_back(call)
    return first


async def _make_quiet(driver: AmiProbe) -> None:
    async with asyncio.timeout(QUIET_SECONDS):
        while channels := await driver.channels():
            for channel in channels:
                await driver.action("Hangup", Channel=channel)
            await asyncio.sleep(0.05)
        for item in await driver.action("QueueStatus"):
            if item.get("Paused") == "1":
                await driver.action("QueuePause", Queue=item["Queue"], Interface=item["Location"], Paused="false")
