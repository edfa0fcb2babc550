"""`rollcall credit`: accounts and their credits."""

from __future__ import annotations

from dataclasses import asdict
from uuid import uuid4

import click

from domain.errors import InvalidInputError
from domain.money import MAX_GRANT, Transfer
from operations.jobs import grant as grant_credits
from rollcall.commands.person import shell_user
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def credit() -> None:
    """Grant credits, and look at what became of them."""


@credit.command()
@click.argument("account")
@click.argument("amount", metavar="CREDITS", type=click.IntRange(1, MAX_GRANT))
@click.option("--key", help="Grants once, however often it is given; a new one by default.")
@click.option("--reason", help="Why; it stands in the ledger.")
@json_option
def grant(account: str, amount: int, key: str | None, reason: str | None, *, as_json: bool) -> None:
    """Grant CREDITS to ACCOUNT."""
    with open_system() as system:
        made, created = grant_credits(
            system.services, account, amount, key or uuid4().hex, shell_user(), reason=reason
        )
    if as_json:
        show([asdict(made) | {"created": created}], as_json=True)
    else:
        click.echo(f"{amount} credits granted to {account}" if created else "the key has granted them before")


@credit.command("show")
@click.argument("account")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def show_(account: str, limit: int, *, as_json: bool) -> None:
    """Show what ACCOUNT has, and the latest of its ledger."""
    with open_system() as system:
        ledger = system.services.store.credits
        balance, (found, _) = ledger.balance(account), ledger.page(account, None, limit)
    if balance is None:
        raise InvalidInputError({"account": "was never granted a credit"})
    has = {"account": account, **asdict(balance)}
    if as_json:
        show([has | {"ledger": list(map(asdict, found))}], as_json=True)
        return
    show([has], as_json=False)
    click.echo()
    show([_row(transfer) for transfer in found], as_json=False)


def _row(transfer: Transfer) -> dict[str, object]:
    return {
        "at": transfer.at,
        "purpose": transfer.purpose.value,
        "credits": transfer.credits,
        "job_id": transfer.job_id,
        "reason": transfer.reason,
    }
