"""The PBX's part: two managers' ports (the service's and the relay's), and calls written to one of them at a steady pace.

Told by lines of JSON on stdin, `{"to": "service", "calls": 200, "rate": 50, "greeting": true}`; answers with one line, the stamp
of each call in ns: the moment before the bytes were written that make the phone ring.
"""

import asyncio
import json
import sys
import time

from bench.load_trace import load_bytes, recorded_calls
from bench.pop.calls import MadeCall, make
from bench.store import agents, callers, number_of
from tests.support.fake_pbx import FakePbx

USERNAME, SECRET = "cti", "s3cret"
GREETING_SECONDS = 0.503
"""From a call's arrival to its ring: half a second in the recorded calls, which answer and wait before they queue."""
ANSWER_SECONDS, END_SECONDS = 0.407, 0.813
"""When a call is answered and over, from its ring: 40 calls are up at a time, and no two calls' bytes come at one moment."""


class Feeder:
    """Makes calls and writes them; each call of a run is another customer's, agents take turns."""

    def __init__(self) -> None:
        self._recorded = recorded_calls(load_bytes())
        self._customers = callers()
        self._agents = agents()
        self._made = 0

    async def feed(self, pbx: FakePbx, calls: int, rate: float, *, greeting: bool) -> dict[str, int]:
        """Writes the calls' rings at `rate` a second whatever the reader does; gives the moment of each write.

        Without `greeting` a call arrives and rings in one write.
        """
        made = [self._next() for _ in range(calls)]
        loop = asyncio.get_running_loop()
        begin = loop.time() + GREETING_SECONDS + 0.1
        stamps: dict[str, int] = {}
        if greeting:
            for number, call in enumerate(made):
                loop.call_at(begin + number / rate - GREETING_SECONDS, pbx.tell, call.arrival)
        for number, call in enumerate(made):
            await asyncio.sleep(max(0.0, begin + number / rate - loop.time()))
            stamps[call.key] = time.monotonic_ns()
            pbx.tell(call.ring if greeting else call.arrival + call.ring)
            loop.call_later(ANSWER_SECONDS, pbx.tell, call.answer)
            loop.call_later(END_SECONDS, pbx.tell, call.end)
        await asyncio.sleep(END_SECONDS + 0.2)
        return stamps

    def _next(self) -> MadeCall:
        number = self._made
        self._made += 1
        return make(
            self._recorded[number % len(self._recorded)],
            serial=number + 1,
            number=number_of(self._customers[number % len(self._customers)]),
            agent=self._agents[number % len(self._agents)],
        )


async def main() -> None:
    feeder = Feeder()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with FakePbx(username=USERNAME, secret=SECRET) as service, FakePbx(username=USERNAME, secret=SECRET) as relay:
        sides = {"service": service, "relay": relay}
        _say({name: pbx.port for name, pbx in sides.items()})
        while line := await lines.readline():
            order = json.loads(line)
            _say(await feeder.feed(sides[order["to"]], order["calls"], order["rate"], greeting=order["greeting"]))


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
