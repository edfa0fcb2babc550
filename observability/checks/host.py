"""Checks of the machine."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from domain.alert import AlertMessage
from domain.check import Check, Part, Result, Severity
from observability.checks.snapshot import Disk, SystemSnapshot
from observability.checks.unavailable import required

_MIB = 1_048_576
_PENDING = timedelta(minutes=2)
_TIMEDATECTL = "timedatectl"
TOLERATED_SKEW_SECONDS = 5.0
DATABASE = "database"


def read_disk(home: Path) -> Disk:
    """Return the free space of the file system that holds `home`."""
    usage = shutil.disk_usage(home)
    return Disk(home, usage.free, usage.total)


def _disk(state: SystemSnapshot) -> Iterator[Result]:
    disk = required(state.disk)
    if disk is not None:
        yield Result("home", _full(disk) if disk.is_nearly_full else None)


def _full(disk: Disk) -> AlertMessage:
    detail = f"{disk.free // _MIB} MiB of {disk.total // _MIB} MiB are free."
    command = f"du -xh {shlex.quote(str(disk.path))} | sort -h | tail"
    return AlertMessage("The disk is nearly full", detail, command, _PENDING)


def _clocks(state: SystemSnapshot) -> Iterator[Result]:
    for name, ahead_seconds in required(state.clocks).items():
        is_skewed = abs(ahead_seconds) > TOLERATED_SKEW_SECONDS
        yield Result(name, _skewed(name, ahead_seconds) if is_skewed else None)


def _skewed(name: str, ahead_seconds: float) -> AlertMessage:
    whose, other = ("the database", "this host's") if name == DATABASE else (name, "Redis'")
    relation = "ahead of" if ahead_seconds > 0 else "behind"
    detail = f"The clock of {whose} is {abs(ahead_seconds):.0f} s {relation} {other}."
    return AlertMessage(
        "Clocks disagree", f"{detail} Times that they compare are wrong by as much.", _TIMEDATECTL, _PENDING
    )


CHECKS = (
    Check("disk", _disk, Severity.DEGRADED, (Part.DRAINING,), "df -h", "disk-nearly-full"),
    Check("clocks", _clocks, Severity.DEGRADED, (Part.POLLING, Part.SENDING),
          _TIMEDATECTL, "clock-skew", "#workers", needs="redis"),
)  # fmt: skip
