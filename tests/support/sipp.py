"""SIPp as callers and answering agents: an independent SIP implementation, and many calls at a rate.

Scenarios are in tests/pbx/sipp. Every run is bounded in calls and in time.
"""

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

from tests.support.pbx import Network

SCENARIOS = Path(__file__).parent.parent / "pbx" / "sipp"
SIP_PORT = 5060


class SippFailed(Exception):
    """Some calls did not go as the scenario says; the message ends with what SIPp printed."""


def why_no_sipp() -> str | None:
    """None where SIPp is installed, else one line saying how to get it."""
    return None if shutil.which("sipp") else "no sipp: `make machine` installs sip-tester as root on Debian"


async def call_by_sipp(
    network: Network,
    *,
    did: str,
    number: str,
    name: str = "Caller",
    stay_seconds: float = 1.0,
    calls: int = 1,
    rate: float = 10.0,
    limit_seconds: float = 20.0,
) -> None:
    """Call `did` over the trunk `calls` times, `rate` a second; each caller hangs up `stay_seconds` after the PBX's answer.

    `number` goes into the From user byte for byte. Returns when all calls have ended.

    Raises:
        SippFailed: a call was refused, cut off, or still there after `limit_seconds`.
    """
    options = ("-s", did, "-r", str(rate), "-key", "number", number, "-key", "name", name)
    process = await _start("caller.xml", network.sipp, stay_seconds, calls, limit_seconds, network.pbx, *options)

    await _end(process, limit_seconds)


@asynccontextmanager
async def agent_by_sipp(
    network: Network, extension: str, *, ring_seconds: float = 0.2, calls: int = 100, limit_seconds: float = 60.0
) -> AsyncIterator[None]:
    """The agent's phone as SIPp: it answers each call after `ring_seconds`, until the context ends."""
    address = network.phone(extension)
    process = await _start("agent.xml", address, ring_seconds, calls, limit_seconds)
    try:
        await listening_on(address)
        yield
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _start(scenario: str, local: str, pause_seconds: float, calls: int, limit_seconds: float, *arguments: str) -> Process:
    bounds = ("-m", str(calls), "-timeout", f"{limit_seconds:.0f}s", "-timeout_error")
    place = ("-i", local, "-p", str(SIP_PORT), "-mi", local)
    pause = ("-d", str(int(pause_seconds * 1000)))
    return await asyncio.create_subprocess_exec(
        "sipp", *arguments, "-sf", str(SCENARIOS / scenario), *place, *bounds, *pause, "-nostdin", stdout=PIPE, stderr=STDOUT
    )


async def _end(process: Process, limit_seconds: float) -> None:
    try:
        async with asyncio.timeout(limit_seconds + 5):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise SippFailed(f"sipp ended with {process.returncode}:\n{output.decode(errors='replace')[-3000:]}")


async def listening_on(address: str) -> None:
    """SIPp says nowhere that it is ready; the kernel's table of UDP sockets does."""
    number = int.from_bytes(IPv4Address(address).packed, sys.byteorder)
    entry = f" {number:08X}:{SIP_PORT:04X} "
    async with asyncio.timeout(5):
        while entry not in Path("/proc/net/udp").read_text():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(0.02)
