"""The service's present state as screens, probes and Prometheus see it: read from memory, never waits.

In: the board, the links, the routing file, the counters. Out: the people's side's ports `LiveState` and `Readiness`, and a
Prometheus collector.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cti_bridge.ami.client import AmiClient
from cti_bridge.ami.link import LinkState
from cti_bridge.domain.agent import AgentState
from cti_bridge.domain.audit import AuditResult
from cti_bridge.domain.call import Call
from cti_bridge.domain.errors import StorageError
from cti_bridge.domain.figures import QueueFigures
from cti_bridge.external.source import ExternalSource
from cti_bridge.gaps import GapBook
from cti_bridge.journal.writer import Journal
from cti_bridge.live.board import Board
from routing.rules_holder import RulesHolder
from screen_pop.ports import Check, GapSeen, PbxLink, RoutingStatus
from storage.recorder import Recorder

_STORE_SECONDS = 0.8
STUCK = timedelta(hours=4)
"""A call that the PBX has held for so long is no talk: a leaked channel, or a line that nobody hung up. It is left alone."""
GAPS_SHOWN = timedelta(days=1)
"""How long ago a gap may have ended to be on the boards."""


class State:
    """`LiveState`."""

    def __init__(
        self,
        board: Board,
        clients: Mapping[str, AmiClient],
        rules: RulesHolder,
        gaps: GapBook,
        last_audits: Callable[[], Mapping[str, AuditResult]],
    ) -> None:
        self._board = board
        self._gaps = gaps
        self._last_audits = last_audits
        self._clients = clients
        self._rules = rules

    def calls(self) -> Sequence[Call]:
        return self._board.calls()

    def agents(self) -> Sequence[AgentState]:
        return self._board.agents(datetime.now(UTC))

    def queues(self) -> Sequence[QueueFigures]:
        return self._board.queues(datetime.now(UTC))

    def links(self) -> Sequence[PbxLink]:
        return [_link(name, client) for name, client in self._clients.items()]

    def gaps(self) -> Sequence[GapSeen]:
        return self._gaps.seen(datetime.now(UTC) - GAPS_SHOWN)

    def is_audited(self, pbx: str) -> bool:
        return self._gaps.is_audited(pbx)

    def audits(self) -> Sequence[AuditResult]:
        return tuple(self._last_audits().values())

    def routing(self) -> RoutingStatus:
        rules = self._rules
        return RoutingStatus(
            file=str(rules.file),
            version=rules.rules.version if rules.rules is not None else None,
            text=rules.text,
            problems=tuple(problem.document() for problem in rules.problems),
            loaded_at=rules.loaded_at,
        )


class Health:
    """`Readiness`: the store and the recorder are required; a PBX that is away makes the service degraded, not unready."""

    def __init__(
        self,
        store: Callable[[], Awaitable[None]],
        recorder: Recorder,
        clients: Mapping[str, AmiClient],
        rules: RulesHolder,
        journals: Mapping[str, Journal],
        external: Sequence[ExternalSource] = (),
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._clients = clients
        self._rules = rules
        self._journals = journals
        self._external = external

    async def checks(self) -> Sequence[Check]:
        checks = [await self._store_check()]
        waiting = self._recorder.waiting
        checks.append(Check(name="recorder", ok=waiting < 1000, required=False, detail=f"{waiting} calls wait for the store"))
        for name, client in self._clients.items():
            status = client.status()
            ok = status.state is LinkState.CONNECTED
            checks.append(Check(name=f"pbx {name}", ok=ok, required=False, detail=status.detail))
        for name, journal in self._journals.items():
            detail = journal.trouble or "what is read from the PBX is kept"
            checks.append(Check(name=f"journal {name}", ok=journal.trouble is None, required=False, detail=detail))
        for source in self._external:
            detail = source.trouble or "is asked when a phone rings"
            checks.append(Check(name=f"external {source.name}", ok=source.trouble is None, required=False, detail=detail))
        good = self._rules.rules is not None
        detail = "rules are in force" if good else "no good rules file: the dialplan's default queues take every call"
        checks.append(Check(name="routing", ok=good, required=False, detail=detail))
        return checks

    async def _store_check(self) -> Check:
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await self._store()
        except TimeoutError:
            return Check(name="store", ok=False, required=True, detail="the store does not answer in time")
        except StorageError as error:
            return Check(name="store", ok=False, required=True, detail=str(error))
        return Check(name="store", ok=True, required=True)


def _link(name: str, client: AmiClient) -> PbxLink:
    status = client.status()
    # The counters that tell an admin something; `events` and `skipped` would make every tick a change on every screen.
    counters = {key: status.counters.get(key, 0) for key in ("forged", "malformed", "oversized", "overflows")}
    counters["reconnects"] = max(0, status.counters.get("connections", 0) - 1)
    return PbxLink(
        name=name,
        state=status.state.value,
        since=status.since,
        detail=status.detail,
        version=status.version,
        counters=counters,
    )


class ProcessMetrics(Collector):
    """The process's own counters for Prometheus, read when asked. Labels come from closed sets and the settings."""

    def __init__(
        self, board: Board, clients: Mapping[str, AmiClient], counters: Mapping[str, Callable[[], Mapping[str, int]]]
    ) -> None:
        self._board = board
        self._clients = clients
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        connected = GaugeMetricFamily("cti_ami_connected", "1 while events are read from the PBX", labels=["pbx"])
        frames = CounterMetricFamily("cti_ami_frames", "What was read from the PBX, by kind", labels=["pbx", "kind"])
        for name, client in self._clients.items():
            status = client.status()
            connected.add_metric([name], float(status.state is LinkState.CONNECTED))
            for kind, count in status.counters.items():
                frames.add_metric([name, kind], count)
        waiting = GaugeMetricFamily("cti_queue_waiting", "Callers waiting now", labels=["queue"])
        for figures in self._board.queues(datetime.now(UTC)):
            waiting.add_metric([figures.queue], figures.waiting)
        calls, now = self._board.calls(), datetime.now(UTC)
        live = GaugeMetricFamily("cti_calls_live", "Calls going on now", value=len(calls))
        old = sum(now - call.started_at > STUCK for call in calls)
        stuck = GaugeMetricFamily("cti_calls_stuck", "Calls that the PBX has held for more than 4 hours", value=old)
        yield from (connected, frames, waiting, live, stuck)
        for component, read in self._counters.items():
            family = CounterMetricFamily(f"cti_{component}", f"What happened in the {component}, by kind", labels=["kind"])
            for kind, count in read().items():
                family.add_metric([kind], count)
            yield family
