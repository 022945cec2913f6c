"""`cti-bridge audit` on the records of a real PBX: nothing wrong where the service saw everything, and what it slept through."""

import json
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.cti_client import until
from tests.support.pbx_lab import Lab
from tests.support.service import Site, running_service

pytestmark = pytest.mark.pbx

RECORD = """
[pbx.record]
cel_csv = "{pbx.cel_csv}"
queue_log = "{pbx.queue_log}"
"""
NUMBER = "02079460018"


async def audit(site: Site, *arguments: str) -> tuple[int | None, dict[str, Any]]:
    """The command as a program: its exit code, and its result."""
    command = (sys.executable, "-m", "cti_bridge", "audit", "--config", str(site.config), "--json", *arguments)
    process = await create_subprocess_exec(*command, stdout=PIPE)
    out, _ = await process.communicate()
    (result,) = json.loads(out)["results"]
    return process.returncode, result


async def test_a_call_that_nobody_heard_of_is_found_and_brought_in(lab: Lab, site: Site) -> None:
    """The first call is seen, the second is made while no service runs."""
    site.config.write_text(site.config.read_text() + RECORD.format(pbx=lab.pbx))
    account = await site.customer("Marta Silva", NUMBER)
    phone, carrier = await lab.phone("1001"), await lab.carrier()
    since = datetime.now(UTC).isoformat()
    async with running_service(lab, site) as service:
        await service.connected()
        alice = await service.agent("1001")
        seen = carrier.call("8100", number=NUMBER)
        (await phone.next_call()).answer()
        call_id = (await alice.event("call.answered"))["call"]["call_id"]
        seen.hang_up()
        await alice.stored(call_id)

    unseen = carrier.call("8100", number=NUMBER)
    agent = await phone.next_call()
    agent.answer()
    await unseen.answered()
    await lab.through("1001")
    agent.hang_up()

    async def is_over() -> bool:
        _, result = await audit(site, "--since", since)
        return bool(result["calls"] == 2 and result["going_on"] == 0)

    await until(is_over, seconds=40)
    looked, found = await audit(site, "--since", since)
    mended, _ = await audit(site, "--since", since, "--repair")
    after, clean = await audit(site, "--since", since)

    assert (looked, mended, after) == (1, 0, 0)
    assert found["counts"] == {"lost": 1, "ghost": 0, "doubled": 0, "stuck": 0, "wrong": 0}
    assert (clean["calls"], clean["stored"], clean["findings"], clean["problems"]) == (2, 2, [], [])
    async with running_service(lab, site) as service:
        timeline = (await (await service.person("sam")).get(f"/accounts/{account.account_id}/timeline"))["items"]
    brought_in = timeline[0]["call"]
    assert len(timeline) == 2
    assert (brought_in["outcome"], brought_in["answered_by"], brought_in["hung_up_by"]) == ("answered", ["1001"], "agent")
    assert (brought_in["queue"], brought_in["did"], brought_in["estimated"]) == (timeline[1]["call"]["queue"], "8100", False)
