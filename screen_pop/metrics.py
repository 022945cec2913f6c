"""What the people's side counts for Prometheus. Labels come from closed sets: never a number, a name or a path as sent."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

POP_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 30.0)
"""Seconds; 0.3 is the promise that an agent feels, 30 is a browser that had to come back first."""

HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class WebMetrics:
    """The counters of one process, in the registry that is handed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.ws_clients = Gauge("cti_ws_clients", "Websockets that said hello", ["role"], registry=registry)
        self.ws_closed = Counter("cti_ws_closed_total", "Websockets closed by us, by close code", ["code"], registry=registry)
        self.ws_refused = Counter("cti_ws_refused_total", "Client messages refused", ["kind"], registry=registry)
        self.ws_resumed = Counter("cti_ws_hello_total", "Hellos: fresh, resumed or gap", ["result"], registry=registry)
        self.pops = Counter("cti_pops_total", "Screen pops by stage: sent, shown, withdrawn", ["stage"], registry=registry)
        self.pop_latency = Histogram(
            "cti_pop_latency_seconds", "From the pop's sending to the stage", ["stage"], buckets=POP_BUCKETS, registry=registry
        )
        self.outboxes_dropped = Counter(
            "cti_outboxes_dropped_total", "Outboxes of absent agents given up at the limit", registry=registry
        )
        self.sign_ins = Counter("cti_sign_ins_total", "Sign-ins: ok, wrong, limited", ["result"], registry=registry)
        self.http_seconds = Histogram(
            "cti_http_request_seconds",
            "Requests by route pattern and status",
            ["method", "route", "status"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
