"""Who lives in the simulated call centre: agents, queues, and what the dialled numbers lead to. Frozen; no I/O.

A `World` is what pjsip.conf, queues.conf and extensions.conf are to Asterisk. `demo_world()` is the one `cti-bridge demo` runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

INTERNAL_CONTEXT = "agents"
INBOUND_CONTEXT = "from-trunk"
CLICK_TO_CALL_CONTEXT = "click2call"
WRAP_UP_SECONDS = 10.0
"""The demo's agents' time after a call; the service is told the same, so that boards and phones agree."""


class Strategy(StrEnum):
    """Whose phones ring (queues.conf `strategy`)."""

    RING_ALL = "ringall"
    ROUND_ROBIN = "rrmemory"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A phone and who sits at it; the endpoint is `PJSIP/<extension>`.

    `auto`: answers by habit after 1 to 5 s. Not so: the phone rings about 12 s, so that a person may take the call on the
    desktop, and only then answers by itself.
    """

    extension: str
    name: str
    auto: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue of queues.conf.

    Seconds: `ring` for one attempt, `retry` between attempts, `longest_wait` until the caller is sent on (the time-out of
    the Queue application), `wrap_up` after a call until the member is rung again. `penalties` by extension; lower rings first.
    """

    name: str
    members: tuple[str, ...]
    strategy: Strategy = Strategy.ROUND_ROBIN
    ring_seconds: float = 15.0
    retry_seconds: float = 1.0
    longest_wait_seconds: float = 300.0
    wrap_up_seconds: float = 0.0
    service_level_seconds: int = 20
    weight: int = 0
    penalties: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueNumber:
    """A DID whose dialplan is NoOp, Answer, Queue (`steps` = the priority of Queue)."""

    queue: str
    steps: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentNumber:
    """A DID whose dialplan is Dial of one agent for `ring_seconds`."""

    extension: str
    ring_seconds: float = 20.0


Number = QueueNumber | AgentNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The whole configuration. `numbers` are DIDs in the trunk's context; `services` the extensions that agents may dial
    or transfer to beside each other (queues). Click-to-call shows `outbound_number` to the customer."""

    agents: tuple[Agent, ...]
    queues: tuple[Queue, ...]
    numbers: Mapping[str, Number]
    services: Mapping[str, QueueNumber]
    outbound_number: str
    trunk: str = "trunk"

    def agent(self, extension: str) -> Agent | None:
        return next((agent for agent in self.agents if agent.extension == extension), None)


def demo_world() -> World:
    """Three queues and eight agents; 1001 and 1002 are the ones a newcomer signs in as."""
    return World(
        agents=(
            Agent(extension="1001", name="Alice Morgan", auto=False),
            Agent(extension="1002", name="王芳", auto=False),
            Agent(extension="1003", name="Ben Carter"),
            Agent(extension="1004", name="李强"),
            Agent(extension="1005", name="Chloe O'Neil"),
            Agent(extension="1006", name="陈静"),
            Agent(extension="1007", name="David Hughes"),
            Agent(extension="1008", name="赵磊"),
        ),
        queues=(
            Queue(name="sales", members=("1001", "1003", "1004", "1005"), wrap_up_seconds=WRAP_UP_SECONDS),
            Queue(
                name="support",
                members=("1001", "1002", "1005", "1006", "1007"),
                longest_wait_seconds=240.0,
                wrap_up_seconds=WRAP_UP_SECONDS,
            ),
            Queue(
                name="vip",
                members=("1008", "1002", "1003"),
                strategy=Strategy.LINEAR,
                weight=10,
                wrap_up_seconds=WRAP_UP_SECONDS,
                service_level_seconds=10,
                penalties=MappingProxyType({"1003": 1}),
            ),
        ),
        numbers=MappingProxyType(
            {
                "8001": QueueNumber(queue="support"),
                "8002": QueueNumber(queue="sales"),
                "8003": QueueNumber(queue="vip"),
                "8100": AgentNumber(extension="1001"),
                "8104": AgentNumber(extension="1004"),
            }
        ),
        services=MappingProxyType(
            {
                "6001": QueueNumber(queue="support", steps=1),
                "6002": QueueNumber(queue="sales", steps=1),
                "6003": QueueNumber(queue="vip", steps=1),
            }
        ),
        outbound_number="02079460000",
    )
