from __future__ import annotations

import stat
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, InvalidInputError
from rollcall.environment import load
from rollcall.home import GENERATED, kept_secrets, open_home, prepare_home, store_secret
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


def test_a_secret_that_comes_back_takes_the_place_of_the_one_that_was_made(tmp_path: Path) -> None:
    settings = parse({"ROLLCALL_HOME": str(tmp_path)})
    made = prepare_home(settings)
    store_secret(tmp_path, "API_TOKEN", "from before the fire")
    assert kept_secrets(tmp_path)["API_TOKEN"] == "from before the fire"
    assert prepare_home(settings).cron_secret == made.cron_secret
    assert {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "secrets").iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("name", "value"), [("../API_TOKEN", "long enough to be one"), ("API_TOKEN", "short")]
)
def test_what_is_no_secret_of_ours_is_not_kept(tmp_path: Path, name: str, value: str) -> None:
    prepare_home(parse({"ROLLCALL_HOME": str(tmp_path)}))
    before = kept_secrets(tmp_path)
    with pytest.raises(InvalidInputError):
        store_secret(tmp_path, name, value)
    assert kept_secrets(tmp_path) == before
    assert not (tmp_path / "API_TOKEN").exists()


def test_credentials_of_systemd_are_read_one_by_one_and_as_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rollcall_CRON_SECRET").write_text("from a folder of credentials\n")
    (tmp_path / "API_TOKEN").write_text("from a credential of its own\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = load()
    assert found.cron_secret == "from a folder of credentials"
    assert found.api_token == "from a credential of its own"


def test_a_secret_that_comes_back_into_a_home_without_any_makes_their_folder(tmp_path: Path) -> None:
    store_secret(tmp_path / "home", "API_TOKEN", "from before the fire")
    assert kept_secrets(tmp_path / "home") == {"API_TOKEN": "from before the fire"}
    assert stat.S_IMODE((tmp_path / "home" / "secrets").stat().st_mode) == 0o700


def test_an_installation_is_opened_only_where_one_was_made(tmp_path: Path) -> None:
    settings = parse({"ROLLCALL_HOME": str(tmp_path / "home")})
    with pytest.raises(
        ConfigurationError, match=f"{tmp_path}/home holds no installation: run `rollcall init`"
    ):
        open_home(settings)
    assert not (tmp_path / "home").exists()

    made = prepare_home(settings)

    assert open_home(settings) == made


def test_a_folder_of_something_else_is_no_installation(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(ConfigurationError, match="holds no installation"):
        open_home(parse({"ROLLCALL_HOME": str(tmp_path)}))


def test_one_whose_secrets_all_come_from_outside_is_known_again(tmp_path: Path) -> None:
    given = dict.fromkeys(map(str.upper, GENERATED), "given by the operator")
    settings = parse({"ROLLCALL_HOME": str(tmp_path), **given})
    prepare_home(settings)
    assert open_home(settings).api_token == "given by the operator"
