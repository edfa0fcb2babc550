from __future__ import annotations

from pathlib import Path

import pytest

from observability.checks.host import is_managed, start_command

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
RELEASE = Path("/opt/rollcall/releases/0123456789ab")


@pytest.mark.parametrize("role", ["worker", "scheduler", "jobs", "web", "valkey"])
def test_systemd_starts_an_existing_unit(role: str) -> None:
    unit = start_command(role, managed=True).removeprefix("systemctl start ")
    name, at, _ = unit.partition("@")
    assert (UNITS / f"{name}{at}.service").is_file()


def test_without_systemd_a_role_is_its_own_command_and_the_embedded_server_comes_with_all_of_them() -> None:
    assert start_command("worker", managed=False) == "rollcall worker"
    assert start_command("valkey", managed=False) == "rollcall up"


def test_systemd_starts_what_the_installer_installed_on_a_machine_that_runs_it(tmp_path: Path) -> None:
    assert is_managed(RELEASE, booted=tmp_path)
    assert not is_managed(RELEASE, booted=tmp_path / "absent")
    assert not is_managed(tmp_path / ".venv", booted=tmp_path)
