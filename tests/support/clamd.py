"""A real clamd with one signature, that of the EICAR test file."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
_BINARY = "/usr/sbin/clamd"


def require_clamd() -> str:
    """The program; skips where it is not installed."""
    found = shutil.which("clamd") or (_BINARY if Path(_BINARY).exists() else None)
    if found is None:
        pytest.skip("clamd is not installed (apt-get install clamav-daemon)")
    return found


@contextmanager
def running_clamd(limit: str = "60M") -> Iterator[str]:
    """The path of the socket of a running scanner; `limit` is the largest file that it takes."""
    program = require_clamd()
    with TemporaryDirectory(prefix="clamd-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "database").mkdir()
        (folder / "database" / "test.ndb").write_text(f"Eicar-Test:0:*:{EICAR.hex()}\n")
        path = folder / "socket"
        (folder / "clamd.conf").write_text(
            f"DatabaseDirectory {folder / 'database'}\nLocalSocket {path}\nForeground yes\n"
            f"StreamMaxLength {limit}\nMaxFileSize {limit}\nMaxScanSize {limit}\nUser root\n"
            f"TemporaryDirectory {folder}\n"
        )
        command = [program, "--config-file", str(folder / "clamd.conf")]
        with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                _wait_until_it_answers(process, path, folder / "log")
                yield str(path)
            finally:
                process.terminate()
                process.wait(20)


def _wait_until_it_answers(process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
    deadline = time.monotonic() + 30
    while not _answers(path):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
            connection.sendall(b"zPING\0")
            return connection.recv(16) == b"PONG\0"
        except OSError:
            return False
