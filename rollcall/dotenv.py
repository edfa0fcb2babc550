"""The `.env` file as Rollcall writes it: once, for its owner alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

_PLAIN = re.compile(r"[\w@%+=:,./*?-]+", re.ASCII)


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write `values` to the new file `path`, mode 0600. Raises: FileExistsError, other OSErrors."""
    lines = [f"{name}={_quoted(value)}\n" for name, value in values.items()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(lines)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
