from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from rollcall import environment

VALUES = {
    "PLAIN": "https://rollcall.example.edu:8443/a?b=c",
    "SPACED": "Rollcall <rollcall@example.edu>",
    "QUOTED": 'it\'s "so" \\ ${HOME} # no comment',
    "EMPTY": "",
}


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    environment.write(path, VALUES)
    assert dotenv_values(path, interpolate=False) == VALUES
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("PORT=8001\n")
    with pytest.raises(FileExistsError):
        environment.write(path, VALUES)
    assert path.read_text() == "PORT=8001\n"
