"""`rollcall mail`: notifications, messages, pauses and suppressed addresses."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import click

from actors.deliver import MAIL
from domain.notification import Accepted, NotificationState
from domain.watch import ALL_NOTIFICATION_KINDS, NotificationKind
from operations import mail as messages
from operations import pauses
from rollcall.cli.duration import Duration, for_option
from rollcall.cli.output import json_option, show
from rollcall.cli.person import shell_user
from rollcall.process import open_system
from store.dead_mail import DeadMail


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
@for_option
@click.option("--reason", required=True, help="Why; whoever is alerted reads it.")
def pause(length: timedelta, reason: str) -> None:
    """Send nothing for a while: what is due waits."""
    with open_system() as system:
        found = pauses.pause(system.services, MAIL, length, reason, shell_user())
    click.echo(f"mail is paused until {found.until:%Y-%m-%d %H:%M:%S} UTC")


@mail.command()
def resume() -> None:
    """Send again, whoever paused it."""
    with open_system() as system:
        was_paused = pauses.resume(system.services, MAIL, shell_user())
    click.echo("mail goes on" if was_paused else "mail was not paused")


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


@mail.command("send-test")
@click.argument("email")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in ALL_NOTIFICATION_KINDS]),
    default=NotificationKind.SEAT_AVAILABLE.value,
    show_default=True,
    help="What the letter tells.",
)
def send_test(email: str, kind: str) -> None:
    """Send EMAIL a sample letter now, and show what the transport said."""
    with open_system() as system:
        receipt = messages.send_test(system.services, email, shell_user(), NotificationKind(kind))
        transport = system.services.mailer.name
    if isinstance(receipt, Accepted):
        click.echo(f"{transport} took it as {receipt}")
    else:
        raise click.ClickException(f"{transport} refused it: {receipt.reason}")


@mail.command()
@click.argument("notification_ids", nargs=-1, type=int)
@click.option("--cause", help="Whose reason contains this.")
@click.option("--older-than", type=Duration(), help="Dead for longer: 90s, 30m, 12h, 7d.")
@click.option(
    "--include-unknown", "is_unknown_meant", is_flag=True, help="Also what may have been sent: twice, then."
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help="At most so many a second, and an hour's worth at once.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@json_option
def retry(rate: float | None, *, dry_run: bool, is_sure: bool, as_json: bool, **filters: Any) -> None:
    """Send dead notifications again: all that the filters and NOTIFICATION_IDS mean.

    Each is judged before it leaves: what is no longer so is not sent.
    """
    wanted = DeadMail(**filters)
    with open_system() as system:
        services = system.services
        matched, done = services.store.dead_mail.count(wanted, services.clock.now()), 0
        click.echo(f"{matched} dead notifications match", err=as_json)
        if matched and not dry_run:
            if not is_sure:
                click.confirm("retry them?", abort=True, err=as_json)
            done = messages.retry(services, wanted, shell_user(), per_second=rate)
    if as_json:
        show([{"action": "retry", "matched": matched, "done": done, "dry_run": dry_run}], as_json=True)
    else:
        click.echo(f"retry: {done}" + (" (dry run)" if dry_run else ""))


@mail.command()
@click.option("--after", help="Those after this address.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def suppressions(after: str | None, limit: int, *, as_json: bool) -> None:
    """List the addresses to which nothing leaves, and why."""
    with open_system() as system:
        found, _ = system.services.store.deliveries.suppressed(after, limit)
    show(map(asdict, found), as_json=as_json, empty="mail to no address is suppressed")


@mail.command()
@click.argument("email")
def lift(email: str) -> None:
    """Let mail to EMAIL leave again after a bounce or a complaint.

    Where the person has stopped all mail, only they can allow it again: with a link in any mail they had.
    """
    with open_system() as system:
        messages.lift(system.services, email, shell_user())
    click.echo(f"mail to {email} may leave again")
