from __future__ import annotations

from domain.run import RunState
from operations import runs
from operations.context import Surface
from tests.operations.journal import do, entries, recorded
from tests.support.harness import Harness


def test_a_run_is_asked_for_and_it_is_recorded_by_whom(rollcall: Harness) -> None:
    rollcall.watch()
    rollcall.admin = rollcall.admin.on(Surface.CONSOLE)
    found, created = do(rollcall, runs.TRIGGER, stagger="all", force=True).value
    assert (created, found.trigger) == (True, "console")
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
    assert entries(rollcall)[0].detail == {"stagger": "all", "force": True}
    rollcall.process_messages()
    assert rollcall.reload(found).state is RunState.FINISHED


def test_a_slot_that_had_its_run_is_not_recorded_again(rollcall: Harness) -> None:
    for _ in range(2):
        found, created = do(rollcall, runs.TRIGGER).value
    assert not created
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
