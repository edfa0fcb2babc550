"""`rollcall job`: durable jobs. `rollcall credit`: accounts and their credits."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from domain.errors import InvalidInputError
from domain.job import JobRecord, JobState
from domain.money import Transfer
from domain.text import format_time
from rollcall.cli.output import json_option, show
from rollcall.process import open_system


@click.group()
def job() -> None:
    """Look at durable jobs; cancel and retry them."""


@job.command("ls")
@click.option("--kind", help="Only of this kind.")
@click.option("--state", type=click.Choice([state.value for state in JobState]), help="Only in this state.")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def list_(kind: str | None, state: str | None, limit: int, *, as_json: bool) -> None:
    """List the latest jobs."""
    wanted = None if state is None else JobState(state)
    with open_system() as system:
        found, _ = system.services.store.jobs.page(None, limit, kind=kind, state=wanted)
    show([_row(each) for each in found], as_json=as_json, empty="there is no such job")


@job.command("show")
@click.argument("job_id")
@json_option
def show_(job_id: str, *, as_json: bool) -> None:
    """Show one job with its steps."""
    with open_system() as system:
        found = system.services.store.jobs.get(job_id)
    if found is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    if as_json:
        show([asdict(found)], as_json=True)
        return
    values = {**_row(found), "input": json.dumps(found.input), "result": json.dumps(found.result)}
    show([{"field": name, "value": value} for name, value in values.items()], as_json=False)
    click.echo()
    show([asdict(step) for step in found.steps], as_json=False, empty="no step has begun")


def _row(found: JobRecord) -> dict[str, object]:
    progress = found.progress
    return {
        "id": found.id,
        "kind": found.kind,
        "state": found.state.value,
        "progress": f"{progress.done}/{progress.total} {progress.message}".strip()
        if progress.total
        else None,
        "waiting_for": _waiting_text(found),
        "created_at": found.created_at,
        "finished_at": found.finished_at,
        "error": found.error,
    }


def _waiting_text(found: JobRecord) -> str | None:
    waiting = found.waiting_for
    if waiting is None:
        return None
    return f"{waiting.kind} until {format_time(waiting.until)} (version {waiting.preview_version})"


@click.group()
def credit() -> None:
    """Grant credits, and look at what became of them."""


@credit.command("show")
@click.argument("account")
@click.option("--limit", default=20, type=click.IntRange(1, 500), show_default=True, help="At most so many.")
@json_option
def show_account(account: str, limit: int, *, as_json: bool) -> None:
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
    show([_entry_row(transfer) for transfer in found], as_json=False)


def _entry_row(transfer: Transfer) -> dict[str, object]:
    return {
        "at": transfer.at,
        "entry_type": transfer.entry_type.value,
        "credits": transfer.credits,
        "job_id": transfer.job_id,
        "reason": transfer.reason,
    }
