from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check, examine
from rollcall.doctor.finding import Finding, Status, Verdict, failure, ok
from rollcall.settings import parse

SETTINGS = {
    "REDIS_URL": "redis://:hunter%212@nowhere",
    "RESEND_API_KEY": "re_hidden",
    "NOTIFICATION_FROM_EMAIL": "rollcall@example.edu",
}
CASE = InspectedSettings(parse(SETTINGS))


@pytest.fixture
def never() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def check(name: str, verdict: Verdict | Exception, *needs: str) -> Check:
    def look(_case: InspectedSettings) -> Verdict:
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    return Check(name, look, "turn it off and on again", needs)


def test_findings_come_in_the_order_of_the_checks_whatever_they_need() -> None:
    found = examine([check("b", ok("fine"), "a"), check("a", ok("fine"))], CASE)
    assert [finding.id for finding in found] == ["b", "a"]


def test_what_raises_is_a_failure_with_its_remedy() -> None:
    (found,) = examine([check("a", OSError("no such\nthing"))], CASE)
    assert found == Finding("a", Status.FAILURE, "OSError: no such thing", "turn it off and on again")


def test_what_never_answers_is_a_failure_and_keeps_nobody_back(never: threading.Event) -> None:
    def look(_case: InspectedSettings) -> Verdict:
        never.wait(60)
        return ok("at last")

    begun = time.monotonic()
    slow, quick = examine([Check("a", look, "wait", limit_seconds=0.05), check("b", ok("fine"))], CASE)
    assert (slow.status, slow.seen, slow.hint) == (Status.FAILURE, "no answer within 0.05 s", "wait")
    assert quick.status is Status.OK
    assert time.monotonic() - begun < 10


def test_checks_that_wait_for_each_other_do_so_together() -> None:
    both = threading.Barrier(2)

    def look(_case: InspectedSettings) -> Verdict:
        both.wait(10)
        return ok("met")

    found = examine([Check("a", look, "-"), Check("b", look, "-")], CASE)
    assert [finding.seen for finding in found] == ["met", "met"]


def test_what_needs_a_failed_finding_is_not_examined() -> None:
    known = [Finding("settings.PORT", Status.FAILURE, "bad", "correct PORT")]
    asked: list[str] = []

    def look(_case: InspectedSettings) -> Verdict:
        asked.append("c")
        return ok("fine")

    checks = [
        check("a", ok("fine"), "settings.PORT"),
        check("b", failure("down", "up")),
        Check("c", look, "-", ("b",)),
    ]
    _, skipped, failed, after = examine(checks, CASE, known)
    assert (skipped.status, skipped.hint) == (Status.WARNING, "mend settings.PORT first")
    assert failed.status is Status.FAILURE
    assert (after.status, after.hint) == (Status.WARNING, "mend b first")
    assert asked == []


def test_no_secret_is_ever_told() -> None:
    told = failure("hunter!2 and hunter%212 and re_hidden", "use re_hidden")
    (found,) = examine([check("a", told)], CASE)
    assert (found.seen, found.hint) == ("*** and *** and ***", "use ***")
