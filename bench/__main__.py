"""`python -m bench [NAME …]`: measures the figures and prints them in a table; ends 0 whatever they are, they are no test."""

import os
import sys
import time
from collections.abc import Callable, Sequence

from bench import lookup, parse, record, replay, timeline
from bench.figures import Figure, table
from bench.pop import measure as pop

FIGURES: dict[str, Callable[[], Sequence[Figure]]] = {
    "parse": parse.measure,
    "pop": pop.measure,
    "lookup": lookup.measure,
    "record": record.measure,
    "timeline": timeline.measure,
    "replay": replay.measure,
}


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        print(f"no such figure: {', '.join(unknown)}; there are {', '.join(FIGURES)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or FIGURES:
        began = time.monotonic()
        figures.extend(FIGURES[name]())
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print(table(figures))
    print(
        f"\nload of this machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: above half of them, tails are the machine's"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
