"""Live figures of a queue; definitions are in docs/figures.md and shown where the figure is shown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cti_bridge.domain.call import iso_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Counts since `since`. Ratios are 0..1 and None where nothing was offered: never a made-up 100 %.

    service_level = answered within `service_level_seconds` / (offered - short abandons);
    offered counts calls that joined; a short abandon gave up within the short-abandon threshold. `provisional`: the PBX was not
    seen for a part of this time, and no audit has settled it yet.
    """

    queue: str
    since: datetime
    waiting: int
    longest_waiting_since: datetime | None
    offered: int
    answered: int
    abandoned: int
    short_abandons: int
    overflowed: int
    answered_in_time: int
    service_level_seconds: int
    wait_of_answered_s: float
    agents: dict[str, int]
    """Members by state: ready, ringing, talking, hold, wrap_up, paused, not_available."""
    provisional: bool = False

    @property
    def service_level(self) -> float | None:
        counted = self.offered - self.short_abandons
        return self.answered_in_time / counted if counted > 0 else None

    @property
    def average_speed_of_answer_s(self) -> float | None:
        return self.wait_of_answered_s / self.answered if self.answered else None


def figures_document(figures: QueueFigures) -> dict[str, Any]:
    """The figures as the REST API and the websocket show them."""
    level, speed = figures.service_level, figures.average_speed_of_answer_s
    return {
        "queue": figures.queue,
        "since": iso_utc(figures.since),
        "waiting": figures.waiting,
        "longest_waiting_since": iso_utc(figures.longest_waiting_since),
        "offered": figures.offered,
        "answered": figures.answered,
        "abandoned": figures.abandoned,
        "short_abandons": figures.short_abandons,
        "overflowed": figures.overflowed,
        "service_level": None if level is None else round(level, 4),
        "service_level_seconds": figures.service_level_seconds,
        "average_speed_of_answer_s": None if speed is None else round(speed, 1),
        "agents": dict(figures.agents),
        "provisional": figures.provisional,
    }
