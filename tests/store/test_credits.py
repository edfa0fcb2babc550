from __future__ import annotations

from collections import Counter
from contextlib import suppress
from functools import partial
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, delete, func, insert, select, update
from sqlalchemy.exc import DatabaseError

from domain.errors import InvalidInputError, PermanentError
from domain.money import Balance, EntryType, NotEnoughCreditsError
from store.credits import CreditLedger
from store.database import Database
from store.schema import credit_entries, credit_transfers
from tests.store.rivals import together
from tests.support.clock import FakeClock

NOW = FakeClock().now()
ADA, JOB = "ada", "job-1"

_JOBS = st.sampled_from(["one", "two", "three"])
_WORK = st.lists(
    st.tuples(st.just("grant"), st.integers(1, 3))
    | st.tuples(st.sampled_from(["reserve", "capture", "refund"]), _JOBS),
    max_size=14,
)


@pytest.fixture
def ledger(database: Database) -> CreditLedger:
    return CreditLedger(database)


def grant(ledger: CreditLedger, amount: int = 3, key: str = "key-1", account: str = ADA) -> None:
    ledger.grant(account, amount, key, NOW)


def balance(ledger: CreditLedger, account: str = ADA) -> Balance:
    found = ledger.balance(account)
    assert found is not None
    return found


def require_even(database: Database) -> None:
    """Every transfer is two entries that come to zero, and every pot's last balance is its sum."""
    account_types = credit_entries.c
    per_transfer = select(func.count(), func.sum(account_types.amount)).group_by(account_types.transfer_id)
    sums = select(account_types.account, account_types.account_type, func.sum(account_types.amount)).group_by(
        account_types.account, account_types.account_type
    )
    lasts = select(account_types.account, account_types.account_type, account_types.balance).order_by(
        account_types.id
    )
    with database.read() as connection:
        assert {(count, int(total)) for count, total in connection.execute(per_transfer)} <= {(2, 0)}
        found = {
            (account, account_type): int(total) for account, account_type, total in connection.execute(sums)
        }
        assert found == {
            (account, account_type): last for account, account_type, last in connection.execute(lasts)
        }


def test_an_account_that_was_never_granted_anything_is_not_one(ledger: CreditLedger) -> None:
    assert ledger.balance(ADA) is None
    assert ledger.page(ADA, None, 10) == ([], None)


def test_a_credit_goes_from_available_to_held_to_spent(ledger: CreditLedger, database: Database) -> None:
    grant(ledger)
    ledger.reserve(ADA, JOB, 1, NOW)
    assert balance(ledger) == Balance(available=2, held=1)
    ledger.capture(ADA, JOB, NOW)
    assert balance(ledger) == Balance(available=2, spent=1)
    purposes = [transfer.entry_type for transfer in ledger.page(ADA, None, 10)[0]]
    assert purposes == [EntryType.CAPTURE, EntryType.RESERVE, EntryType.GRANT]
    require_even(database)


def test_each_purpose_of_a_job_is_done_once(ledger: CreditLedger) -> None:
    grant(ledger)
    for _ in range(2):
        ledger.reserve(ADA, JOB, 1, NOW)
    for _ in range(2):
        ledger.capture(ADA, JOB, NOW)
    assert balance(ledger) == Balance(available=2, spent=1)
    assert [ledger.refund(ADA, JOB, NOW) for _ in range(2)] == [1, 1]
    assert balance(ledger) == Balance(available=3)


def test_what_was_refunded_is_never_captured_nor_reserved_again(ledger: CreditLedger) -> None:
    grant(ledger)
    ledger.reserve(ADA, JOB, 1, NOW)
    ledger.refund(ADA, JOB, NOW)
    for late in (partial(ledger.capture, ADA, JOB), partial(ledger.reserve, ADA, JOB, 1)):
        with pytest.raises(PermanentError):
            late(NOW)
    assert balance(ledger) == Balance(available=3)


def test_a_refund_of_nothing_keeps_a_late_worker_from_reserving(ledger: CreditLedger) -> None:
    grant(ledger)
    assert ledger.refund(ADA, JOB, NOW) == 0
    with pytest.raises(PermanentError, match="given back already"):
        ledger.reserve(ADA, JOB, 1, NOW)
    assert (balance(ledger), len(ledger.page(ADA, None, 10)[0])) == (Balance(available=3), 1)


def test_too_few_credits_are_reported_and_nothing_is_held(ledger: CreditLedger) -> None:
    with pytest.raises(NotEnoughCreditsError, match="it takes 1, 0 available"):
        ledger.reserve(ADA, JOB, 1, NOW)
    assert ledger.balance(ADA) is None
    with pytest.raises(PermanentError, match="no credits are held"):
        ledger.capture(ADA, JOB, NOW)


def test_a_key_grants_once_to_each_account(ledger: CreditLedger) -> None:
    first, is_new = ledger.grant(ADA, 3, "key", NOW, reason="welcome")
    assert (is_new, first.credits, first.reason) == (True, 3, "welcome")
    assert ledger.grant(ADA, 3, "key", NOW) == (first, False)
    assert ledger.grant("bob", 3, "key", NOW)[1]
    with pytest.raises(InvalidInputError, match="credits: was 3"):
        ledger.grant(ADA, 4, "key", NOW)
    assert balance(ledger) == Balance(available=3)


def test_the_ledger_comes_in_pages_newest_first(ledger: CreditLedger) -> None:
    for number in range(5):
        grant(ledger, number + 1, f"key-{number}")
    grant(ledger, 9, account="bob")
    first, following = ledger.page(ADA, None, 3)
    second, last = ledger.page(ADA, following, 3)
    assert ([each.credits for each in first + second], last) == ([5, 4, 3, 2, 1], None)


@pytest.mark.parametrize("table", [credit_transfers, credit_entries], ids=lambda table: table.name)
def test_the_database_itself_refuses_to_change_the_ledger(
    ledger: CreditLedger, database: Database, table: Table
) -> None:
    grant(ledger)
    for statement in (update(table).values(account="eve"), delete(table)):
        with pytest.raises(DatabaseError, match="append-only"), database.write() as connection:
            connection.execute(statement)
    assert balance(ledger) == Balance(available=3)


def test_the_database_itself_refuses_a_balance_below_zero(ledger: CreditLedger, database: Database) -> None:
    grant(ledger)
    row = {"transfer_id": 1, "account": ADA, "account_type": "held", "amount": -1, "balance": -1}
    with pytest.raises(DatabaseError, match="ck_credit_entries_balance"), database.write() as connection:
        connection.execute(insert(credit_entries).values(row))


def spend(ledger: CreditLedger, account: str, job_id: str, end: str) -> str:
    """Reserve a credit twice over, as after a crash, and end as `end` says; "refused" without a credit."""
    try:
        for _ in range(2):
            ledger.reserve(account, job_id, 1, NOW)
    except NotEnoughCreditsError:
        return "refused"
    if end == "capture":
        ledger.capture(account, job_id, NOW)
    return end


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(granted=st.integers(1, 4), ends=st.lists(st.sampled_from(["hold", "capture"]), min_size=2, max_size=8))
def test_of_reservations_at_the_same_time_as_many_succeed_as_there_are_credits(
    database: Database, granted: int, ends: list[str]
) -> None:
    ledger, account = CreditLedger(database), uuid4().hex
    grant(ledger, granted, account=account)
    jobs = [(f"{account}-{number}", end) for number, end in enumerate(ends)]
    done = Counter(together(*[partial(spend, ledger, account, job_id, end) for job_id, end in jobs]))
    assert done["refused"] == max(0, len(ends) - granted)
    left = granted - done["hold"] - done["capture"]
    assert balance(ledger, account) == Balance(left, done["hold"], done["capture"])
    require_even(database)


def test_capture_and_refund_at_the_same_time_leave_the_job_refunded(ledger: CreditLedger) -> None:
    grant(ledger, 1)
    ledger.reserve(ADA, JOB, 1, NOW)

    def capture() -> None:
        with suppress(PermanentError):
            ledger.capture(ADA, JOB, NOW)

    together(capture, lambda: ledger.refund(ADA, JOB, NOW) and None)
    assert balance(ledger) == Balance(available=1)


def test_the_same_grant_at_the_same_time_counts_once(ledger: CreditLedger) -> None:
    found = together(*[partial(ledger.grant, ADA, 3, "key", NOW)] * 4)
    assert sorted(is_new for _, is_new in found) == [False, False, False, True]
    assert balance(ledger) == Balance(available=3)


def do(ledger: CreditLedger, account: str, deed: str, what: int | str, key: str) -> None:
    if deed == "grant":
        ledger.grant(account, int(what), key, NOW)
    elif deed == "reserve":
        ledger.reserve(account, f"{account}-{what}", 1, NOW)
    elif deed == "capture":
        ledger.capture(account, f"{account}-{what}", NOW)
    else:
        ledger.refund(account, f"{account}-{what}", NOW)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(work=_WORK)
def test_whatever_is_done_in_whatever_order_the_books_are_even(
    database: Database, work: list[tuple[str, int | str]]
) -> None:
    ledger, account = CreditLedger(database), uuid4().hex
    issued = 0
    ledger.grant(account, 1, "first", NOW)
    for number, (deed, what) in enumerate(work):
        with suppress(PermanentError):
            do(ledger, account, deed, what, f"key-{number}")
        issued += int(what) if deed == "grant" else 0
        found = balance(ledger, account)
        assert min(found.available, found.held, found.spent) >= 0
        assert found.available + found.held + found.spent == issued + 1
    require_even(database)
