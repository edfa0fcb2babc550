"""`rollcall payment`: payments and their refunds."""

from __future__ import annotations

import click

from domain.money import Payment
from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def payment() -> None:
    """Look at payments and what became of their refunds."""


@payment.command("ls")
@click.option("--unsettled", is_flag=True, help="Only refunds that failed or have not succeeded yet.")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(limit: int, *, unsettled: bool, as_json: bool) -> None:
    """List the latest payments."""
    with open_system() as system:
        store, now = system.services.store, system.services.clock.now()
        found = store.refunds.unresolved(now)[:limit] if unsettled else store.payments.latest(limit)
    show([_row(each) for each in found], as_json=as_json, empty="there is no such payment")


def _row(found: Payment) -> dict[str, object]:
    refund = found.refund
    return {
        "session_id": found.session_id,
        "payment": found.payment,
        "amount": found.amount,
        "currency": found.currency,
        "job_id": found.job_id,
        "failure_reason": found.failure_reason,
        "refund_id": None if refund is None else refund.id,
        "refund_state": None if refund is None else refund.state.value,
        "refund_reason": None if refund is None else refund.reason,
        "refunded_at": found.refunded_at,
    }
