"""Who may ring up in the demo: the known customers, numbers that are on nobody's account, and people who show no number."""

from cti_bridge.domain.account import Tier
from cti_bridge.simulator.callers import Caller
from cti_bridge.simulator.customers import CUSTOMERS

UNKNOWN_NUMBERS = (
    ("02079460500", None),
    ("+441614960600", "SALFORD"),
    ("01174960701", None),
    ("+12125550187", "NEW YORK NY"),
    ("08081570042", None),
    ("+33199004321", None),
)
"""Numbers on nobody's account, and the name that the network shows with some."""

_EVERYDAY = ("8001", "8001", "8001", "8002", "8002", "8104")
_IMPORTANT = ("8003", "8003", "8001")


def demo_callers() -> tuple[Caller, ...]:
    """Who may call in the demo: every customer twice, the unknown numbers, and some who show none."""
    known = tuple(
        Caller(
            number=customer.callers_id,
            name=customer.company or customer.name,
            dids=_IMPORTANT if customer.tier is Tier.PLATINUM else _EVERYDAY,
        )
        for customer in CUSTOMERS
    )
    unknown = tuple(Caller(number=number, name=name, dids=_EVERYDAY) for number, name in UNKNOWN_NUMBERS)
    withheld = (Caller(number=None, name=None, dids=_EVERYDAY),) * 5
    return (*known, *known, *unknown, *withheld)
