"""`rollcall timeline`: what happened, and why a notification is missing. `rollcall audit`: operations."""

from __future__ import annotations

import json

import click

from domain.section import SectionKey
from operations import timeline as timelines
from operations.timeline_events import Event, Timeline
from rollcall.cli.output import json_option, show
from rollcall.process import open_system
from store.audit import Record


@click.group()
def timeline() -> None:
    """Follow a watch, a section, an address or a notification from seen to delivered."""


@timeline.command()
@click.argument("watch_id", type=int)
@json_option
def watch(watch_id: int, *, as_json: bool) -> None:
    """Show the notifications of the watch WATCH_ID, and the reason for each missing one."""
    with open_system() as system:
        found = timelines.of_watch(system.services, watch_id)
    _show(found, as_json=as_json)


@timeline.command()
@click.argument("source")
@click.argument("term")
@click.argument("number")
@json_option
def section(source: str, term: str, number: str, *, as_json: bool) -> None:
    """What was seen of a section, and to whom it was news."""
    with open_system() as system:
        found = timelines.of_section(system.services, SectionKey(source, term, number))
    _show(found, as_json=as_json)


@timeline.command()
@click.argument("email")
@json_option
def address(email: str, *, as_json: bool) -> None:
    """Every watch of a person, and everything that they were sent."""
    with open_system() as system:
        found = timelines.of_address(system.services, email)
    _show(found, as_json=as_json)


@timeline.command()
@click.argument("notification_id", type=int)
@json_option
def notification(notification_id: int, *, as_json: bool) -> None:
    """The way of one notification."""
    with open_system() as system:
        found = timelines.of_notification(system.services, notification_id)
    _show(found, as_json=as_json)


def _show(found: Timeline, *, as_json: bool) -> None:
    """Print the events; for people also the title, and what blocks notifications now."""
    if not as_json:
        click.echo(found.title)
        for reason in found.standing:
            click.echo(f"  {reason}")
    show(map(_row, found.events), as_json=as_json, empty="nothing has happened")


def _row(event: Event) -> dict[str, object]:
    return {
        "at": event.at,
        "what": event.what,
        "notification": event.notification_id,
        "watch": event.watch_id,
        "text": event.text,
    }


@click.group()
def audit() -> None:
    """Look at what operators did, here and in the console."""


@audit.command("ls")
@click.option("--by", help="By this person.")
@click.option("--action", help="This action, such as source.pause.")
@click.option("--subject", help="To this, such as mail, source/campus or watch/12.")
@click.option("--limit", default=50, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(by: str | None, action: str | None, subject: str | None, limit: int, *, as_json: bool) -> None:
    """List the audit entries, newest first."""
    with open_system() as system:
        records, _ = system.services.store.audit.page(None, limit, by=by, action=action, subject=subject)
    rows = map(_audit_row, records)
    shown = rows if as_json else ({**row, "detail": json.dumps(row["detail"])} for row in rows)
    show(shown, as_json=as_json, empty="no matching audit entries")


def _audit_row(record: Record) -> dict[str, object]:
    entry = record.entry
    return {
        "at": entry.at,
        "by": entry.by,
        "action": entry.action,
        "subject": entry.subject,
        "count": entry.count,
        "detail": dict(entry.detail),
    }
