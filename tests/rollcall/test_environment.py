from __future__ import annotations

import stat
from pathlib import Path

import pytest
from dotenv import dotenv_values

from rollcall import environment
from rollcall.environment import SETTINGS, likely, typos, unknown
from tests.support.commands import examine, run

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


SHELL = (
    *("PATH", "HOME", "HOSTNAME", "USER", "MAIL", "SHELL"),
    *("LANG", "TERM", "PWD", "OLDPWD", "EDITOR", "DISPLAY"),
    *("HTTP_PROXY", "http_proxy", "NO_PROXY", "SSH_AUTH_SOCK", "INVOCATION_ID", "JOURNAL_STREAM"),
    *("LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "WATCHDOG_USEC", "PYTHONPATH", "VIRTUAL_ENV"),
    *(
        "XDG_RUNTIME_DIR",
        "CREDENTIALS_DIRECTORY",
        "STATE_DIRECTORY",
        "AWS_REGION",
        "STRIPE_PUBLIC_KEY",
        "CI",
    ),
)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SMPT_URL", "SMTP_URL"),
        ("RESEND_APIKEY", "RESEND_API_KEY"),
        ("RESEND_API_KEYS", "RESEND_API_KEY"),
        ("SCRAPPER_URL", "SCRAPER_URL"),
        ("DATABASE_URI", "DATABASE_URL"),
        ("OPERATOR_MAIL", "OPERATOR_EMAIL"),
        ("NOTIFICATION_FROM_MAIL", "NOTIFICATION_FROM_EMAIL"),
        ("operator_email", "OPERATOR_EMAIL"),
        ("SOMETHING_ELSE", None),
        ("POST", None),
    ],
)
def test_the_likely_setting_is_named(name: str, meant: str | None) -> None:
    assert likely(name) == meant


def test_a_setting_is_never_taken_for_another() -> None:
    assert unknown(SETTINGS, SETTINGS) == {}


def test_an_ordinary_environment_is_not_warned_of() -> None:
    assert unknown((), SHELL) == {}


def test_in_the_environment_only_what_looks_like_ours_is_named() -> None:
    found = unknown((), ["NEXT_PUBLIC_SITE", "SCRAPER_COLOUR", "SMPT_URL"])
    assert found == {"SCRAPER_COLOUR": None, "SMPT_URL": "SMTP_URL"}


def test_in_the_file_everything_is() -> None:
    assert unknown(["NEXT_PUBLIC_SITE", "PORT"], ()) == {"NEXT_PUBLIC_SITE": None}


def test_what_is_set_rightly_as_well_is_no_typo() -> None:
    assert typos(["SMPT_URL"], {"SMTP_URL"}) == {}
    assert typos(["SMPT_URL"], set()) == {"SMPT_URL": "in .env is no setting: SMTP_URL is"}


def test_a_typo_in_the_file_stops_start_up_with_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMPT_URL=smtp://localhost\n")

    done = run(tmp_path / "home", "init", "--quiet")

    assert (done.returncode, done.stderr) == (78, "rollcall: SMPT_URL in .env is no setting: SMTP_URL is\n")


def test_doctor_names_each(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SMPT_URL=smtp://localhost\nCOLOUR=blue\n")

    found = examine(tmp_path / "home", SCRAPER_COLOUR="red")

    assert found["settings.SMPT_URL"]["status"] == "failure"
    assert found["settings.unknown"]["status"] == "warning"
    for name in ("COLOUR", "SCRAPER_COLOUR"):
        assert f"{name} is no setting" in found["settings.unknown"]["seen"]
