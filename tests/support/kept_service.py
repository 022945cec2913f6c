"""The service as a program that is started again whenever it ends, as systemd keeps it; and ways to end it.

Its log goes to a file, so that a test process that is busy never holds it up.
"""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.cti_client import until

READY_SECONDS = 30.0


class ServiceEnded(Exception):
    """The service ended although nobody had ended it; the message ends with its log."""


@dataclass(slots=True)
class KeptService:
    """Made by `kept_service`. `base` is its address, the same after every start."""

    config: Path
    base: str
    log: Path
    started_at: list[float] = field(default_factory=list)
    """When each process was started, in monotonic seconds."""
    _process: Process | None = None
    _killed: set[int] = field(default_factory=set)

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was never started"
        return self._process.pid

    async def keep(self) -> None:
        """Starts it, and again at once when it was killed, until cancelled.

        Raises:
            ServiceEnded: it ended by itself.
        """
        while True:
            code = await self._live()
            if self.pid not in self._killed:
                raise ServiceEnded(f"exit {code}:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> int:
        """Ends it as a power cut does; gives the process's id."""
        assert self._process is not None, "it was never started"
        self._killed.add(self.pid)
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        return self.pid

    async def ready(self) -> None:
        """Waits until it is connected with the PBX and knows its state (/readyz says ok)."""
        async with aiohttp.ClientSession() as http:

            async def is_ready() -> bool:
                try:
                    async with http.get(f"{self.base}/readyz") as response:
                        document: dict[str, Any] = await response.json()
                except (aiohttp.ClientError, OSError):
                    return False
                checks = {check["name"]: check for check in document["checks"]}
                return checks["pbx main"]["ok"] and "complete" in checks["pbx main"]["detail"]

            await until(is_ready, seconds=READY_SECONDS)

    async def _live(self) -> int:
        with self.log.open("ab") as log:
            self.started_at.append(time.monotonic())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "cti_bridge", "run", "--config", str(self.config),
                stdout=log, stderr=STDOUT, env=os.environ, cwd=Path(__file__).parents[2],
            )  # fmt: skip
        return await self._process.wait()

    async def end(self) -> None:
        """Ends it for good, orderly if it obeys."""
        if self._process is None or self._process.returncode is not None:
            return
        self._killed.add(self.pid)
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), READY_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def kept_service(config: Path, base: str, log: Path) -> AsyncIterator[KeptService]:
    """The service, running and connected to its PBX; what ends it by itself ends the block too."""
    service = KeptService(config, base, log)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(service.keep(), name="keeping the service up")
        try:
            await service.ready()
            yield service
        finally:
            keeping.cancel()
            await service.end()
