from __future__ import annotations

from datetime import UTC, datetime

from domain.errors import UpstreamTimeoutError
from domain.observation import CheckFailure, Missing, Outcome
from domain.section import SectionKey
from observability.recorders import (
    CHECKS,
    DELIVERIES,
    NOTIFICATION_LATENCY,
    SECTION_EVENTS,
    SOURCE_RESPONSE,
    Recorder,
    record_checks,
)

KEY = SectionKey("scraper", "2261", "12431")
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def test_answers_are_timed_where_the_source_measures_them_and_failures_are_not() -> None:
    recorder = Recorder()
    outcomes: list[Outcome] = [
        Missing(KEY, NOW, took_seconds=0.2),
        Missing(KEY, NOW, took_seconds=3),
        Missing(KEY, NOW),
        CheckFailure(KEY, UpstreamTimeoutError("no answer")),
    ]
    record_checks(recorder, "scraper", outcomes, changed=0)
    counts = recorder.take()
    assert [CHECKS.value(counts, "scraper", what) for what in ("missing", "timeout")] == [3, 1]
    assert SECTION_EVENTS.value(counts, "scraper") == 0
    assert dict(SOURCE_RESPONSE.buckets(counts, "scraper"))["0.25"] == 1
    assert dict(SOURCE_RESPONSE.buckets(counts, "scraper"))["+Inf"] == 2
    assert SOURCE_RESPONSE.sum_seconds(counts, "scraper") == 3.2


def test_counts_that_an_earlier_release_stored_under_the_former_name_are_added() -> None:
    counts = {DELIVERIES.key("sent"): 3, "rollcall_mails\tsent": 4}
    assert DELIVERIES.value(counts, "sent") == 7


def test_durations_that_an_earlier_release_stored_under_the_former_name_are_added() -> None:
    recorder = Recorder()
    recorder.observe(NOTIFICATION_LATENCY, seconds=2)
    new = recorder.take()
    former = {
        name.replace(NOTIFICATION_LATENCY.name, "rollcall_detect_to_mail_seconds"): n
        for name, n in new.items()
    }
    assert dict(NOTIFICATION_LATENCY.buckets(new | former))["2.5"] == 2
    assert NOTIFICATION_LATENCY.sum_seconds(new | former) == 4
