"""`rollcall doctor` as an operator meets it: each thing that can be wrong, with the fix that it names."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from observability.checks import CHECKS
from store.backup import last_backup
from store.migrate import head
from tests.standins.resend import ResendStandIn
from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.support.commands import examine, read, run, run_after, statuses
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import environment, free_port, stack, wait_until

_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One that is ready, with nothing running."""
    home = tmp_path / "home"
    assert run(home, "init").returncode == 0
    return home


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A server of its own: heartbeats have one name."""
    with running(valkey_binary()) as server:
        yield server.url


def test_the_embedded_default_has_no_findings(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with stack(home, {}) as running_stack:
        wait_until(running_stack.is_complete, "a process of every role")
        done = run(home, "doctor", PORT=str(running_stack.port))
        port = str(running_stack.port)
        findings = examine(home, PORT=port, PUBLIC_URL=f"http://127.0.0.1:{port}")
    assert findings["public-url.reachable"]["seen"].endswith("/livez is answered by Rollcall")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == f"{len(findings)} ok, 0 warnings, 0 failures"
    assert "\x1b" not in done.stdout
    probes = {
        "settings", "dotenv", "settings.unknown", "public-url", "proxy", "report-prices", "operator",
        "heartbeat", "home", "home.secrets", "database", "database.migrations", "database.integrity", "redis",
        "redis.persistence", "broker", "mail.login", "mail.dry-run", "source.campus", "web",
        "public-url.reachable",
    }  # fmt: skip
    assert set(findings) == probes | {check.name for check in CHECKS}


def test_redis_down_names_how_to_start_it_and_what_could_not_be_examined(home: Path) -> None:
    port = free_port()
    done = run(home, "doctor", "--json", REDIS_URL=f"redis://:hidden-password@127.0.0.1:{port}/0")
    findings = read(done)
    assert done.returncode == 2
    assert findings["redis"]["status"] == "failure"
    assert findings["redis"]["hint"] == f"start the server at 127.0.0.1:{port}, or correct REDIS_URL"
    skipped = {"redis.persistence", "broker", "clocks", "workers", "scheduler", "jobs", "breakers"}
    assert skipped <= statuses(findings, "warning")
    assert {findings[name]["hint"] for name in skipped} == {"fix redis first"}
    assert findings["database"]["status"] == findings["mail.dry-run"]["status"] == "ok"
    assert "hidden-password" not in done.stdout


def test_the_embedded_server_down_names_the_command_that_runs_it(home: Path) -> None:
    assert examine(home)["redis"]["hint"] == "rollcall up"


def test_a_wrong_mail_key_names_the_setting(home: Path) -> None:
    with ResendStandIn(api_key="re_right") as resend:
        found = examine(
            home,
            RESEND_API_URL=resend.url,
            RESEND_API_KEY="re_wrong",
            NOTIFICATION_FROM_EMAIL="Rollcall <rollcall@example.edu>",
        )
    assert found["mail.login"]["status"] == "failure"
    assert found["mail.login"]["hint"] == "correct RESEND_API_KEY"
    assert "re_wrong" not in str(found)
    assert resend.mails == []


def test_an_unreachable_scraper_names_its_address(home: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    found = examine(home, SCRAPER_URL=url, SCRAPER_SECRET_TOKEN=TOKEN)["source.scraper"]
    assert found["status"] == "failure"
    assert found["hint"] == f"start the scraper at {url}, or correct SCRAPER_URL"


def test_a_scraper_that_refuses_the_token_names_the_token(home: Path) -> None:
    with ScraperStandin() as scraper:
        found = examine(home, SCRAPER_URL=scraper.url, SCRAPER_SECRET_TOKEN="not-this-one")["source.scraper"]
    assert (found["status"], found["hint"]) == ("failure", "correct SCRAPER_SECRET_TOKEN")
    assert "not-this-one" not in str(found)


def test_a_scraper_is_asked_about_a_section_that_is_watched(home: Path) -> None:
    with ScraperStandin() as scraper:
        scraper.set_default(Reply(kind="status", status=404))
        scraper.set_section("12431", Reply())
        settings = {"SCRAPER_URL": scraper.url, "SCRAPER_SECRET_TOKEN": TOKEN}
        unwatched = examine(home, **settings)["source.scraper"]
        assert run(home, "watch", "add", "ada@example.edu", "2261", "12431", **settings).returncode == 0
        watched = examine(home, **settings)["source.scraper"]
    assert (unwatched["status"], watched["status"]) == ("ok", "ok")
    assert watched["seen"].endswith("scraper/2261/12431 was read")
    assert [seen.section for seen in scraper.stats.seen][-1] == "12431"


def test_a_pending_migration_names_the_command(home: Path) -> None:
    with sqlite3.connect(home / "rollcall.db") as connection:
        connection.execute("UPDATE rollcall_schema SET version_num = '0000'")
    connection.close()
    found = examine(home)["database.migrations"]
    assert (found["status"], found["hint"]) == ("failure", "rollcall init")


@pytest.mark.parametrize(
    ("later", "status", "hint"),
    [
        (1, "warning", "upgrade again once the failure is fixed"),
        (100, "failure", "install the newer release"),
    ],
)
def test_a_database_of_a_newer_release_is_not_to_be_migrated(
    home: Path, later: int, status: str, hint: str
) -> None:
    with sqlite3.connect(home / "rollcall.db") as connection:
        connection.execute("UPDATE rollcall_schema SET version_num = ?", [f"{int(head()) + later:04}"])
    connection.close()
    found = examine(home)["database.migrations"]
    assert (found["status"], found["hint"]) == (status, hint)


def test_a_broken_database_file_is_distinguished_from_a_missing_one(home: Path) -> None:
    (home / "rollcall.db").write_bytes(b"this is no database" * 100)
    assert examine(home)["database"]["hint"].endswith("rollcall restore FILE --replace")
    (home / "rollcall.db").unlink()
    assert examine(home)["database"]["hint"] == "rollcall init"
    assert not (home / "rollcall.db").exists()


def test_a_read_only_home_of_ours_is_to_be_made_writable(home: Path) -> None:
    home.chmod(0o500)
    done = run_after(as_anybody, home, "doctor", "--json")
    found = read(done)["home"]
    home.chmod(0o700)
    assert found["status"] == "failure"
    assert "cannot be written (Permission denied)" in found["seen"]
    assert found["hint"] == f"chmod u+w {home}"


def as_anybody() -> None:
    """From here on file permissions hold for root too."""
    ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0)


def test_no_worker_names_the_role_to_start(home: Path, redis_url: str) -> None:
    found = examine(home, REDIS_URL=redis_url, PORT=str(free_port()))
    assert {name: found[name]["hint"] for name in ("workers", "scheduler", "jobs", "web")} == {
        "workers": "rollcall worker",
        "scheduler": "rollcall scheduler",
        "jobs": "rollcall jobs",
        "web": "rollcall web",
    }
    assert statuses(found, "failure") == {"workers", "scheduler", "web"}
    assert found["jobs"]["status"] == "warning"  # as for every other view


def test_a_server_that_forgets_is_a_warning(home: Path, redis_url: str) -> None:
    found = examine(home, REDIS_URL=redis_url)["redis.persistence"]
    assert (found["status"], found["hint"]) == ("warning", "redis-cli CONFIG SET appendonly yes")


def test_every_bad_setting_is_a_finding_and_the_rest_is_examined_all_the_same(home: Path) -> None:
    done = run(home, "doctor", "--json", PORT="many", REDIS_URL="nowhere", CRON_SECRET="short")
    findings = read(done)
    assert done.returncode == 2
    names = ("PORT", "REDIS_URL", "CRON_SECRET")
    assert {findings[f"settings.{name}"]["hint"] for name in names} == {f"correct {name}" for name in names}
    assert "settings" not in findings
    assert findings["web"]["hint"] == "fix settings.PORT first"
    assert findings["redis"]["hint"] == "fix settings.REDIS_URL first"
    assert findings["database"]["status"] == "ok"


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    found = examine(tmp_path / "home", ROLLCALL_HOME=str(elsewhere))
    assert found["home"]["hint"] == found["database"]["hint"] == "rollcall init"
    assert not elsewhere.exists()


def test_secrets_that_others_can_read_are_a_failure(home: Path) -> None:
    (home / "secrets" / "UNSUBSCRIBE_SECRET").chmod(0o644)
    found = examine(home)["home.secrets"]
    assert (found["status"], found["hint"]) == ("failure", f"chmod 600 {home}/secrets/*")


def test_a_backup_that_is_long_ago_is_a_warning_and_so_is_none_in_an_old_home(home: Path) -> None:
    assert examine(home)["backup"]["status"] == "ok"
    for secret in (home / "secrets").iterdir():
        os.utime(secret, (0, 0))
    none = examine(home)["backup"]
    assert (none["status"], none["seen"]) == (
        "warning",
        "The last backup is overdue. No backup was made yet.",
    )
    assert run(home, "backup", str(home.parent / "file")).returncode == 0
    assert examine(home)["backup"]["status"] == "ok"
    last_backup.record(home, last_backup.LastBackup(datetime.now(UTC) - timedelta(hours=27), "file", 1, 1))
    old = examine(home)["backup"]
    assert (old["status"], old["seen"]) == ("warning", "The last backup is overdue. file, 27.0 hours ago.")
    assert old["hint"].startswith("rollcall backup FILE")


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "rollcall", "doctor"]
    given = environment(tmp_path / "home", ROLLCALL_HOME=str(tmp_path / "elsewhere"))
    done = subprocess.run(command, env=given, cwd=tmp_path, stdout=theirs, timeout=60, check=False)
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.returncode == 2
    assert "\x1b[31mfailure\x1b[0m  home " in shown
