from __future__ import annotations

import pytest

from bench.chaos.fault_injector import role_in


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("rollcall: worker", "worker"),
        ("/venv/bin/python -m rollcall scheduler", "scheduler"),
        ("rollcall: web", "web"),
        ("/venv/bin/python /venv/bin/rollcall up", None),
        ("/venv/bin/python -m rollcall init --quiet", None),
    ],
)
def test_a_role_is_known_by_its_title_and_before_it_has_one(command: str, role: str | None) -> None:
    assert role_in(command) == role
