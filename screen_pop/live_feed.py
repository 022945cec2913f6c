"""Live states to the browsers: twice a second, only what changed, newest wins.

In: the live state (memory, never waits); out: encoded documents put into each connection's `LatestStates`. Each document is
encoded once however many browsers get it, and a slow browser is given the newest picture when it reads again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cti_bridge.domain.agent import AgentState, agent_document
from cti_bridge.domain.figures import figures_document
from screen_pop.hub import Connection, Hub
from screen_pop.ports import LiveState, Role
from screen_pop.visible import audit_summary, link_document, routing_document, seen_gap_document
from screen_pop.wire import ROUTING_STATE, to_json

INTERVAL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The encoded live state at one tick, by key; `states` are the agents' as they were encoded."""

    queues: Mapping[str, bytes] = field(default_factory=dict)
    agents: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, bytes] = field(default_factory=dict)
    gaps: Mapping[str, bytes] = field(default_factory=dict)
    audits: Mapping[str, bytes] = field(default_factory=dict)
    routing: Mapping[str, bytes] = field(default_factory=dict)
    states: Mapping[str, AgentState] = field(default_factory=dict)


class LiveFeed:
    """Tells every browser what changed since the tick before; a welcome's snapshot told it all that was before."""

    def __init__(self, hub: Hub, live: LiveState, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._hub = hub
        self._live = live
        self._interval_seconds = interval_seconds
        self._before = _Picture()

    async def run(self) -> None:
        """Ticks for ever."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            await self.tick()

    async def tick(self) -> None:
        """Compares the live state with the tick before and puts what changed where it is to be seen."""
        states = self._live.agents()
        picture = self._taken(states)
        changed = _Picture(
            queues=_changed(self._before.queues, picture.queues),
            agents=_changed(self._before.agents, picture.agents),
            links=picture.links if picture.links != self._before.links else {},
            gaps=_changed(self._before.gaps, picture.gaps),
            audits=_changed(self._before.audits, picture.audits),
            routing=_changed(self._before.routing, picture.routing),
        )
        self._before = picture
        if not (changed.queues or changed.agents or changed.links or changed.gaps or changed.audits or changed.routing):
            return
        own_queues: dict[str, tuple[str, ...]] = {state.agent: state.queues for state in states}
        async for connection in self._hub.open_connections():
            self._put(connection, changed, picture, own_queues)

    def _taken(self, states: Sequence[AgentState]) -> _Picture:
        return _Picture(
            queues={figures.queue: to_json(figures_document(figures)) for figures in self._live.queues()},
            agents={state.agent: self._encoded(state) for state in states},
            states={state.agent: state for state in states},
            links={link.name: to_json(link_document(link)) for link in self._live.links()},
            gaps={seen.gap.gap_id: to_json(seen_gap_document(seen)) for seen in self._live.gaps()},
            audits={result.pbx: to_json(audit_summary(result)) for result in self._live.audits()},
            routing={"": to_json(routing_document(self._live.routing()))},
        )

    def _encoded(self, state: AgentState) -> bytes:
        """Of a thousand agents a few change between two ticks: the others are not encoded again."""
        before = self._before
        if before.states.get(state.agent) == state:
            return before.agents[state.agent]
        return to_json(agent_document(state))

    def _put(
        self, connection: Connection, changed: _Picture, picture: _Picture, own_queues: Mapping[str, tuple[str, ...]]
    ) -> None:
        user, latest = connection.user, connection.latest
        queues, agents = changed.queues, changed.agents
        gaps, audits = changed.gaps, changed.audits
        routing: Mapping[str, bytes] = {}
        match user.role:
            case Role.AGENT:
                own = user.extension or ""
                agents = {own: agents[own]} if own in agents else {}
                gaps, audits = {}, {}
                # A changed agent may have joined a queue whose figures did not change: show those of all the own queues.
                source = picture.queues if agents else queues
                queues = {queue: source[queue] for queue in own_queues.get(own, ()) if queue in source}
            case Role.SUPERVISOR:
                pass
            case Role.ADMIN:
                agents, routing = {}, changed.routing
        for type_, documents in (
            ("queue.figures", queues),
            ("agent.state", agents),
            ("link.state", changed.links),
            ("gap.state", gaps),
            ("audit.state", audits),
            (ROUTING_STATE, routing),
        ):
            for key, document in documents.items():
                latest.put(type_, key, document)
                connection.wake.set()


def _changed(before: Mapping[str, bytes], now: Mapping[str, bytes]) -> Mapping[str, bytes]:
    return {key: document for key, document in now.items() if before.get(key) != document}
