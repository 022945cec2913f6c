"""The program as a process: started, told to stop by signals, refused an address, cut off its reader."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from cti_bridge.ami.trace import read_trace
from tests.support.running import ZOE, call_centre, eventually
from tests.support.simulated_pbx import TRACES, a_pbx

SETTINGS = """
[server]
port = {port}
[database]
url = "sqlite+aiosqlite:///{folder}/cti.db"
[routing]
file = "{folder}/routing.yaml"
[fastagi]
port = 0
[[pbx]]
name = "main"
port = {pbx_port}
username = "cti"
secret = "s3cret"
"""
ENDS_WITHIN_SECONDS = 5.0
STARTS_WITHIN_SECONDS = 40.0
"""On a machine that is busy with other tests."""


def config_in(folder: Path, *, pbx_port: int, port: int = 0) -> Path:
    file = folder / "cti.toml"
    file.write_text(SETTINGS.format(folder=folder, port=port, pbx_port=pbx_port))
    file.chmod(0o600)
    (folder / "routing.yaml").write_text("rules: []\ndefault: {queue: support}\n")
    return file


@asynccontextmanager
async def program(*arguments: str | Path, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m cti_bridge …`; killed where the test did not see to its end."""
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cti_bridge",
        *map(str, arguments),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_with(process: asyncio.subprocess.Process, wanted: str) -> str:
    """The next line of output that holds `wanted`."""
    assert process.stdout is not None
    async with asyncio.timeout(STARTS_WITHIN_SECONDS):
        async for line in process.stdout:
            if wanted in line.decode():
                return line.decode()
    raise AssertionError(f"the program ended without saying {wanted}")


async def ended(process: asyncio.subprocess.Process, *, within: float) -> tuple[str, str]:
    async with asyncio.timeout(within):
        out, err = await process.communicate()
    return out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_running_service_stops_clean_with_calls_and_browsers(tmp_path, number):
    async with (
        a_pbx(call_centre()) as pbx,
        program("run", "--config", config_in(tmp_path, pbx_port=pbx.port), folder=tmp_path) as process,
    ):
        started = json.loads(await line_with(process, "service.started"))
        await line_with(process, "ami.resynced")
        await pbx.call_in("8001", ZOE)
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{started['port']}/readyz") as answer,
        ):
            assert answer.status == 200

        process.send_signal(number)
        out, err = await ended(process, within=ENDS_WITHIN_SECONDS)

    assert (process.returncode, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    assert lines[-1]["event"] == "service.stopped"
    assert [line for line in lines if line["level"] == "error"] == []


async def test_a_taken_address_is_one_plain_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = config_in(tmp_path, pbx_port=1, port=port)
        async with program("run", "--config", config, folder=tmp_path) as process:
            _, err = await ended(process, within=STARTS_WITHIN_SECONDS)

    assert process.returncode == 1
    assert re.fullmatch(rf"cti-bridge: .*{port}.*address already in use.*\n", err)


async def test_the_demo_greets_takes_calls_by_rules_and_stops_clean(tmp_path):
    async with program("demo", "--port", "0", "--callers", "600", folder=tmp_path) as process:
        greeting = await line_with(process, "cti-bridge demo: ")
        base = greeting.split()[2]
        assert "demo-demo" in await line_with(process, "alice")
        async with aiohttp.ClientSession() as http:
            body = {"username": "sam", "password": "demo-demo"}
            async with http.post(f"{base}/api/v1/session", json=body) as answer:
                token = (await answer.json())["token"]

            async def metric() -> float:
                async with http.get(f"{base}/metrics") as answer:
                    found = re.search(r'^cti_fastagi_total\{kind="answered"\} (\S+)$', await answer.text(), re.MULTILINE)
                return float(found[1]) if found else 0.0

            async def calls() -> list[object]:
                headers = {"Authorization": f"Bearer {token}"}
                async with http.get(f"{base}/api/v1/calls", headers=headers) as answer:
                    return (await answer.json())["items"]

            assert await eventually(calls)
            assert await eventually(metric) > 0

        process.send_signal(signal.SIGINT)
        out, err = await ended(process, within=ENDS_WITHIN_SECONDS)

    assert (process.returncode, err) == (0, "")
    assert out.endswith("Stopped. Good-bye.\n")
    assert "error" not in out.lower()
    assert (tmp_path / "demo").stat().st_mode & 0o077 == 0


async def test_record_writes_a_trace_that_replays_and_never_writes_over_one(tmp_path):
    trace = tmp_path / "trace.ami"
    async with a_pbx(call_centre()) as pbx:
        config = config_in(tmp_path, pbx_port=pbx.port)
        async with program("record", trace, "--config", config, folder=tmp_path) as process:
            await line_with(process, "ami.resynced")
            call = await pbx.call_in("8001", ZOE)
            await call.ringing()
            pbx.phone("1001").answer()
            await call.answered()
            call.hang_up()
            await call.ended()

            async def written() -> bool:
                return f"Uniqueid: {call.uniqueid}\r\nLinkedid: {call.uniqueid}\r\nCause: ".encode() in trace.read_bytes()

            await eventually(written)
            process.send_signal(signal.SIGINT)
            out, err = await ended(process, within=ENDS_WITHIN_SECONDS)
        async with program("record", trace, "--config", config, folder=tmp_path) as again:
            _, refused = await ended(again, within=STARTS_WITHIN_SECONDS)

    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1].startswith(f"Recorded {trace} (")
    assert [path.stat().st_mode & 0o777 for path in (trace, trace.with_suffix(".ts"))] == [0o600, 0o600]
    marks = [item.kind for item in read_trace(trace, trace.with_suffix(".ts")) if hasattr(item, "kind")]
    assert (marks[0], marks[-1]) == ("connecting", "end")
    assert again.returncode == 1
    assert refused.startswith("cti-bridge: ")
    assert "exists" in refused
    async with program("replay", trace, "--times", trace.with_suffix(".ts"), folder=tmp_path) as replayed:
        out, _ = await ended(replayed, within=STARTS_WITHIN_SECONDS)
    (document,) = [json.loads(line) for line in out.splitlines()]
    assert (document["call_id"], document["outcome"]) == (f"main:{call.uniqueid}", "answered")


async def test_output_that_nobody_reads_to_its_end_is_no_error(tmp_path):
    shell = f"{sys.executable} -m cti_bridge replay {TRACES / 'burst_40.ami'} --events | head -1"
    process = await asyncio.create_subprocess_shell(
        shell,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )

    out, err = await ended(process, within=STARTS_WITHIN_SECONDS)

    assert json.loads(out)["event"]
    assert err == ""
