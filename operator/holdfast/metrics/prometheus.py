"""``/metrics`` by prometheus_client: samples that are made at each scrape, and what the operator counts of itself."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from holdfast.ports import Family, Sample
from holdfast.version import VERSION

Samples = Callable[[], Iterable[Sample]]

_KINDS: Mapping[str, type[GaugeMetricFamily] | type[CounterMetricFamily]] = {
    "gauge": GaugeMetricFamily,
    "counter": CounterMetricFamily,
}


class Prometheus:
    """Implements :class:`holdfast.ports.Meter`, and serves all there is."""

    def __init__(self, families: Sequence[Family], samples: Samples) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Resources(families, samples))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._seconds = Histogram(
            "holdfast_reconcile_duration_seconds",
            "How long one look at an object took.",
            ["kind"],
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self._registry,
        )
        self._errors = Counter(
            "holdfast_reconcile_errors_total",
            "Looks at an object that failed, and are tried again.",
            ["kind", "reason"],
            registry=self._registry,
        )
        Gauge(
            "holdfast_operator_info", "The operator, and its version. Always 1.", ["version"], registry=self._registry
        ).labels(VERSION).set(1)

    def took(self, kind: str, seconds: float) -> None:
        self._seconds.labels(kind).observe(seconds)

    def failed(self, kind: str, reason: str) -> None:
        self._errors.labels(kind, reason).inc()

    def text(self) -> str:
        """What a scrape gets."""
        return generate_latest(self._registry).decode()

    def serve(self, port: int) -> None:
        """Answer scrapes on that port of all addresses, in a thread of its own, until the process ends."""
        start_http_server(port, registry=self._registry)


class _Resources(Collector):
    """The samples of policies and runs. Nothing is kept between scrapes, so nothing is left of what was deleted."""

    def __init__(self, families: Sequence[Family], samples: Samples) -> None:
        self._families, self._samples = families, samples

    def collect(self) -> Iterator[Metric]:
        metrics = {
            family.name: _KINDS[family.type](family.name.removesuffix("_total"), family.help, labels=family.labels)
            for family in self._families
        }
        for sample in self._samples():
            metrics[sample.family].add_metric(sample.labels, sample.value)
        yield from metrics.values()

    def describe(self) -> Iterator[Metric]:
        """Nothing: names are known without asking the cluster at the start."""
        yield from ()
