"""The user of the command line."""

from __future__ import annotations

import getpass


def shell_user() -> str:
    """Return the name under which operations are recorded."""
    return getpass.getuser()
