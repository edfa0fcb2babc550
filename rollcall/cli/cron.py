"""`rollcall cron`: runs of section checks. `rollcall lock`: the cron lease."""

from __future__ import annotations

from dataclasses import asdict

import click

from domain.errors import InvalidInputError
from domain.run import Run
from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def cron() -> None:
    """Trigger runs and look at them."""


@cron.command("ls")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(limit: int, *, as_json: bool) -> None:
    """List the latest runs."""
    with open_system() as system:
        latest, _ = system.services.store.runs.page(None, limit)
    hidden = ("reason", "created_at", "started_at")
    rows = [asdict(found) | {"success": _is_success(found)} for found in latest]
    show(
        rows if as_json else ({k: v for k, v in row.items() if k not in hidden} for row in rows),
        as_json=as_json,
        empty="there has been no run",
    )


@cron.command("show")
@click.argument("run_id")
@json_option
def show_(run_id: str, *, as_json: bool) -> None:
    """Show one run."""
    with open_system() as system:
        found = system.services.store.runs.get(run_id)
    if found is None:
        raise InvalidInputError({"run_id": "there is no such run"})
    facts = asdict(found) | {"success": _is_success(found)}
    rows = [facts] if as_json else [{"field": k, "value": v} for k, v in facts.items()]
    show(rows, as_json=as_json)


def _is_success(run: Run) -> bool | None:
    """Return whether the run succeeded; None while it is in progress."""
    return run.is_success if run.state.is_final else None


@click.group()
def lock() -> None:
    """Look at the cron lease, or release it."""


@lock.command("ls")
@json_option
def list_leases(*, as_json: bool) -> None:
    """Show who holds the cron lease."""
    with open_system() as system:
        holder = system.services.cron_lease.held()
    show([] if holder is None else [asdict(holder)], as_json=as_json, empty="the cron lease is free")
