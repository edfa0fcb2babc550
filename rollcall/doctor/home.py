"""Checks of the state folder: it exists, is private and writable, and has free space."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.setting import SECRET
from observability.checks.host import read_disk
from rollcall import backups, environment
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.wiring import SystemClock

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FULL_BYTES = 50_000_000


def _home(case: InspectedSettings) -> Verdict:
    home = case.settings.home
    if not home.is_dir():
        return failure(f"{home} is not there", "rollcall init")
    try:
        with tempfile.TemporaryFile(dir=home) as file:  # the file has no name, so it is never visible
            file.write(b"rollcall")
    except OSError as error:
        return failure(f"{home} cannot be written ({error.strerror})", remedy(home, error))
    if home.stat().st_mode & _OTHERS:
        return warning(f"{home} is open to others", f"chmod 700 {home}")
    return ok(f"{home} can be written")


def remedy(home: Path, error: OSError, user_id: int | None = None) -> str:
    """Return how `user` (default: this process' own) gets write access to `home` after `error`."""
    user_id = os.geteuid() if user_id is None else user_id
    if error.errno == errno.EROFS:
        return f"mount -o remount,rw {_mount(home)}"
    if error.errno == errno.ENOSPC:
        return f"make room on the disk of {home}"
    if home.stat().st_uid == user_id:
        return f"chmod u+w {home}"
    return f"chown -R {_name(user_id)} {home}"


def _mount(home: Path) -> Path:
    return next(path for path in (home, *home.parents) if path.is_mount())


def _name(user_id: int) -> str:
    import pwd  # noqa: PLC0415 - one hint needs it

    try:
        return pwd.getpwuid(user_id).pw_name
    except KeyError:
        return str(user_id)


def _secrets(case: InspectedSettings) -> Verdict:
    folder = case.settings.home / "secrets"
    names = [name.upper() for name in environment.GENERATED if getattr(case.settings, name) is None]
    paths = [folder / name for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        return failure(f"{', '.join(missing)} not there", "rollcall init")
    loose = [path for path in paths if path.stat().st_mode & _OTHERS]
    if loose:
        return failure(f"{loose[0]} can be read by others", f"chmod 600 {folder}/*")
    unusable = [path for path in paths if not _is_secret(path)]
    if unusable:
        return failure(f"{unusable[0]} is too short to guard anything", f"rm {unusable[0]} && rollcall init")
    return ok(f"{folder}: {len(paths)} files, their owner's alone" if paths else "all are set")


def _is_secret(path: Path) -> bool:
    try:
        SECRET.parse(path.read_text().strip())
    except ValueError:
        return False
    return True


def _backup(case: InspectedSettings) -> Verdict:
    home, now = case.settings.home, SystemClock().now()
    found = backups.last(home)
    since = _made_at(home, now) if found is None else found.at
    seen = "none was made yet" if found is None else f"{found.file}, {_hours(now - since)} ago"
    if now - since > backups.OVERDUE_AFTER:
        return warning(seen, "rollcall backup FILE, once a day, to another disk")
    return ok(seen)


def _made_at(home: Path, now: datetime) -> datetime:
    """Return when the first secret was created; None if the home holds no secret."""
    made = [path.stat().st_mtime for path in (home / "secrets").glob("*")]
    return datetime.fromtimestamp(min(made, default=now.timestamp()), UTC)


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f} hours"


def _disk(case: InspectedSettings) -> Verdict:
    found = read_disk(case.settings.home)
    seen = f"{found.free / 1e9:.1f} GB free of {found.total / 1e9:.1f} GB"
    hint = f"make room on the disk of {found.path}"
    if found.free < _FULL_BYTES:
        return failure(seen, hint)
    return warning(seen, hint) if found.is_nearly_full else ok(seen)


_NEEDS = ("settings.ROLLCALL_HOME",)
CHECKS = (
    Check("home", _home, "correct ROLLCALL_HOME", _NEEDS),
    Check("home.secrets", _secrets, "rollcall init", (*_NEEDS, "home")),
    Check("backup", _backup, "rollcall backup FILE", (*_NEEDS, "home")),
    Check("disk", _disk, "correct ROLLCALL_HOME", (*_NEEDS, "home")),
)
