"""Leaves a system alone that does not answer: closed, open after some failures in a row, half open once in each pause.

Pure but for the clock, which is an argument.
"""

from collections.abc import Callable


class Breaker:
    """`failures` in a row open it; then one question is let through after each `pause_seconds`, until one of them is answered."""

    def __init__(self, *, failures: int, pause_seconds: float, clock: Callable[[], float]) -> None:
        self._limit = failures
        self._pause_seconds = pause_seconds
        self._clock = clock
        self._failed = 0
        self._paused_at: float | None = None

    @property
    def is_open(self) -> bool:
        """True from the failure that opened it to the next success."""
        return self._paused_at is not None

    def admits(self) -> bool:
        """Whether a question may be asked now. Where it is the one of a pause, the next pause begins with it, so that one that
        never ends holds up nothing."""
        if self._paused_at is None:
            return True
        if self._clock() - self._paused_at < self._pause_seconds:
            return False
        self._paused_at = self._clock()
        return True

    def succeeded(self) -> bool:
        """True where this closes it."""
        was_open = self.is_open
        self._failed, self._paused_at = 0, None
        return was_open

    def failed(self) -> bool:
        """True where this opens it. What was asked before, and fails later, prolongs no pause."""
        self._failed += 1
        if self.is_open or self._failed < self._limit:
            return False
        self._paused_at = self._clock()
        return True
