"""Prometheus text from readings: unreadable metrics are absent, never zero."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from observability.recorders import CounterDefinition, HistogramDefinition


class SnapshotCollector(Collector):
    """Collects metrics from `readers`; a failing reader is counted."""

    def __init__(self, readers: Iterable[Callable[[], Iterable[Metric]]]) -> None:
        self._readers = tuple(readers)

    def collect(self) -> Iterator[Metric]:
        """Yield every readable metric, then the number of failed readers."""
        failures = 0
        for read in self._readers:
            try:
                yield from list(read())
            except Exception:  # noqa: BLE001 - counted by the gauge below
                failures += 1
        unread = Metric("rollcall_unreadable_readings", "Readings that failed during this scrape", "gauge")
        unread.add_sample(unread.name, {}, failures)
        yield unread


class Exposition:
    """Renders `readings` beside the process' own metrics."""

    def __init__(self, readings: SnapshotCollector) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._registry.register(readings)

    def __call__(self) -> tuple[bytes, str]:
        """Return the text and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4


def gauge(name: str, help_text: str, samples: Iterable[tuple[dict[str, str], float]]) -> Metric:
    """Return a gauge from labels and values."""
    family = Metric(name, help_text, "gauge")
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family


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
