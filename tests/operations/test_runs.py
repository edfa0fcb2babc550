from __future__ import annotations

from domain.run import RunState
from operations import runs
from operations.context import Surface
from tests.operations.journal import do, entries, recorded
from tests.support.house import House


def test_a_run_is_asked_for_and_it_is_recorded_by_whom(rollcall: House) -> None:
    rollcall.watch()
    rollcall.room = rollcall.room.on(Surface.CONSOLE)
    found, created = do(rollcall, runs.TRIGGER, stagger="all", force=True).value
    assert (created, found.trigger) == (True, "console")
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
    assert entries(rollcall)[0].detail == {"stagger": "all", "force": True}
    rollcall.work()
    assert rollcall.reread(found).state is RunState.FINISHED


def test_a_slot_that_had_its_run_is_not_recorded_again(rollcall: House) -> None:
    for _ in range(2):
        found, created = do(rollcall, runs.TRIGGER).value
    assert not created
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
