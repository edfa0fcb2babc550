"""`rollcall backup` and `restore`, with everything running and after everything was lost."""

from __future__ import annotations

import json
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from providers.storage import Folder
from resilience.heartbeats import Heartbeats
from store.backup import last_backup
from tests.standins.bucket import bucket_standin
from tests.standins.resend import ResendStandIn
from tests.standins.scraper import TOKEN, Reply, ScraperStandin
from tests.support.commands import run
from tests.support.redis_server import running, valkey_binary
from tests.support.stack import Stack, wait_until

FULL = Reply(fields={"seats_available": 0, "non_reserved_seats": None})
OPEN = Reply(fields={"seats_available": 2, "non_reserved_seats": None})
LOST, PENDING, QUIET = "12430", "12431", "12432"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "rollcall.backup"


@pytest.fixture
def redis_url() -> Iterator[str]:
    """A server of its own: heartbeats have one name."""
    with running(valkey_binary()) as server:
        yield server.url


def listed(home: Path, *command: str, **settings: str) -> list[dict[str, Any]]:
    done = run(home, *command, "--json", **settings)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def held(stack: Stack) -> list[list[dict[str, Any]]]:
    """The watches with their sections' states, and the notifications."""
    return [stack.get(path).json()["items"] for path in ("/watches", "/notifications")]


def finish(stack: Stack) -> None:
    run_id = stack.post("/cron/section-checks?stagger=all&force=1").json()["run_id"]
    wait_until(lambda: stack.get(f"/cron/runs/{run_id}").json()["state"] == "finished", "a finished run")


def test_what_was_backed_up_while_it_ran_goes_on_after_all_was_lost_and_sends_no_mail_twice(
    home: Path, file: Path
) -> None:
    with ScraperStandin() as scraper, ResendStandIn() as resend:
        scraper.set_default(FULL)
        settings = {
            "SCRAPER_URL": scraper.url,
            "SCRAPER_SECRET_TOKEN": TOKEN,
            "RESEND_API_URL": resend.url,
            "RESEND_API_KEY": "re_test",
            "NOTIFICATION_FROM_EMAIL": "Rollcall <rollcall@example.edu>",
            "SCHEDULER": "off",
        }
        stack = Stack(home, **settings)
        stack.start()
        lines = [f"ada@example.edu,,2261,{number}" for number in (LOST, PENDING, QUIET)]
        sheet = "\n".join(["email,source,term,section", *lines]).encode()
        assert stack.post("/watches/import", content=sheet, type="text/csv").json()["created"] == len(lines)
        finish(stack)
        resend.fault({"kind": "lose_answer"})
        scraper.set_section(LOST, OPEN)
        finish(stack)
        wait_until(lambda: len(resend.mails) == 1, "a letter whose answer is lost")
        pause = ("source", "pause", "mail", "--for", "2h", "--reason", "the backup is tested")
        assert run(home, *pause, **settings).returncode == 0
        scraper.set_section(PENDING, OPEN)
        finish(stack)

        done = run(home, "backup", str(file), **settings)
        assert done.returncode == 0, done.stderr
        refused = run(home, "restore", str(file), "--replace", **settings)
        assert (refused.returncode, "stop every role first" in refused.stderr) == (1, True)
        before = held(stack)
        assert {notification["state"] for notification in before[1]} == {"sending", "pending"}
        secret = (home / "secrets" / "UNSUBSCRIBE_SECRET").read_text()
        assert stack.stop() == 0
        shutil.rmtree(home)

        done = run(home, "restore", str(file), **settings)
        assert done.returncode == 0, done.stderr
        assert (home / "secrets" / "UNSUBSCRIBE_SECRET").read_text() == secret

        stack.start()
        assert held(stack) == before
        resend.fault()
        assert run(home, "source", "resume", "mail", **settings).stdout == "Resumed all mail.\n"
        wait_until(lambda: {notification["state"] for notification in held(stack)[1]} == {"sent"}, "all mail")
        finish(stack)
        assert stack.stop() == 0
    events = Counter(mail["headers"]["X-Rollcall-Event"] for mail in resend.mails)
    assert sorted(events.values()) == [1, 1]
    assert resend.stats["replayed"] >= 1


def test_a_backup_is_noted_and_its_file_is_its_owners_alone(home: Path, file: Path) -> None:
    assert run(home, "init").returncode == 0
    assert last_backup.read(home) is None
    begun = datetime.now(UTC) - timedelta(seconds=1)
    done = run(home, "backup", str(file))
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(home / "rollcall.db") as connection:
        actions = connection.execute("SELECT action, subject FROM audit ORDER BY id").fetchall()
    assert actions == [("installation.init", "installation"), ("backup.write", "database")]
    assert done.stderr == ""  # no progress bar without a terminal
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    noted = last_backup.read(home)
    assert noted is not None
    assert (noted.file, noted.bytes) == (str(file), file.stat().st_size)
    assert begun < noted.at < begun + timedelta(minutes=2)


def test_a_database_that_is_not_empty_is_replaced_only_on_demand(home: Path, file: Path) -> None:
    watch = ("watch", "add", "ada@example.edu", "2261", "12401")
    assert run(home, "init").returncode == 0
    assert run(home, "backup", str(file), "--without-secrets").returncode == 0
    assert run(home, *watch).returncode == 0
    secret = (home / "secrets" / "UNSUBSCRIBE_SECRET").read_text()
    refused = run(home, "restore", str(file))
    assert refused.returncode == 1
    assert refused.stderr == "rollcall: the database is not empty; --replace deletes what it holds\n"
    assert len(listed(home, "watch", "ls")) == 1
    assert run(home, "restore", str(file), "--replace").returncode == 0
    assert listed(home, "watch", "ls") == []
    assert (home / "secrets" / "UNSUBSCRIBE_SECRET").read_text() == secret


def test_stored_files_come_back(home: Path, file: Path) -> None:
    assert run(home, "init").returncode == 0
    report = home / "storage" / "jobs" / "1" / "report.pdf"
    report.parent.mkdir(parents=True)
    report.write_bytes(b"a report")
    (report.parent / ".unfinished").write_bytes(b"half a rep")
    assert run(home, "backup", str(file)).returncode == 0
    shutil.rmtree(home)
    assert run(home, "restore", str(file)).returncode == 0
    assert report.read_bytes() == b"a report"
    assert [path.name for path in report.parent.iterdir()] == ["report.pdf"]


def test_a_restore_waits_for_no_one_who_may_be_at_work(home: Path, file: Path, redis_url: str) -> None:
    assert run(home, "init").returncode == 0
    assert run(home, "backup", str(file)).returncode == 0
    down = run(home, "restore", str(file), REDIS_URL="redis://127.0.0.1:1/0")
    assert down.returncode == 75
    assert "running roles cannot be determined" in down.stderr
    with redis.Redis.from_url(redis_url) as client:
        client.set("rollcall:claim:scraper/2261/12430", "a run")
        Heartbeats(client, 30).beat("worker", "elsewhere:7", {})
        refused = run(home, "restore", str(file), REDIS_URL=redis_url)
        assert (refused.returncode, "worker elsewhere:7" in refused.stderr) == (1, True)
        Heartbeats(client, 30).leave("worker", "elsewhere:7")
        assert run(home, "restore", str(file), REDIS_URL=redis_url).returncode == 0
        assert client.keys("rollcall:claim:*") == []


def test_what_cannot_be_done_is_one_line(home: Path, file: Path, tmp_path: Path) -> None:
    elsewhere = run(tmp_path / "installed", "backup", str(file), ROLLCALL_HOME=str(home))
    assert (elsewhere.returncode, elsewhere.stderr.count("\n"), home.exists()) == (1, 1, False)
    empty = run(home, "backup", str(file))
    assert (empty.returncode, empty.stderr.count("\n"), file.exists()) == (1, 1, False)
    assert run(home, "init").returncode == 0
    nowhere = run(home, "backup", str(tmp_path / "nowhere" / "file"))
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (1, True)
    file.write_text("no backup")
    damaged = run(home, "restore", str(file))
    assert (damaged.returncode, damaged.stderr.count("\n")) == (1, 1)
    assert "it is no backup" in damaged.stderr


def test_a_restore_that_fails_halfway_leaves_the_database_and_can_be_repeated(home: Path, file: Path) -> None:
    assert run(home, "init").returncode == 0
    Folder(home / "storage").put("jobs/1/report.pdf", b"a report", "application/pdf")
    assert run(home, "backup", str(file)).returncode == 0
    assert run(home, "watch", "add", "ada@example.edu", "2261", "12401").returncode == 0
    shutil.rmtree(home / "storage")
    (home / "storage").write_text("in the way")
    failed = run(home, "restore", str(file), "--replace")
    assert failed.returncode != 0
    assert len(listed(home, "watch", "ls")) == 1
    (home / "storage").unlink()
    assert run(home, "restore", str(file), "--replace").returncode == 0
    assert listed(home, "watch", "ls") == []


def test_a_restore_that_is_refused_writes_nothing(home: Path, file: Path) -> None:
    assert run(home, "init").returncode == 0
    Folder(home / "storage").put("jobs/1/report.pdf", b"a report", "application/pdf")
    assert run(home, "backup", str(file)).returncode == 0
    assert run(home, "watch", "add", "ada@example.edu", "2261", "12401").returncode == 0
    shutil.rmtree(home / "storage")
    (home / "secrets" / "API_TOKEN").write_text("another one, since the backup")
    assert run(home, "restore", str(file)).returncode == 1
    assert not (home / "storage").exists()
    assert (home / "secrets" / "API_TOKEN").read_text() == "another one, since the backup"


def test_files_of_a_folder_get_their_types_in_a_bucket(home: Path, file: Path) -> None:
    assert run(home, "init").returncode == 0
    for name in ("report.pdf", "unknown"):
        Folder(home / "storage").put(f"jobs/1/{name}", b"x", "of no use")
    assert run(home, "backup", str(file)).returncode == 0
    with bucket_standin() as service:
        settings = {
            "STORAGE_URL": "s3://assets",
            "STORAGE_ENDPOINT_URL": service.url,
            "STORAGE_REGION": "eu-central-1",
            "STORAGE_ACCESS_KEY_ID": "a-key",
            "STORAGE_SECRET_ACCESS_KEY": "a-secret-of-the-tests",
        }
        done = run(home, "restore", str(file), **settings)
        assert done.returncode == 0, done.stderr
    assert {key: kind for key, (_, kind) in service.objects.items()} == {
        "assets/jobs/1/report.pdf": "application/pdf",
        "assets/jobs/1/unknown": "application/octet-stream",
    }
