"""What was asked a moment ago need not be asked again: values that are kept for a time, of a bounded number of keys.

Pure but for the clock, which is an argument.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Keeps each value for `seconds` and the newest `size` of them; 0 seconds keep nothing."""

    def __init__(self, *, seconds: float, size: int, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[str, tuple[float, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> Value | None:
        kept = self._kept.get(key)
        return kept[1] if kept is not None and self._clock() - kept[0] < self._seconds else None

    def put(self, key: str, value: Value) -> None:
        """In order of their age, so that those whose time is over stand first and go first."""
        self._kept[key] = (self._clock(), value)
        self._kept.move_to_end(key)
        while self._kept:
            put_at, _ = next(iter(self._kept.values()))
            if len(self._kept) <= self._size and self._clock() - put_at < self._seconds:
                return
            self._kept.popitem(last=False)
