"""The Prometheus text of the whole fleet; docs/metrics.md explains each metric.

Gauges show one `SystemSnapshot`; counters and histograms come from the metrics store. What cannot be read is
absent, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from observability.checks.snapshot import SystemSnapshot
from observability.gauges import Labels, Read, gauge, gauges_of
from observability.recorders import COUNTERS, HISTOGRAMS, CounterDefinition, HistogramDefinition
from store.jobs.jobs import Jobs


class FleetCollector(Collector):
    """Collects the metrics of each reader of a scrape; a reader that raises is counted."""

    def __init__(self, readers: Callable[[], Iterable[Read]]) -> None:
        self._readers = readers

    def collect(self) -> Iterator[Metric]:
        """Yield every readable metric, then the number of failed readers."""
        failures = 0
        for read in self._readers():
            try:
                yield from list(read())
            except Exception:  # noqa: BLE001 - counted by the gauge below
                failures += 1
        yield gauge(
            "rollcall_unreadable_checks", "Groups of metrics that could not be read", [({}, failures)]
        )


class Exposition:
    """Renders the metrics of `collector` beside the process' own."""

    def __init__(self, collector: Collector) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(collector)

    def __call__(self) -> tuple[bytes, str]:
        """Return the text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


def fleet(
    snapshot: Callable[[], SystemSnapshot],
    counts: Callable[[], Mapping[str, int]],
    notifications: Callable[[], Mapping[str, int]],
    jobs: Jobs,
    labels: Labels,
) -> FleetCollector:
    """Return the collector of the fleet's metrics.

    `counts` reads the metrics store, `notifications` how many there are by state.
    """

    def readers() -> Iterator[Read]:
        yield from gauges_of(snapshot(), labels, notifications, jobs)
        yield lambda: _counters(counts(), labels)

    return FleetCollector(readers)


def _counters(counts: Mapping[str, int], labels: Labels) -> Iterator[Metric]:
    for counter in COUNTERS:
        yield counter_family(counter, counts, labels.of(counter.labels))
    for histogram in HISTOGRAMS:
        yield histogram_family(histogram, counts, labels.of(histogram.labels))


def counter_family(
    counter: CounterDefinition, counts: Mapping[str, int], known: Iterable[Sequence[str]]
) -> Metric:
    """Return the counter's values in `counts`, one series for each of the labels' `known` values."""
    family = Metric(counter.name, counter.help, "counter")
    for values in known:
        labels = dict(zip(counter.labels, values, strict=True))
        family.add_sample(f"{counter.name}_total", labels, counter.value(counts, *values))
    return family


def histogram_family(
    histogram: HistogramDefinition, counts: Mapping[str, int], known: Iterable[Sequence[str]]
) -> Metric:
    """As `counter_family`, with the buckets, the sum and the count of each."""
    family = Metric(histogram.name, histogram.help, "histogram")
    for values in known:
        labels = dict(zip(histogram.labels, values, strict=True))
        buckets = histogram.buckets(counts, *values)
        for end, count in buckets:
            family.add_sample(f"{histogram.name}_bucket", {**labels, "le": end}, count)
        family.add_sample(f"{histogram.name}_count", labels, buckets[-1][1])
        family.add_sample(f"{histogram.name}_sum", labels, histogram.sum_seconds(counts, *values))
    return family
