"""From the bytes that make a phone ring to the pop's frame at the browser: the service against a bare relay, in turns.

50 calls a second, 200 agents' browsers, 100,000 customers in the store. Out: p50 against the relay's, and p99 against p50; for
orientation the same for calls that ring in the moment they arrive, so that the look-up gains no time from a greeting.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench import store
from bench.figures import ROUNDS, Figure, Goal, percentile, ratio_of

RATE = 50
CALLS_A_ROUND = 200
WARM_UP_CALLS = 200
FRAME_BYTES = 4100
"""What the relay writes: a pop with three earlier calls."""
CASES = {"service": ("service", True), "relay": ("relay", True), "no greeting": ("service", False)}
"""Who is fed, and whether a greeting passes between a call's arrival and its ring."""


class Child:
    """A process that is talked with in lines."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def hear(self) -> Any:
        """The next line, as JSON. Raises RuntimeError where the process ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended")
        return json.loads(line) if line[0] in '{["0123456789' else line

    def ask(self, what: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        return self.hear()


@contextmanager
def child(module: str, *arguments: object) -> Iterator[Child]:
    """`python -m module`, ended by the end of its stdin."""
    safe_path = ["-P"] if sys.flags.safe_path else []  # as the bench itself: then a compiled wheel may stand before the sources
    command = [sys.executable, *safe_path, "-m", module, *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Child(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.db"
        asyncio.run(store.build(file))
        return _figures(_milliseconds(file))


def _milliseconds(file: Path) -> dict[str, list[list[float]]]:
    """The delays of each side's calls, round by round."""
    with ExitStack() as children:
        feeder = children.enter_context(child("bench.pop.feeder"))
        ports = feeder.hear()
        service = children.enter_context(child("bench.pop.service", file, ports["service"]))
        relay = children.enter_context(child("bench.pop.relay", ports["relay"], FRAME_BYTES))
        browsers = children.enter_context(child("bench.pop.browsers", service.hear(), relay.hear()))
        browsers.hear()

        def run(case: str, calls: int) -> list[float]:
            side, greeting = CASES[case]
            stamps = feeder.ask({"to": side, "calls": calls, "rate": RATE, "greeting": greeting})
            read = browsers.ask("what was read?")[side]
            if missing := stamps.keys() - read.keys():
                raise RuntimeError(f"{len(missing)} of {len(stamps)} pops never came from the {side}")
            return [(read[key][0] - stamp) / 1e6 for key, stamp in stamps.items()]

        for case in CASES:
            run(case, WARM_UP_CALLS)
        results: dict[str, list[list[float]]] = {case: [] for case in CASES}
        for number in range(ROUNDS):
            for case in CASES if number % 2 == 0 else reversed(CASES):
                results[case].append(run(case, CALLS_A_ROUND))
        return results


def _figures(results: dict[str, list[list[float]]]) -> list[Figure]:
    p50 = {case: [median(delays) for delays in rounds] for case, rounds in results.items()}
    p99 = {case: [percentile(delays, 99) for delays in rounds] for case, rounds in results.items()}

    def against_relay(case: str, name: str, goal: Goal | None) -> Figure:
        ours, peer = f"{median(p50[case]):.2f} ms", f"bare relay {median(p50['relay']):.2f} ms"
        return Figure(name=name, ours=ours, peer=peer, ratio=ratio_of(p50[case], p50["relay"]), goal=goal)

    def tail(case: str, name: str, goal: Goal | None) -> Figure:
        ours, peer = f"{median(p99[case]):.2f} ms", f"own p50 {median(p50[case]):.2f} ms"
        return Figure(name=name, ours=ours, peer=peer, ratio=ratio_of(p99[case], p50[case]), goal=goal)

    return [
        against_relay("service", "pop, p50", Goal(at_most=3)),
        tail("service", "pop, p99", Goal(at_most=10)),
        against_relay("no greeting", "pop without greeting, p50", None),
        tail("no greeting", "pop without greeting, p99", None),
        tail("relay", "relay, p99", None),
    ]
