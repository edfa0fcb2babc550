"""Recorded answers of real catalogs, which lie beside the repository and are not part of it."""

from __future__ import annotations

from pathlib import Path

import pytest


def recorded(name: str) -> bytes:
    """The recorded answer `name`; the test skips where it is absent."""
    path = next((each / name for each in _folders() if (each / name).is_file()), None)
    if path is None:
        pytest.skip(f"the recorded answer {name} is not on this machine")
    return path.read_bytes()


def _folders() -> list[Path]:
    return [parent / "shared" / "data" / "catalogs" for parent in Path(__file__).resolve().parents[2:]]
