"""`cti-bridge record` beside the running service: the trace replays to the very call that the service stored."""

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cti_bridge.replay import replay_calls
from tests.support.cti_client import until
from tests.support.pbx import SERVICE
from tests.support.pbx_lab import Lab
from tests.support.service import CONNECTIONS, Service

pytestmark = pytest.mark.pbx

AT_MOST = timedelta(milliseconds=200)
"""Two processes read the same event at two times."""


@asynccontextmanager
async def recording(lab: Lab, service: Service, trace: Path) -> AsyncIterator[None]:
    """`cti-bridge record` until the context ends; from its beginning on everything is in the trace."""
    recorder = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cti_bridge", "record", "--config", str(service.site.config), str(trace), stdout=PIPE
    )
    assert recorder.stdout is not None

    async def has_both_connections() -> bool:
        return len(await lab.sessions_of(SERVICE)) == 2 * CONNECTIONS

    try:
        await until(has_both_connections)
        while b"ami.resynced" not in await recorder.stdout.readline():
            pass
        yield
        recorder.send_signal(signal.SIGINT)
        await asyncio.wait_for(recorder.communicate(), 10)
        assert recorder.returncode == 0
    finally:
        if recorder.returncode is None:
            recorder.kill()
            await recorder.communicate()


async def test_recorded_trace_replays_to_the_stored_call(lab: Lab, service: Service) -> None:
    trace = service.site.folder / "call.ami"
    await lab.only("support", "1001")
    phone, carrier, supervisor = await lab.phone("1001"), await lab.carrier(), await service.person("sam")

    async with recording(lab, service, trace):
        customer = carrier.call("8001", number="02079460018", name="Zoë 张伟")
        agent = await phone.next_call()
        agent.answer()
        await supervisor.event("call.answered")
        await agent.hold()
        await supervisor.event("call.held")
        await agent.resume()
        await supervisor.event("call.resumed")
        customer.hang_up()
        ended = await supervisor.event("call.ended")
        stored = await supervisor.stored(ended["call"]["call_id"])

    (replayed,) = replay_calls(trace, trace.with_suffix(".ts"), pbx="main", region="GB", internal=re.compile("^[1-9][0-9]{2,4}$"))
    for key in ("started_at", "answered_at", "ended_at"):
        apart = datetime.fromisoformat(replayed.pop(key)) - datetime.fromisoformat(stored.pop(key))
        assert abs(apart) < AT_MOST, key
    for key in ("wait_s", "talk_s", "hold_s"):
        assert replayed.pop(key) == pytest.approx(stored.pop(key), abs=AT_MOST.total_seconds()), key
    assert replayed == stored
    assert trace.stat().st_mode & 0o077 == 0
