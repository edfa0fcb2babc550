from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity, alerts, evaluate, healthy, worst

BROKEN = AlertMessage("It is broken", "The cause.", "rollcall doctor")


def check(
    name: str, *results: Result, needs: tuple[str, ...] = (), error: Exception | None = None
) -> Check[None]:
    def read(_: None) -> Iterator[Result]:
        if error is not None:
            raise error
        yield from results

    return Check(name, read, Severity.DEGRADED, (Part.POLLING,), "look", "runbook", needs=needs)


def test_a_healthy_subject_is_a_finding_and_no_alert() -> None:
    found = evaluate([check("disk", Result("home"))], None)
    assert alerts(found) == {"unreadable/disk": None, "disk/home": None}
    assert worst(found) is Severity.HEALTHY


def test_a_failure_has_the_severity_of_its_check() -> None:
    found = evaluate([check("disk", Result("home", BROKEN), Result("other"))], None)
    assert alerts(found)["disk/home"] is BROKEN
    assert worst(found) is Severity.DEGRADED


def test_a_check_that_raises_is_a_finding_and_judges_none_of_its_subjects() -> None:
    found = alerts(evaluate([check("disk", error=OSError("gone"))], None))
    assert list(found) == ["unreadable/disk"]
    failure = found["unreadable/disk"]
    assert failure is not None
    assert (failure.subject, failure.command, failure.pending_for) == (
        "Cannot read disk",
        "look",
        timedelta(minutes=2),
    )


@pytest.mark.parametrize(
    ("server", "is_alert"),
    [
        (Result("server", BROKEN, severity=Severity.UNHEALTHY), False),
        (Result("server", BROKEN), True),
        (Result("server"), True),
    ],
)
def test_what_a_failing_server_explains_is_bad_and_no_alert_of_its_own(
    server: Result, is_alert: bool
) -> None:
    found = evaluate([check("redis", server), check("queues", needs=("redis",), error=OSError("gone"))], None)
    assert (alerts(found)["unreadable/queues"] is not None) is is_alert
    assert found[-1].severity is Severity.DEGRADED


def test_a_result_may_affect_another_part_than_its_check() -> None:
    found = evaluate([check("breakers", Result("mail", BROKEN, (Part.SENDING,)), Result("scraper"))], None)
    assert [finding.affects for finding in found[1:]] == [(Part.SENDING,), (Part.POLLING,)]


def test_a_failure_is_pending_for_as_long_as_its_check_says_or_its_message_if_that_is_longer() -> None:
    long = AlertMessage("It is broken", "", "look", timedelta(minutes=30))
    patient = replace(check("disk", Result("a", BROKEN), Result("b", long)), pending_for=timedelta(minutes=5))
    found = alerts(evaluate([patient], None))
    pending = [failure.pending_for for failure in found.values() if failure is not None]
    assert pending == [timedelta(minutes=5), timedelta(minutes=30)]


def test_without_a_subject_a_finding_has_the_name_of_its_check() -> None:
    found = evaluate([check("home", healthy("it can be written"))], None)
    assert [finding.name for finding in found] == ["unreadable/home", "home"]
