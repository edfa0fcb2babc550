"""`rollcall mail`: notifications on their way, and suppressed addresses."""

from __future__ import annotations

import click

from domain.errors import InvalidInputError
from domain.notice import NoticeState
from domain.watch import normal_address
from rollcall.output import json_option, show
from rollcall.process import open_system


@click.group()
def mail() -> None:
    """Look at notifications, and lift suppressions."""


@mail.command("ls")
@click.option("--state", type=click.Choice([state.value for state in NoticeState]))
@click.option("--watch", "watch_id", type=int)
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True)
@json_option
def list_(state: str | None, watch_id: int | None, limit: int, *, as_json: bool) -> None:
    """List the latest notifications."""
    wanted = None if state is None else NoticeState(state)
    with open_system() as system:
        page, _ = system.services.store.deliveries.page(
            watch_id=watch_id, state=wanted, before=None, limit=limit
        )
    rows = [
        {
            "id": stored.notice.id,
            "email": stored.notice.email,
            "kind": stored.notice.kind,
            "section": str(stored.notice.key),
            "episode": stored.notice.episode,
            "state": stored.state,
            "reason": stored.reason,
            "observed_at": stored.notice.observed_at,
            "sent_at": stored.sent_at,
        }
        for stored in page
    ]
    show(rows, as_json=as_json, empty="there are no such notifications")


@mail.command()
@click.argument("email")
def lift(email: str) -> None:
    """Let mail to EMAIL leave again after a bounce or a complaint."""
    address = normal_address(email)
    with open_system() as system:
        if address is None or not system.services.store.deliveries.lift(address):
            raise InvalidInputError({"email": "mail to this address is not suppressed"})
    click.echo(f"mail to {address} may leave again")
