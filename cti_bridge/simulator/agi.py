"""The AGI application of the simulated PBX: asks a FastAGI server where a call should go, in Asterisk 22's words.

In: a channel and the server's address. Out: the variables that the server set, or none where it is down, slow, or speaks no AGI;
the dialplan then goes on with its own queue (docs/asterisk.md section 3, whose limit is the same).
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping

import structlog

from cti_bridge.simulator.channels import Channel

log = structlog.get_logger()

LIMIT_SECONDS = 0.5
_SET_VARIABLE = re.compile(rb'SET VARIABLE (CTI_[A-Z]{1,20}) "([A-Za-z0-9_-]{0,40})"\n')
_MOST_COMMANDS = 16


class FastAgi:
    """`agi://host:port/route`."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def variables(self, channel: Channel) -> Mapping[str, str]:
        """One question on a connection of its own. Half an answer counts for what it set, as it does on a real channel."""
        told: dict[str, str] = {}
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await self._converse(channel, told)
        except asyncio.IncompleteReadError:
            pass  # the server is through: that is how FastAGI ends
        except (OSError, asyncio.LimitOverrunError) as error:  # TimeoutError is an OSError
            log.debug("simulator.agi_failed", why=type(error).__name__)
        return told

    async def _converse(self, channel: Channel, told: dict[str, str]) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(self._question(channel))
            for _ in range(_MOST_COMMANDS):
                line = await reader.readuntil(b"\n")
                command = _SET_VARIABLE.fullmatch(line)
                if command is None:
                    writer.write(b"510 Invalid or unknown command\n")
                else:
                    told[command[1].decode()] = command[2].decode()
                    writer.write(b"200 result=1\n")
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _question(self, channel: Channel) -> bytes:
        """What res_agi sends before anything else; names and order as Asterisk 22.10.1 does."""
        withheld = channel.number in {None, "anonymous"}
        script = f"route?did={channel.exten}&customer={channel.typed}"
        fields = {
            "network": "yes",
            "network_script": script,
            "request": f"agi://{self._host}:{self._port}/{script}",
            "channel": channel.name,
            "language": "en",
            "type": "PJSIP",
            "uniqueid": channel.uniqueid,
            "version": "22.10.1",
            "callerid": channel.number or "unknown",
            "calleridname": channel.caller_name or "unknown",
            "callingpres": "35" if withheld else "0",
            "callingani2": "0",
            "callington": "0",
            "callingtns": "0",
            "dnid": channel.dnid or "unknown",
            "rdnis": "unknown",
            "context": channel.context,
            "extension": channel.exten,
            "priority": str(channel.priority),
            "enhanced": "0.0",
            "accountcode": "",
            "threadid": "139872312346304",
        }
        lines = "".join(f"agi_{name}: {value}\n" for name, value in fields.items())
        return (lines + "\n").encode("utf-8", "surrogateescape")
