from __future__ import annotations

from datetime import UTC, datetime

from domain.errors import UpstreamTimeoutError
from domain.observation import CheckFailure, Missing, Outcome
from domain.section import SectionKey
from observability.recorders import ANSWER, CHANGES, CHECKS, Recorder, record_checks

KEY = SectionKey("scraper", "2261", "12431")
NOW = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)


def test_answers_are_timed_where_the_source_measures_them_and_failures_are_not() -> None:
    tally = Recorder()
    outcomes: list[Outcome] = [
        Missing(KEY, NOW, took_seconds=0.2),
        Missing(KEY, NOW, took_seconds=3),
        Missing(KEY, NOW),
        CheckFailure(KEY, UpstreamTimeoutError("no answer")),
    ]
    record_checks(tally, "scraper", outcomes, changed=0)
    counts = tally.take()
    assert [CHECKS.value(counts, "scraper", what) for what in ("missing", "timeout")] == [3, 1]
    assert CHANGES.value(counts, "scraper") == 0
    assert dict(ANSWER.buckets(counts, "scraper"))["0.25"] == 1
    assert dict(ANSWER.buckets(counts, "scraper"))["+Inf"] == 2
    assert ANSWER.sum_seconds(counts, "scraper") == 3.2
