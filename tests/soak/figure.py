"""A measured figure, the goal it is held against, and the table that shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 44


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`most` is the goal: the largest value that will do; without one the figure only informs."""

    label: str
    value: float
    unit: str = ""
    most: float | None = None

    @property
    def is_good(self) -> bool:
        return self.most is None or self.value <= self.most


def table(title: str, figures: Sequence[Figure]) -> str:
    """One line a figure, with its goal and whether it is met."""
    return "\n".join([title, "-" * len(title), *map(_line, figures), ""])


def _line(figure: Figure) -> str:
    value = f"{figure.value:g}" if isinstance(figure.value, int) else f"{figure.value:.2f}"
    line = f"{figure.label:<{WIDTH}}{value:>9} {figure.unit:<6}"
    if figure.most is None:
        return line.rstrip()
    return f"{line} goal: at most {figure.most:g}  {'ok' if figure.is_good else 'NOT MET'}"
