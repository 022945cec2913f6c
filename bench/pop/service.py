"""The service as it is run in production, with the bench's store and PBX: `python -m bench.pop.service DB PBX_PORT`."""

import asyncio
import sys
from pathlib import Path

from pydantic import SecretStr

from bench.pop.feeder import SECRET, USERNAME
from bench.store import url_of
from config.settings import (
    DatabaseSettings,
    FastAgiSettings,
    JournalSettings,
    LogSettings,
    NumberSettings,
    PbxSettings,
    RoutingSettings,
    ServerSettings,
    Settings,
)
from cti_bridge import logs
from cti_bridge.app import Application


def settings(file: Path, pbx_port: int) -> Settings:
    return Settings(
        server=ServerSettings(port=0),
        database=DatabaseSettings(url=url_of(file)),
        journal=JournalSettings(directory=file.parent / "journal"),
        numbers=NumberSettings(region="GB"),
        fastagi=FastAgiSettings(port=0),
        routing=RoutingSettings(file=Path(__file__).parents[2] / "config" / "routing.example.yaml"),
        log=LogSettings(level="warning"),
        pbx=(PbxSettings(name="main", port=pbx_port, username=USERNAME, secret=SecretStr(SECRET)),),
    )


async def main(file: Path, pbx_port: int) -> None:
    """Serves until stdin ends."""
    chosen = settings(file, pbx_port)
    logs.configure(chosen.log)
    application = Application(chosen)
    running = asyncio.create_task(application.run())
    await application.started.wait()
    print(application.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    application.stop()
    await running


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
