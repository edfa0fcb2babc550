"""What the actors count of their work."""

from __future__ import annotations

import pytest

from domain.errors import RejectedError, UpstreamTimeoutError
from observability.recorders import CHECKS, DELIVERIES, NOTIFICATION_LATENCY, SECTION_EVENTS
from tests.support.catalog import Row
from tests.support.harness import Harness


def counted(rollcall: Harness) -> dict[str, float]:
    """What was counted since the last time, by check outcome, mail outcome, and changes."""
    counts = rollcall.services.recorder.take()
    checks = {name: CHECKS.value(counts, "scraper", name) for name in ("observed", "missing", "timeout")}
    mails = {name: DELIVERIES.value(counts, name) for name in ("sent", "dead")}
    found = checks | mails | {"changes": SECTION_EVENTS.value(counts, "scraper")}
    latencies = NOTIFICATION_LATENCY.buckets(counts)
    slow_mails, quick_mails = latencies[-1][1], latencies[0][1]
    assert slow_mails == found["sent"]
    return {name: n for name, n in (found | {"quick mails": quick_mails}).items() if n}


@pytest.fixture
def opened(rollcall: Harness) -> Harness:
    """A watched section whose seat has opened since it was seen; nothing is counted yet."""
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=0)
    rollcall.run()
    rollcall.clock.advance(3600)
    rollcall.catalog.rows[rollcall.key()] = Row(open_seats=2)
    counted(rollcall)
    return rollcall


def test_an_opening_is_a_check_a_change_and_a_mail(opened: Harness) -> None:
    opened.run()
    assert counted(opened) == {"observed": 1, "changes": 1, "sent": 1, "quick mails": 1}


def test_what_the_source_says_is_counted_by_its_kind(opened: Harness) -> None:
    for number in ("12440", "12450"):
        opened.watch(number)
    opened.catalog.errors[opened.key("12450")] = UpstreamTimeoutError("no answer")
    opened.catalog.rows[opened.key()] = Row(open_seats=0)
    opened.run()
    assert counted(opened) == {"observed": 1, "missing": 1, "timeout": 1}


def test_a_mail_that_must_wait_counts_once_it_is_sent_and_by_its_whole_age(opened: Harness) -> None:
    opened.mailer.errors.append(UpstreamTimeoutError("no answer"))
    opened.run()
    assert counted(opened) == {"observed": 1, "changes": 1}
    opened.advance(30)
    assert counted(opened) == {"sent": 1}


def test_a_mail_that_is_refused_is_dead(opened: Harness) -> None:
    opened.mailer.errors.append(RejectedError("never"))
    opened.run()
    assert counted(opened) == {"observed": 1, "changes": 1, "dead": 1}
