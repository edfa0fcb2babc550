from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity, alerts, evaluate, worst

BROKEN = AlertMessage("It is broken", "The cause.", "rollcall doctor")


def check(name: str, *results: Result, needs: str = "", error: Exception | None = None) -> Check[None]:
    def read(_: None) -> Iterator[Result]:
        if error is not None:
            raise error
        yield from results

    return Check(name, read, Severity.DEGRADED, (Part.POLLING,), "look", "runbook", needs=needs)


def test_what_is_well_is_named_and_is_no_alert() -> None:
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
    assert (failure.subject, failure.command, failure.hold_off) == (
        "Cannot read disk",
        "look",
        timedelta(minutes=2),
    )


@pytest.mark.parametrize(
    ("server", "is_alert"), [(Result("server", BROKEN), False), (Result("server"), True)]
)
def test_what_a_failing_server_explains_is_bad_and_no_alert_of_its_own(
    server: Result, is_alert: bool
) -> None:
    found = evaluate([check("redis", server), check("queues", needs="redis", error=OSError("gone"))], None)
    assert (alerts(found)["unreadable/queues"] is not None) is is_alert
    assert found[-1].severity is Severity.DEGRADED


def test_a_result_may_affect_another_part_than_its_check() -> None:
    found = evaluate([check("breakers", Result("mail", BROKEN, (Part.SENDING,)), Result("scraper"))], None)
    assert [finding.affects for finding in found[1:]] == [(Part.SENDING,), (Part.POLLING,)]
