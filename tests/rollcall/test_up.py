"""`rollcall up` as an operator meets it: real processes, real HTTP, real signals."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.support.stack import Stack, environment, free_port, stack, wait_until
from tests.support.tools import require


def run_up(home: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rollcall", "up"]
    return subprocess.run(
        command, env=environment(home, **settings), capture_output=True, text=True, timeout=60, check=False
    )


def test_a_demo_seat_opens_and_its_mail_lies_in_the_outbox_and_in_the_list(tmp_path: Path) -> None:
    with stack(tmp_path / "home", {"RENOTIFY_COOLDOWN_SECONDS": "0"}) as running:
        outbox = tmp_path / "home" / "outbox"
        wait_until(lambda: any(outbox.glob("*.eml")), "a mail in the outbox", seconds=90)
        listed = running.get("/notifications?state=sent").json()["items"]
        assert {notification["kind"] for notification in listed} <= {"seat_available", "instructor_assigned"}
        assert listed
        # The jobs role is the last to start.
        wait_until(lambda: running.get("/health").json()["status"] == "healthy", "a healthy system")


def test_it_runs_in_a_home_of_any_name_and_listens_on_ipv6(tmp_path: Path) -> None:
    home = tmp_path / "a#b?c=d%41 e"
    with stack(home, {"SCHEDULER": "off", "HOST": "::1"}) as running:
        wait_until(running.is_complete, "a process of every role")
        assert f"http://[::1]:{running.port}/console" in running.log.read_text()
    assert (home / "rollcall.db").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {home.name, running.log.name}


def test_what_dies_is_started_again_and_all_stops_on_a_signal(tmp_path: Path) -> None:
    with stack(tmp_path / "home", {"SCHEDULER": "off"}) as running:
        for role in ("worker", "scheduler", "web", "jobs"):
            before = running.role(role)
            before.kill()
            wait_until(partial(is_replaced, running, role, before.pid), f"a new {role}")
        wait_until(running.is_ready, "ready again")
        children = list(running.processes().values())
        begun = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - begun < 30
        assert not any(child.is_running() for child in children)


def is_replaced(running: Stack, role: str, pid: int) -> bool:
    titles = running.processes()
    return any(title.startswith(f"rollcall: {role}") and child.pid != pid for title, child in titles.items())


def test_it_serves_as_the_first_process_of_a_container(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    contain = [require("unshare", "util-linux"), "--pid", "--fork", "--kill-child", "--mount-proc"]
    with log.open("w") as opened:
        process = subprocess.Popen(
            [*contain, sys.executable, "-m", "rollcall", "up"],
            env=environment(tmp_path / "home", PORT=str(port)),
            stdout=opened,
            stderr=opened,
        )
    try:
        wait_until(lambda: "Rollcall is up" in log.read_text(), "its address")
    finally:
        process.kill()  # and all in it
        process.wait(timeout=30)


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_up(tmp_path / "home", PORT=str(port))
    assert done.returncode == 78
    assert done.stderr.splitlines() == [
        f"rollcall: PORT 127.0.0.1:{port} cannot be listened on (Address already in use)"
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"PORT": "many"}, "rollcall: PORT must be a whole number from 1 to 65535"),
        ({"CRON_SECRET": ""}, "rollcall: CRON_SECRET must be at least 16 printable ASCII characters"),
        ({"SCHEDULER": "of"}, "rollcall: SCHEDULER must be one of on, off"),
    ],
)
def test_a_bad_setting_is_one_clear_line(tmp_path: Path, settings: dict[str, str], line: str) -> None:
    done = run_up(tmp_path / "home", **settings)
    assert done.returncode == 78
    assert done.stderr.splitlines() == [line]
    assert done.stdout == ""


def test_a_home_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_up(tmp_path / "home", ROLLCALL_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 1
    assert "ROLLCALL_HOME" in done.stderr


def test_a_second_supervisor_on_one_home_is_refused(tmp_path: Path) -> None:
    with stack(tmp_path / "home", {"SCHEDULER": "off"}):
        done = run_up(tmp_path / "home", PORT=str(free_port()))
    assert done.returncode == 78
    assert "is running on" in done.stderr
