"""The checks of `rollcall doctor` in this process; `test_doctor_command` runs the command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from domain.alert import AlertMessage
from domain.check import Finding
from resilience.heartbeats import ADDRESS, TICKED_AT, Heartbeats
from rollcall.doctor import InspectedSettings, findings, load
from rollcall.home import prepare_home
from rollcall.settings import parse
from store import migrate
from store.database import Database, sqlite_url
from tests.support.receiver import receiver
from tests.support.redis_server import RedisServer, running, valkey_binary
from tests.support.stack import free_port


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of its own: heartbeats have one name."""
    with running(valkey_binary()) as found:
        yield found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    prepare_home(parse({"ROLLCALL_HOME": str(tmp_path)}))
    database = Database(sqlite_url(tmp_path / "rollcall.db"))
    migrate.upgrade(database)
    database.close()
    return tmp_path


def examined(home: Path, *, is_managed: bool = False, **settings: str) -> list[Finding]:
    given = parse({"ROLLCALL_HOME": str(home), "PORT": str(free_port())} | settings)
    return findings(InspectedSettings(given, is_managed=is_managed))


def failures(found: list[Finding]) -> dict[str, AlertMessage]:
    return {each.check.name: each.failure for each in found if each.failure is not None}


def test_a_file_that_is_no_text_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"PORT=\xff\xfe\n")
    assert "settings..env" in failures(findings(load()))


@pytest.mark.parametrize(
    ("is_managed", "commands"),
    [
        (False, {role: f"rollcall {role}" for role in ("worker", "scheduler", "jobs", "web")}),
        (
            True,
            {role: f"systemctl start rollcall-{role}" for role in ("scheduler", "jobs", "web")}
            | {"worker": "systemctl start rollcall-worker@all"},
        ),
    ],
)
def test_a_missing_role_is_started_as_this_machine_starts_roles(
    home: Path, server: RedisServer, is_managed: bool, commands: dict[str, str]
) -> None:
    found = failures(examined(home, is_managed=is_managed, REDIS_URL=server.url))
    roles = {"worker": "workers"}
    assert {role: found[roles.get(role, role)].command for role in commands} == commands


def test_the_web_role_is_probed_where_it_listens_whatever_the_settings_here_say(
    home: Path, server: RedisServer
) -> None:
    with receiver() as web:
        address, here = urlsplit(web.url).netloc, str(free_port())
        with redis.Redis.from_url(server.url) as client:
            Heartbeats(client, 30).beat("web", "a:1", {ADDRESS: address})
        found = examined(home, REDIS_URL=server.url, PORT=here)
    (note,) = [each.result.note for each in found if each.name == "web"]
    assert note == f"ready on {address} (the settings here say 127.0.0.1:{here})"


def test_a_scheduler_that_does_not_tick_fails(home: Path, server: RedisServer) -> None:
    with redis.Redis.from_url(server.url) as client:
        Heartbeats(client, 30).beat("scheduler", "a:1", {TICKED_AT: "1.0"})
    assert failures(examined(home, REDIS_URL=server.url))["scheduler"].command == "restart rollcall scheduler"


@pytest.mark.parametrize(
    ("is_managed", "command"), [(True, "systemctl start rollcall-valkey"), (False, "rollcall up")]
)
def test_the_embedded_server_is_started_as_this_machine_starts_it(
    home: Path, is_managed: bool, command: str
) -> None:
    assert failures(examined(home, is_managed=is_managed))["redis"].command == command


def test_a_broker_on_another_server_is_probed_by_itself(home: Path, server: RedisServer) -> None:
    broker = failures(examined(home, REDIS_URL=server.url, BROKER_URL="redis://:hidden@127.0.0.1:1/0"))
    assert "redis" not in broker
    assert broker["broker"].command == "start the server at 127.0.0.1:1, or correct BROKER_URL"
    other = failures(examined(home, REDIS_URL="redis://127.0.0.1:1/0", BROKER_URL=server.url))
    assert "redis" in other
    assert "broker" not in other


def test_a_home_is_never_changed(home: Path, server: RedisServer) -> None:
    def files() -> dict[str, bytes]:
        """Without the empty files that SQLite maps for a reader."""
        found = (
            path for path in home.rglob("*") if path.is_file() and path.suffix not in {".db-shm", ".db-wal"}
        )
        return {path.name: path.read_bytes() for path in found}

    (home / "secrets" / "JOB_WEBHOOK_SECRET").unlink()
    before = files()
    examined(home, REDIS_URL=server.url)
    assert files() == before


def test_a_message_that_cannot_be_rendered_is_a_finding(home: Path, server: RedisServer) -> None:
    found = failures(examined(home, REDIS_URL=server.url, ENROL_URL="https://x/{nothing}"))
    assert found["mail.dry-run"].command == "correct NOTIFICATION_FROM_EMAIL or ENROL_URL"
