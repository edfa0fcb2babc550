from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidInputError
from domain.money import Balance
from operations import jobs
from tests.operations.journal import do, entries, recorded
from tests.support.harness import Harness

GRANT: dict[str, Any] = {"account": "ada", "credits": 5, "key": "key"}


def test_a_grant_is_recorded_with_who_made_it(rollcall: Harness) -> None:
    made, created = do(rollcall, jobs.GRANT, "eve", **GRANT, reason="a gift").value
    assert (created, made.credits) == (True, 5)
    assert recorded(rollcall) == [("eve", "credit.grant", "account/ada", 1)]
    assert entries(rollcall)[0].detail == {"credits": 5, "key": "key", "reason": "a gift"}
    assert rollcall.services.store.credits.balance("ada") == Balance(available=5)


def test_a_repetition_changes_nothing_and_is_not_recorded(rollcall: Harness) -> None:
    first, _ = do(rollcall, jobs.GRANT, **GRANT).value
    assert do(rollcall, jobs.GRANT, **GRANT).value == (first, False)
    assert len(recorded(rollcall)) == 1


@pytest.mark.parametrize(("account", "amount", "field"), [("a b", 1, "account"), ("ada", 0, "credits")])
def test_what_makes_no_sense_is_named(rollcall: Harness, account: str, amount: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        do(rollcall, jobs.GRANT, account=account, credits=amount)
    assert set(refused.value.problems) == {field}
    assert recorded(rollcall) == []


def test_a_job_is_started_and_cancelled_and_both_are_recorded_once(rollcall: Harness) -> None:
    wanted = {"kind": "errand", "input": {"journal": "x"}, "idempotency_key": "a"}
    job, is_new = do(rollcall, jobs.START, **wanted).value
    assert is_new
    assert do(rollcall, jobs.START, **wanted).value == (job, False)
    for _ in range(2):
        do(rollcall, jobs.CANCEL, "bob", job_id=job.id)
    assert recorded(rollcall) == [
        ("ada", "job.start", f"job/{job.id}", 1),
        ("bob", "job.cancel", f"job/{job.id}", 1),
    ]
    assert entries(rollcall)[0].detail == {"kind": "errand"}


def test_an_input_that_its_kind_rejects_starts_nothing(rollcall: Harness) -> None:
    with pytest.raises(InvalidInputError):
        do(rollcall, jobs.START, kind="nothing", input={})
    assert recorded(rollcall) == []
