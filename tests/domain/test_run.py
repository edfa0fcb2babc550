from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.run import Run, RunState
from domain.section import Stagger


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.SKIPPED, RunState.FAILED])
def test_a_run_that_ended_stays_so(state: RunState) -> None:
    assert state.is_final


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.RUNNING])
def test_a_run_that_goes_on_is_not_final(state: RunState) -> None:
    assert not state.is_final


def test_the_names_of_the_states_are_the_contracts() -> None:
    assert [state.value for state in RunState] == ["queued", "running", "finished", "skipped", "failed"]


def test_a_new_run_has_counted_nothing_and_knows_no_times_but_its_own() -> None:
    now = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
    run = Run("r1", "cron", Stagger.EVEN, now, RunState.QUEUED, now)
    assert run.sections == run.checked == run.failed == run.deferred == run.changed == run.notifications == 0
    assert (run.reason, run.started_at, run.finished_at) == (None, None, None)


@pytest.mark.parametrize(
    ("state", "sections", "checked", "is_success"),
    [
        (RunState.FINISHED, 30, 30, True),
        (RunState.FINISHED, 30, 1, True),
        (RunState.FINISHED, 30, 0, False),  # all failed, or all were left to a later run
        (RunState.FINISHED, 0, 0, True),  # nothing was due
        (RunState.RUNNING, 30, 3, False),
        (RunState.SKIPPED, 0, 0, False),
        (RunState.FAILED, 0, 0, False),
    ],
)
def test_a_run_succeeds_when_it_finishes_and_checks_something_that_was_due(
    state: RunState, sections: int, checked: int, is_success: bool
) -> None:
    now = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
    run = Run("r1", "cron", Stagger.EVEN, now, state, now, sections=sections, checked=checked)
    assert run.is_success is is_success
