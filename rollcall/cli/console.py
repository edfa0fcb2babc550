"""`rollcall console`: a one-time sign-in link to the console."""

from __future__ import annotations

import sys

import click

from domain.errors import PermanentError
from ingress.console import sign_in
from operations.access import record_link
from resilience.heartbeats import Heartbeats
from rollcall.cli.main import overrides, setting_options
from rollcall.cli.operations import shell_user
from rollcall.process import open_system
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, System, required


@click.command()
@setting_options("HOST", "PORT", "PUBLIC_URL")
def console(**options: str | None) -> None:
    """Print a link that signs one browser in to the console, once, within ten minutes.

    Only at a terminal: everyone who can read the link can use it, and files and logs have many readers.
    """
    if not sys.stdout.isatty():
        raise PermanentError("console prints its link at a terminal only, never to a file or a pipe")
    with open_system(overrides(options)) as system:
        path = _invite(system)
        settings, port = system.settings, _port(system)
    minutes = sign_in.LIFETIME.total_seconds() / 60
    click.echo(
        f"Signs one browser in, once, within {minutes:g} minutes, on this machine or through\n"
        f"ssh -L {port}:127.0.0.1:{port}:\n\n  http://127.0.0.1:{port}{path}\n"
    )
    if settings.public_url is not None:
        click.echo(f"Where the console is published:\n\n  {settings.public_url}{path}\n")


def _port(system: System) -> str:
    """Return the web process' port, whatever this shell's `PORT` is; that one if it does not run."""
    address = Heartbeats(system.redis, HEARTBEAT_TTL_SECONDS).web_address()
    return str(system.settings.port) if address is None else address.rpartition(":")[2]


def _invite(system: System) -> str:
    services, token = system.services, required(system.settings.api_token)
    record_link(services, shell_user())
    return sign_in.create_sign_in_link(sign_in.tickets(system.redis), token, services.clock.now())
