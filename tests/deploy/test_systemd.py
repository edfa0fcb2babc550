"""deploy/systemd, as systemd itself reads it, and the roles under what it forbids them."""

from __future__ import annotations

import configparser
import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from rollcall import systemd
from rollcall.cli.main import rollcall
from rollcall.roles import web, worker
from tests.support.stack import Stack, wait_until
from tests.support.tools import require

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
ROLES = [UNITS / f"rollcall-{name}.service" for name in ("web", "worker@", "scheduler", "jobs")]
PROGRAM = "/opt/rollcall/current/bin/rollcall"
EXPOSURE = 1.5
_PR_SET_MDWE, _REFUSE_EXEC_GAIN = 65, 1

by_name = partial(pytest.mark.parametrize, ids=lambda path: path.name)


def read(path: Path) -> configparser.SectionProxy:
    """The [Service] of a unit, the last of repeated options."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read(path)
    return parser["Service"]


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_the_command_writes_these_units_and_prints_them(tmp_path: Path) -> None:
    CliRunner().invoke(rollcall, ["systemd", "--output", str(tmp_path)], catch_exceptions=False)
    assert files(tmp_path) == files(UNITS)
    printed = CliRunner().invoke(rollcall, ["systemd"], catch_exceptions=False).output
    assert all(text in printed for text in files(UNITS).values())


@by_name("path", SERVICES)
def test_each_service_is_confined(path: Path) -> None:
    command = [require("systemd-analyze", "systemd"), "security", "--offline=true", "--no-pager", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= EXPOSURE, done.stdout


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    program = shutil.which("true")
    assert program is not None
    units = shutil.copytree(UNITS, tmp_path / "units")
    for path in units.glob("*.service"):
        path.write_text(path.read_text().replace(PROGRAM, program))
    found = [str(path) for path in units.glob("rollcall*.*") if path.is_file()]
    done = subprocess.run(
        [require("systemd-analyze", "systemd"), "verify", "--man=no", *found],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_service_starts_after_the_clock_is_set() -> None:
    parser = configparser.RawConfigParser()
    parser.read(UNITS / "rollcall-.service.d" / "time.conf")
    assert dict(parser["Unit"]) == {"wants": "time-sync.target", "after": "time-sync.target"}
    assert all(path.name.startswith("rollcall-") for path in SERVICES)


def test_metrics_of_processes_are_not_hidden() -> None:
    assert not any(re.search(r"^ProcSubset", text, re.MULTILINE) for text in files(UNITS).values())


@by_name("path", ROLES)
def test_systemd_waits_longer_than_a_role_takes_to_stop(path: Path) -> None:
    drain_seconds = max(web.STOP_SECONDS, worker.STOP_MS / 1000)
    assert float(read(path)["TimeoutStopSec"]) > drain_seconds + 5


@by_name("path", ROLES)
def test_a_role_that_lives_is_not_taken_for_dead(path: Path) -> None:
    assert float(read(path)["WatchdogSec"]) >= 3 * systemd.ALIVE_SECONDS


@by_name("path", [*ROLES, UNITS / "rollcall-valkey.service"])
def test_a_role_is_started_again_unless_its_settings_are_wrong(path: Path) -> None:
    service = read(path)
    assert service["Restart"] == "always"
    assert service["RestartPreventExitStatus"] == str(os.EX_CONFIG)


def test_memory_is_bounded_for_a_machine_of_one_gigabyte() -> None:
    standing = [read(path)["MemoryHigh"] for path in [*ROLES, UNITS / "rollcall-valkey.service"]]
    assert sum(int(limit.removesuffix("M")) for limit in standing) <= 900


def test_every_role_works_without_memory_that_is_written_and_executed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CONFINED, str(_PR_SET_MDWE), str(_REFUSE_EXEC_GAIN)]
    if ctypes.CDLL(None).prctl(_PR_SET_MDWE + 1, 0, 0, 0, 0) < 0:
        pytest.skip("this kernel does not know PR_SET_MDWE")
    running = Stack(tmp_path / "home", RENOTIFY_COOLDOWN_SECONDS="0")
    try:
        running.start(*command)
        outbox = tmp_path / "home" / "outbox"
        wait_until(lambda: any(outbox.glob("*.eml")), "a mail in the outbox", seconds=90)
    finally:
        assert running.stop() == 0


_CONFINED = """
import ctypes, os, sys
number, flag = map(int, sys.argv[1:3])
assert ctypes.CDLL(None).prctl(number, flag, 0, 0, 0) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_old_backups_go_only_after_a_new_one_and_only_those_of_the_timer(tmp_path: Path) -> None:
    assert re.search(
        r"^d /var/backups/rollcall \S+ \S+ \S+ -$", (UNITS / "tmpfiles.conf").read_text(), re.MULTILINE
    )
    service = read(UNITS / "rollcall-backup.service")
    assert service["Type"] == "oneshot"  # what is to be done after it waits for its success
    folder = "/var/backups/rollcall"
    assert service["ReadWritePaths"] == folder
    names = (
        "rollcall-20260101T031000Z.zip",
        "by-hand.zip",
        "rollcall-before-move.zip",
        "rollcall-20260114T031000Z.zip",
    )
    for name, days in zip(names, (14.1, 14.1, 14.1, 13.9), strict=True):
        (tmp_path / name).write_bytes(b"")
        then = time.time() - days * 86_400
        os.utime(tmp_path / name, (then, then))
    command = [word.replace(folder, str(tmp_path)) for word in shlex.split(service["ExecStartPost"])]
    subprocess.run(command, check=True)
    assert {path.name for path in tmp_path.iterdir()} == set(names[1:])
