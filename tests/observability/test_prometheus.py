from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from observability.gauges import gauge
from observability.prometheus import Exposition, FleetCollector, counter_family, histogram_family
from observability.recorders import CounterDefinition, HistogramDefinition

CHECKS = CounterDefinition("rollcall_checks", "Checks", ("source",))
WAIT = HistogramDefinition("rollcall_wait_seconds", "Waits", (), (0.5,))


def samples(*readers: object) -> dict[str, dict[str, float]]:
    """What the exposition says, by name and by labels."""
    text, _ = Exposition(FleetCollector(lambda: readers))()  # type: ignore[arg-type, return-value]
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for name, labels, value, *_ in family.samples:
            found.setdefault(name, {})[",".join(labels.values())] = value
    return found


def broken() -> Iterator[Metric]:
    yield gauge("rollcall_half", "Half of a reading", [({}, 1)])
    raise OSError("unreadable")


def test_what_cannot_be_read_is_absent_and_counted() -> None:
    found = samples(broken, lambda: [gauge("rollcall_depth", "Depth", [({}, 3)])], broken)
    assert found["rollcall_depth"] == {"": 3}
    assert found["rollcall_unreadable_checks"] == {"": 2}
    assert "rollcall_half" not in found


def test_a_counter_is_there_at_zero_before_its_first_event() -> None:
    counts = {CHECKS.key("scraper"): 7}
    found = samples(lambda: [counter_family(CHECKS, counts, [("scraper",), ("campus",)])])
    assert found["rollcall_checks_total"] == {"scraper": 7, "campus": 0}


def test_a_histogram_has_buckets_a_count_and_a_sum_in_seconds() -> None:
    counts = {WAIT.key(part="0.5"): 2, WAIT.key(part="+Inf"): 1, WAIT.key(part="sum"): 1_500_000}
    found = samples(lambda: [histogram_family(WAIT, counts, [()])])
    assert found["rollcall_wait_seconds_bucket"] == {"0.5": 2, "+Inf": 3}
    assert found["rollcall_wait_seconds_count"] == {"": 3}
    assert found["rollcall_wait_seconds_sum"] == {"": 1.5}
