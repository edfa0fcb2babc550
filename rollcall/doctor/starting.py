"""How a role is started on this machine: by systemd after `deploy/install.sh`, else by hand."""

from __future__ import annotations

import sys
from pathlib import Path

_INSTALLED = Path("/opt/rollcall")
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_UNITS = {"worker": "rollcall-worker@all"}
_BY_HAND = {"valkey": "rollcall up"}  # `up` brings its own


def is_managed(prefix: Path = Path(sys.prefix), booted: Path = _BOOTED) -> bool:
    """Return whether systemd starts the roles of the installation at `prefix`."""
    return prefix.is_relative_to(_INSTALLED) and booted.is_dir()


def start_command(role: str, *, managed: bool) -> str:
    """Return the command that starts a missing `role`."""
    if managed:
        return f"systemctl start {_UNITS.get(role, f'rollcall-{role}')}"
    return _BY_HAND.get(role, f"rollcall {role}")
