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
