"""The agents' browsers: 200 websockets to the service and 200 to the relay, each noting when a pop's frame was read.

`python -m bench.pop.browsers SERVICE_PORT RELAY_PORT`; each line on stdin is answered with what was read since the last one:
`{"SIDE": {KEY: [ns, bytes]}}`. Towards the service they behave as the agent's page does: hello, then `shown` and `ack`.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping

import aiohttp
import orjson

from bench.store import agents, token_of

_CALL = re.compile(rb'"call_id":"main:([0-9.]+)"')


async def main(ports: Mapping[str, int]) -> None:
    """Reads until stdin ends."""
    read: dict[str, dict[str, tuple[int, int]]] = {side: {} for side in ports}
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http, asyncio.TaskGroup() as tasks:
        listening = [
            tasks.create_task(_listen(await _open(http, port, agent), read[side], answers=side == "service"))
            for side, port in ports.items()
            for agent in agents()
        ]
        print("open", flush=True)
        while await lines.readline():
            print(json.dumps(read), flush=True)
            for of_side in read.values():
                of_side.clear()
        for task in listening:
            task.cancel()


async def _open(http: aiohttp.ClientSession, port: int, agent: str) -> aiohttp.ClientWebSocketResponse:
    headers = {"Authorization": f"Bearer {token_of(agent)}"}
    socket = await http.ws_connect(f"http://127.0.0.1:{port}/ws", protocols=("cti.v1",), headers=headers, max_msg_size=0)
    await socket.send_str('{"type":"hello","last_event_id":0}')
    await socket.receive()
    return socket


async def _listen(socket: aiohttp.ClientWebSocketResponse, read: dict[str, tuple[int, int]], *, answers: bool) -> None:
    async for message in socket:
        at = time.monotonic_ns()
        frame = message.data.encode()
        if b'"type":"pop"' not in frame:
            continue
        call = _CALL.search(frame)
        assert call is not None
        read[call[1].decode()] = (at, len(frame))
        if answers:
            pop = orjson.loads(frame)
            await socket.send_str(orjson.dumps({"type": "shown", "pop_id": pop["pop_id"]}).decode())
            await socket.send_str(orjson.dumps({"type": "ack", "id": pop["id"]}).decode())
    raise ConnectionError("a socket was closed in mid-run")


if __name__ == "__main__":
    asyncio.run(main({"service": int(sys.argv[1]), "relay": int(sys.argv[2])}))
