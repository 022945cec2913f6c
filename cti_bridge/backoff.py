"""How long to wait before trying again: exponential growth with jitter, so that a hundred clients do not come back at once.

Pure but for the random source, which is an argument.
"""

import random
from collections.abc import Callable


class Backoff:
    """Waits for one thing that keeps failing; `next()` grows, `reset()` starts anew after a success.

    The n-th wait is drawn between `floor` (0 to 1) times and the whole of `first_seconds * 2**n`, at most `most_seconds`.
    `floor=0` is full jitter, best after an outage; a floor near 1 bounds the number of tries, for what will not mend itself.
    """

    def __init__(
        self,
        *,
        first_seconds: float = 0.2,
        most_seconds: float = 30.0,
        floor: float = 0.0,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self._floor = floor
        self._draw = draw
        self._ceiling = first_seconds

    def next(self) -> float:
        """Seconds to wait before the next try."""
        wait = self._ceiling * (self._floor + (1 - self._floor) * self._draw())
        self._ceiling = min(self._most, self._ceiling * 2)
        return wait

    def reset(self) -> None:
        self._ceiling = self._first
