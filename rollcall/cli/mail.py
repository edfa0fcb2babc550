"""`rollcall mail`: notifications, messages, pauses and suppressed addresses."""

from __future__ import annotations

from dataclasses import asdict

import click

from domain.notification import NotificationState
from operations import mail as messages
from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def mail() -> None:
    """Look at notifications and letters, send dead ones again, pause mail, and lift suppressions."""


@mail.command("ls")
@click.option(
    "--state", type=click.Choice([state.value for state in NotificationState]), help="In this state."
)
@click.option("--watch", "watch_id", type=int, help="Of the watch with this number.")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(state: str | None, watch_id: int | None, limit: int, *, as_json: bool) -> None:
    """List the latest notifications."""
    wanted = None if state is None else NotificationState(state)
    with open_system() as system:
        page, _ = system.services.store.deliveries.page(
            watch_id=watch_id, state=wanted, before=None, limit=limit
        )
    rows = [
        {
            "id": stored.notification.id,
            "email": stored.notification.email,
            "kind": stored.notification.kind,
            "section": str(stored.notification.key),
            "episode": stored.notification.episode,
            "state": stored.state,
            "reason": stored.reason,
            "observed_at": stored.notification.observed_at,
            "sent_at": stored.sent_at,
        }
        for stored in page
    ]
    show(rows, as_json=as_json, empty="there are no such notifications")


@mail.command()
@click.argument("notification_id", type=int)
@click.option("--html", "is_html", is_flag=True, help="The HTML part instead of the text.")
@json_option
def preview(notification_id: int, *, is_html: bool, as_json: bool) -> None:
    """Show the letter of the notification NOTIFICATION_ID, with its headers."""
    with open_system() as system:
        message = messages.preview(system.services, notification_id)
    if as_json:
        show([asdict(message)], as_json=True)
        return
    named = {"From": message.sender, "To": message.to, "Subject": message.subject, **message.headers}
    for name, value in named.items():
        click.echo(f"{name}: {value}")
    click.echo("\n" + (message.html if is_html else message.text))


@mail.command()
@click.option("--after", help="Those after this address.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def suppressions(after: str | None, limit: int, *, as_json: bool) -> None:
    """List the addresses to which nothing leaves, and why."""
    with open_system() as system:
        found, _ = system.services.store.deliveries.suppressed(after, limit)
    show(map(asdict, found), as_json=as_json, empty="mail to no address is suppressed")
