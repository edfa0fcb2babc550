from __future__ import annotations

import pytest

from domain.errors import InvalidInputError
from domain.money import Balance
from operations import jobs as accounts
from tests.operations.journal import entries, recorded
from tests.support.house import House


def test_a_grant_is_recorded_with_who_made_it(rollcall: House) -> None:
    made, created = accounts.grant(rollcall.services, "ada", 5, "key", "eve", reason="a gift")
    assert (created, made.credits) == (True, 5)
    assert recorded(rollcall) == [("eve", "credit.grant", "account/ada", 1)]
    assert entries(rollcall)[0].detail == {"credits": 5, "key": "key", "reason": "a gift"}
    assert rollcall.services.store.credits.balance("ada") == Balance(available=5)


def test_a_repetition_changes_nothing_and_is_not_recorded(rollcall: House) -> None:
    first, _ = accounts.grant(rollcall.services, "ada", 5, "key", "eve")
    assert accounts.grant(rollcall.services, "ada", 5, "key", "eve") == (first, False)
    assert len(recorded(rollcall)) == 1


@pytest.mark.parametrize(("account", "amount", "field"), [("a b", 1, "account"), ("ada", 0, "credits")])
def test_what_makes_no_sense_is_named(rollcall: House, account: str, amount: int, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        accounts.grant(rollcall.services, account, amount, "key", "eve")
    assert set(refused.value.problems) == {field}
    assert recorded(rollcall) == []
