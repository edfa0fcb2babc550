from __future__ import annotations

from domain.run import RunState
from domain.section import Stagger
from operations import runs
from tests.operations.journal import entries, recorded
from tests.support.house import House


def test_a_run_is_asked_for_and_it_is_recorded_by_whom(rollcall: House) -> None:
    rollcall.watch()
    found, created = runs.trigger(rollcall.services, Stagger.ALL, "ada", origin="console", force=True)
    assert (created, found.trigger) == (True, "console")
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
    assert entries(rollcall)[0].detail == {"stagger": "all", "force": True}
    rollcall.work()
    assert rollcall.reread(found).state is RunState.FINISHED


def test_a_slot_that_had_its_run_is_not_recorded_again(rollcall: House) -> None:
    for _ in range(2):
        found, created = runs.trigger(rollcall.services, None, "ada", origin="cli", force=False)
    assert not created
    assert recorded(rollcall) == [("ada", "run.trigger", f"run/{found.id}", 1)]
