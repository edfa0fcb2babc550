"""Who types a command."""

from __future__ import annotations

import getpass


def shell_user() -> str:
    """The name under which operations are recorded."""
    return getpass.getuser()
