"""The settings' sections [[external]] become sources: over REST, or by an adapter that an installed package brings along.

A package offers an adapter by an entry point of the group `cti_bridge.external_lookup`: a callable that takes
`options` (the table of the settings) and `secret` (or None) by name, and gives an `ExternalLookup` (docs/external-lookup.md).
"""

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from config.external import ExternalSettings
from config.load import read_external_secret
from cti_bridge.domain.errors import ConfigError, Problem
from cti_bridge.external.rest import RestLookup
from cti_bridge.external.source import ExternalLookup, ExternalSource

GROUP = "cti_bridge.external_lookup"


def sources_of(settings: Sequence[ExternalSettings]) -> tuple[ExternalSource, ...]:
    """Every source, in the order of the settings; nothing is asked yet. Raises ConfigError."""
    return tuple(ExternalSource(one, adapter_of(one)) for one in settings)


def adapter_of(settings: ExternalSettings) -> ExternalLookup:
    """The adapter that `kind` names. Raises ConfigError: no such kind, one that cannot be loaded, a secret or certificate."""
    secret = read_external_secret(settings)
    text = secret.get_secret_value() if secret is not None else None
    if settings.kind == "rest":
        return RestLookup(settings, text)
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    where = f"external {settings.name}: kind"
    if settings.kind not in offered:
        kinds = ", ".join(["rest", *sorted(offered)])
        hint = f"there are {kinds}; an adapter is an entry point of the group {GROUP} of an installed package"
        raise ConfigError((Problem(where=where, what=f"{settings.kind} is no kind", hint=hint),))
    return _made(offered[settings.kind], settings, text, where)


def _made(entry: EntryPoint, settings: ExternalSettings, secret: str | None, where: str) -> ExternalLookup:
    try:
        adapter: ExternalLookup = entry.load()(options=dict(settings.options), secret=secret)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError) as error:
        what = f"the adapter {entry.value} cannot be made: {type(error).__name__}: {error}"
        raise ConfigError((Problem(where=where, what=what, hint="see its own documentation for options"),)) from error
    return adapter


async def close_all(sources: Iterable[ExternalSource]) -> None:
    """Ends what is under way and lets go of connections."""
    for source in sources:
        await source.close()


class ExternalMetrics(Collector):
    """What the sources counted, for Prometheus: read when asked, from memory."""

    def __init__(self, sources: Sequence[ExternalSource]) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Metric]:
        asked = CounterMetricFamily("cti_external", "Questions to other systems, by source and kind", labels=["source", "kind"])
        paused = GaugeMetricFamily("cti_external_paused", "1 while a source that fails is left alone", labels=["source"])
        for source in self._sources:
            for kind, count in source.counters.items():
                asked.add_metric([source.name, kind], count)
            paused.add_metric([source.name], float(source.trouble is not None))
        yield from (asked, paused)
