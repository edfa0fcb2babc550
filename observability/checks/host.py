"""Checks of the machine: disk, clocks, backups; and how its roles are started."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity
from observability.checks.snapshot import BackupAge, Disk, SystemSnapshot, required
from store.backup import last_backup

TOLERATED_SKEW_SECONDS = 5.0
DATABASE = "database"
_MIB = 1_048_576
_INSTALLED = Path("/opt/rollcall")
_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_UNITS = {"worker": "rollcall-worker@all"}
_BY_HAND = {"valkey": "rollcall up"}  # `up` starts the embedded server


def is_managed(prefix: Path = Path(sys.prefix), booted: Path = _BOOTED) -> bool:
    """Return whether systemd starts the roles of the installation at `prefix`."""
    return prefix.is_relative_to(_INSTALLED) and booted.is_dir()


def start_command(role: str, *, managed: bool) -> str:
    """Return the command that starts a missing `role`."""
    if managed:
        return f"systemctl start {_UNITS.get(role, f'rollcall-{role}')}"
    return _BY_HAND.get(role, f"rollcall {role}")


def read_disk(home: Path) -> Disk:
    """Return the free space of the file system that holds `home`."""
    usage = shutil.disk_usage(home)
    return Disk(home, usage.free, usage.total)


def read_backup(home: Path, now: datetime) -> BackupAge:
    """Return the age of the last backup of `home`. Raises: PermanentError when it cannot be read."""
    found = last_backup.read(home)
    return (
        BackupAge(last_backup.created_at(home, now), None)
        if found is None
        else BackupAge(found.at, found.file)
    )


def _disk(state: SystemSnapshot) -> Iterator[Result]:
    disk = required(state.disk)
    if disk is not None:
        free = f"{disk.free // _MIB} MiB of {disk.total // _MIB} MiB are free."
        yield Result("home", _full(disk, free) if disk.is_nearly_full else None, note=free)


def _full(disk: Disk, free: str) -> AlertMessage:
    command = f"du -xh {shlex.quote(str(disk.path))} | sort -h | tail"
    return AlertMessage("The disk is nearly full", free, command)


def _clocks(state: SystemSnapshot) -> Iterator[Result]:
    for name, ahead_seconds in required(state.clocks).items():
        is_skewed = abs(ahead_seconds) > TOLERATED_SKEW_SECONDS
        note = f"{name}: {ahead_seconds:+.1f} s"
        yield Result(name, _skewed(name, ahead_seconds) if is_skewed else None, note=note)


def _skewed(name: str, ahead_seconds: float) -> AlertMessage:
    whose, other = ("the database", "this host's") if name == DATABASE else (name, "Redis'")
    relation = "ahead of" if ahead_seconds > 0 else "behind"
    detail = f"The clock of {whose} is {abs(ahead_seconds):.0f} s {relation} {other}."
    return AlertMessage(
        "Clocks disagree", f"{detail} Times that they compare are wrong by as much.", "timedatectl"
    )


def _backup(state: SystemSnapshot) -> Iterator[Result]:
    backup = required(state.backup)
    if backup is None:
        return
    age = state.now - backup.at
    made = "No backup was made yet." if backup.file is None else f"{backup.file}, {_hours(age)} ago."
    failure = AlertMessage(
        "The last backup is overdue", made, "rollcall backup FILE, once a day, to another disk"
    )
    yield Result("last", failure if age > last_backup.OVERDUE_AFTER else None, note=made)


def _hours(age: timedelta) -> str:
    return f"{age / timedelta(hours=1):.1f} hours"


CHECKS = (
    Check("disk", _disk, Severity.DEGRADED, (Part.DRAINING,), "df -h", "disk-nearly-full",
          pending_for=timedelta(minutes=2)),
    Check("clocks", _clocks, Severity.DEGRADED, (Part.POLLING, Part.SENDING),
          "timedatectl", "clock-skew", "#workers", needs=("redis",), pending_for=timedelta(minutes=2)),
    Check("backup", _backup, Severity.HEALTHY, (), "systemctl status rollcall-backup", "backup-overdue"),
)  # fmt: skip
