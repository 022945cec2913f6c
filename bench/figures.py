"""How a figure is measured and shown: sides take turns in one run, the median of the rounds' ratios counts.

Absolute numbers belong to a machine and its mood; ratios of sides that took turns within the same seconds carry over.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. `goal` None: told for orientation, promised by nobody."""

    name: str
    ours: str
    peer: str
    ratio: float
    goal: "Goal | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`at_least` or `at_most` this ratio; `aim` is what we want beyond the promise."""

    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None

    def is_met(self, ratio: float) -> bool:
        return (self.at_least is None or ratio >= self.at_least) and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        if self.at_least == self.at_most:
            return f"= {self.at_least:g}"
        text = f">= {self.at_least:g}" if self.at_least is not None else f"<= {self.at_most:g}"
        return f"{text} (aim {self.aim:g})" if self.aim is not None else text


def in_turns(sides: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS) -> dict[str, list[float]]:
    """What each side measured in each round; the order turns round every time, so that no side is always the first."""
    results: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            results[name].append(sides[name]())
    return results


def ratio_of(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the rounds' own ratios."""
    return median(one / other for one, other in zip(above, below, strict=True))


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns, for people."""
    head = ("figure", "ours", "peer", "ratio", "goal", "")
    rows = [head, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _row(figure: Figure) -> tuple[str, str, str, str, str, str]:
    verdict = "" if figure.goal is None else "met" if figure.goal.is_met(figure.ratio) else "NOT MET"
    return figure.name, figure.ours, figure.peer, f"{figure.ratio:.2f}", str(figure.goal or ""), verdict
