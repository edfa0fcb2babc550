from __future__ import annotations

from operations import runs
from tests.operations.journal import do, entries, recorded
from tests.support.harness import Harness


def test_the_lease_is_taken_from_its_holder_and_that_is_recorded(rollcall: Harness) -> None:
    rollcall.services.cron_lease.acquire("run 1", {"host": "a", "pid": "7"})
    holder = do(rollcall, runs.RELEASE_LEASE).value
    assert holder is not None
    assert holder.token == "run 1"
    assert rollcall.services.cron_lease.held() is None
    assert recorded(rollcall) == [("ada", "lease.release", "lease/section-checks", 1)]
    assert entries(rollcall)[0].detail == {"holder": {"host": "a", "pid": "7"}}


def test_where_no_one_holds_it_nothing_was_done(rollcall: Harness) -> None:
    assert do(rollcall, runs.RELEASE_LEASE).value is None
    assert recorded(rollcall) == []
