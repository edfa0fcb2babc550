from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from domain.errors import InvalidInputError
from domain.job import NewJob, Profile
from domain.money import Checkout, PaymentDecision, PaymentEvent, Refund, RefundState
from store.database import Database
from store.payments import Payments
from store.refunds import Refunds
from tests.rollcall.cli.conftest import Command
from tests.support.harness import sqlite_url

Rows = Callable[..., Any]
CHECKOUT = Checkout("cs_1", is_paid=True, payment="pi_1", amount=900, currency="usd")


def paid(run: Command, home: Path) -> None:
    """An order whose refund has failed."""
    assert run("payment", "ls").stdout == "there is no such payment\n"
    database, now = Database(sqlite_url(home)), datetime.now(UTC)
    event = PaymentEvent("evt_1", "checkout.session.completed", CHECKOUT)
    Payments(database).record(event, PaymentDecision.TAKEN, now, job=NewJob("report", Profile.REALTIME, {}))
    Refunds(database).record("cs_1", Refund("re_1", RefundState.FAILED, reason="declined"), now)
    database.close()


def test_a_failed_refund_is_listed_until_it_is_resolved(run: Command, rows: Rows, home: Path) -> None:
    paid(run, home)
    for listing in (rows("payment", "ls"), rows("payment", "ls", "--unsettled")):
        (found,) = listing
        assert [found[name] for name in ("session_id", "amount", "currency")] == ["cs_1", 900, "usd"]
        assert [found[name] for name in ("refund_id", "refund_state")] == ["re_1", "failed"]
        assert found["refund_reason"] == "declined"

    done = run("payment", "resolve", "cs_1", "--reason", "bank transfer")

    assert done.stdout == "Marked the refund of cs_1 as settled.\n"
    assert rows("payment", "ls", "--unsettled") == []
    assert len(rows("payment", "ls")) == 1
    assert [row["action"] for row in rows("audit", "ls")] == ["payment.resolve"]


def test_a_payment_that_is_not_known_is_named(run: Command) -> None:
    error = run("payment", "resolve", "cs_2", "--reason", "by hand").exception
    assert isinstance(error, InvalidInputError)
    assert set(error.problems) == {"session_id"}
