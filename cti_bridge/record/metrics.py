"""What the last audits said, for Prometheus: read when asked, from memory."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cti_bridge.domain.audit import AuditResult
from cti_bridge.domain.recorded_call import FindingKind


class AuditMetrics(Collector):
    """By PBX. The counters since the start are with those of the other components."""

    def __init__(self, last: Callable[[], Mapping[str, AuditResult]]) -> None:
        self._last = last

    def collect(self) -> Iterable[Metric]:
        found = GaugeMetricFamily("cti_audit_found", "Calls that the last audit found wrong, by kind", labels=["pbx", "kind"])
        left = GaugeMetricFamily("cti_audit_left", "Findings of the last audit that were not mended", labels=["pbx"])
        failed = GaugeMetricFamily("cti_audit_failed", "1 where the last audit could not look", labels=["pbx"])
        at = GaugeMetricFamily("cti_audit_timestamp_seconds", "When the last audit was", labels=["pbx"])
        for pbx, result in self._last().items():
            for kind in FindingKind:
                found.add_metric([pbx, kind.value], result.counts[kind])
            left.add_metric([pbx], result.left)
            failed.add_metric([pbx], float(result.error is not None))
            at.add_metric([pbx], result.at.timestamp())
        yield from (found, left, failed, at)
