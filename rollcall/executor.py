"""What a jobs process is called: the same after each restart, and nobody else's meanwhile."""

from __future__ import annotations

import fcntl
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO

EXECUTOR = "executor"  # the heartbeat's fact


@contextmanager
def executor_name(home: Path) -> Iterator[str]:
    """A name made of the host, the home and the first slot that is free, held for the block.

    The kernel frees the slot with the process, however that ends: whoever comes next under the same name
    knows that the work under it is nobody's, and takes it up at once.
    """
    folder = home / "jobs"
    folder.mkdir(mode=0o700, exist_ok=True)
    slot, lock = _free_slot(folder)
    with lock:
        yield f"{socket.gethostname()}-{_identity(folder)}-{slot}"


def _free_slot(folder: Path) -> tuple[int, IO[str]]:
    for slot in count():
        lock = (folder / f"{slot}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        return slot, lock
    raise AssertionError("there is always another number")


def _identity(folder: Path) -> str:
    """What tells this home from another on a host of the same name, as containers may have."""
    path, name = folder / "identity", secrets.token_hex(4)
    beside = folder / f".{name}"
    beside.write_text(name)
    with suppress(FileExistsError):
        path.hardlink_to(beside)  # whole, or not at all
    beside.unlink()
    return path.read_text()
