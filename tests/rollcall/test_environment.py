from __future__ import annotations

import stat
from pathlib import Path

import pytest

from domain.errors import InvalidInputError
from rollcall.environment import prepare_home
from rollcall.settings import parse


def test_secrets_are_generated_once_and_kept_private(tmp_path: Path) -> None:
    settings = parse({"ROLLCALL_HOME": str(tmp_path / "home")})
    first, second = prepare_home(settings), prepare_home(settings)
    secrets = {first.cron_secret, first.api_token, first.unsubscribe_secret}
    assert first == second
    assert len(secrets) == 3
    assert all(secret is not None and len(secret) >= 32 for secret in secrets)
    files = list((tmp_path / "home" / "secrets").iterdir())
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_secret_that_is_set_is_used_and_not_written(tmp_path: Path) -> None:
    settings = parse({"ROLLCALL_HOME": str(tmp_path), "CRON_SECRET": "given by the operator"})
    assert prepare_home(settings).cron_secret == "given by the operator"
    assert not (tmp_path / "secrets" / "CRON_SECRET").exists()


def test_a_damaged_secret_file_stops_start_up(tmp_path: Path) -> None:
    settings = parse({"ROLLCALL_HOME": str(tmp_path)})
    prepare_home(settings)
    (tmp_path / "secrets" / "API_TOKEN").write_text("")
    with pytest.raises(InvalidInputError, match="API_TOKEN"):
        prepare_home(settings)


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInputError, match="ROLLCALL_HOME"):
        prepare_home(parse({"ROLLCALL_HOME": str(tmp_path / "file" / "home")}))
