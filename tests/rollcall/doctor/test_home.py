from __future__ import annotations

import errno
import os
from pathlib import Path

from rollcall.doctor.home import remedy

DENIED = PermissionError(errno.EACCES, "Permission denied")


def test_who_owns_a_read_only_home_makes_it_writable(tmp_path: Path) -> None:
    assert remedy(tmp_path, DENIED, user_id=tmp_path.stat().st_uid) == f"chmod u+w {tmp_path}"


def test_a_home_of_somebody_else_is_to_become_ours(tmp_path: Path) -> None:
    another = tmp_path.stat().st_uid + 4711  # nobody of this name
    assert remedy(tmp_path, DENIED, user_id=another) == f"chown -R {another} {tmp_path}"


def test_a_read_only_file_system_is_to_be_mounted_writable() -> None:
    assert (
        remedy(Path("/proc/sys"), OSError(errno.EROFS, os.strerror(errno.EROFS)))
        == "mount -o remount,rw /proc"
    )


def test_a_full_disk_is_to_be_made_room_on(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert remedy(tmp_path, full) == f"make room on the disk of {tmp_path}"
