from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import InvalidInputError, TransientError, UpstreamError
from domain.observation import Missing, Observation
from domain.run import RunState
from domain.section_state import MISSES_TO_RETIRE
from operations import section_check
from resilience.breaker_model import CircuitBreakerError
from resilience.lease import LeaseHeldError
from tests.operations.journal import do, recorded
from tests.support.catalog import Row
from tests.support.harness import Harness
from tests.support.superseded_lease import superseded


def check(rollcall: Harness, *, dry_run: bool = False) -> section_check.SectionCheckResult:
    section = {"source": "scraper", "term": "2261", "section": "12430"}
    return do(rollcall, section_check.CHECK, dry_run=dry_run, **section).value


def look(rollcall: Harness) -> section_check.SectionCheckResult:
    return check(rollcall, dry_run=True)


def test_a_look_shows_the_answer_and_stores_nothing(rollcall: Harness) -> None:
    rollcall.catalog.rows[rollcall.key()] = Row(3)
    outcome = look(rollcall)
    assert isinstance(outcome, Observation)
    assert section_check.describe(outcome) == "3 of 30 seats open"
    assert rollcall.services.store.sections.get(rollcall.key()) is None
    assert recorded(rollcall) == [("ada", "section.look", f"section/{rollcall.key()}", 1)]


def test_a_check_is_stored_and_its_change_is_news(rollcall: Harness) -> None:
    rollcall.watch()
    for open_seats in (0, 2):
        rollcall.catalog.rows[rollcall.key()] = Row(open_seats)
        check(rollcall)
        rollcall.clock.advance(1)
    rollcall.process_messages()
    assert [message.to for message in rollcall.mailer.sent] == ["ada@example.edu"]
    runs, _ = rollcall.services.store.runs.page(None, 10)
    assert [(run.state, run.trigger) for run in runs] == [(RunState.FINISHED, "cli-check")] * 2
    assert recorded(rollcall) == [("ada", "section.check", f"section/{rollcall.key()}", 1)] * 2


def test_a_section_that_the_catalog_does_not_have_is_said_to_be_missing(rollcall: Harness) -> None:
    outcome = look(rollcall)
    assert isinstance(outcome, Missing)
    assert section_check.describe(outcome) == "the catalog does not list the section"


def test_asking_again_and_again_for_what_is_missing_stores_nothing_and_retires_nothing(
    rollcall: Harness,
) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)
    rollcall.run()
    before = rollcall.services.store.sections.get(rollcall.key())
    del rollcall.catalog.rows[rollcall.key()]
    for _ in range(MISSES_TO_RETIRE + 1):
        rollcall.clock.advance(1)
        outcome = check(rollcall)
        assert isinstance(outcome, Missing)
    assert rollcall.services.store.sections.get(rollcall.key()) == before
    assert len(recorded(rollcall)) == MISSES_TO_RETIRE + 1


def test_while_a_run_begins_nothing_is_stored_and_no_run_is_left_behind(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)
    rollcall.services.cron_lease.acquire("a run", {"run": "a run"})
    with pytest.raises(LeaseHeldError):
        check(rollcall)
    assert rollcall.services.store.runs.page(None, 10) == ([], None)


def test_a_check_that_is_overtaken_leaves_no_run_in_the_queue(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.catalog.rows[rollcall.key()] = Row(1)
    rollcall.admin = replace(rollcall.admin, services=superseded(rollcall.services))
    with pytest.raises(TransientError, match="had passed to another"):
        check(rollcall)
    runs, _ = rollcall.services.store.runs.page(None, 10)
    assert [run.state for run in runs] == [RunState.FAILED, RunState.FINISHED]


def test_seats_that_no_one_knows_are_not_none(rollcall: Harness) -> None:
    rollcall.catalog.rows[rollcall.key()] = Row(None, None)
    outcome = look(rollcall)
    assert section_check.describe(outcome) == "the catalog does not say how many seats are open"


def test_a_failure_is_raised_counts_for_the_breaker_and_is_not_recorded(rollcall: Harness) -> None:
    rollcall.catalog.errors[rollcall.key()] = UpstreamError("HTTP 503")
    with pytest.raises(UpstreamError):
        look(rollcall)
    assert rollcall.services.breakers["scraper"].snapshot().failures == 1
    assert recorded(rollcall) == []


def test_an_open_breaker_lets_no_question_out(rollcall: Harness) -> None:
    rollcall.services.breakers["scraper"].force_open("ada")
    with pytest.raises(CircuitBreakerError):
        look(rollcall)
    assert rollcall.catalog.calls == []


@pytest.mark.parametrize(
    ("key", "fields"),
    [(("nowhere", "2261", "12430"), {"source"}), (("scraper", "", "'"), {"term", "section"})],
)
def test_what_cannot_be_asked_for_is_named(
    rollcall: Harness, key: tuple[str, str, str], fields: set[str]
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        do(rollcall, section_check.CHECK, source=key[0], term=key[1], section=key[2])
    assert set(caught.value.problems) == fields


def test_what_no_one_ever_watched_is_not_stored(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError, match="has never been watched; a dry run can check it"):
        check(rollcall)
