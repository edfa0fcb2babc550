"""File storage: its settings, and a local folder, where `put` returns once the file is synced to disk.

Keys are paths of plain names, valid in a folder and in a bucket alike.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast
from urllib.parse import unquote, urlsplit

from domain.errors import ObjectNotFoundError, PermanentError, StorageFullError, TransientError
from domain.ports import Storage
from domain.setting import BASE_URL, TOKEN, SettingsGroup, SettingType, setting

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_KEY = re.compile(rf"{_NAME}(/{_NAME}){{0,7}}")


def is_key(key: str) -> bool:
    """Whether `key` is a path of one to eight plain names."""
    return _KEY.fullmatch(key) is not None


def validate_key(key: str) -> str:
    """Return `key` if it is valid. Raises: PermanentError."""
    if not is_key(key):
        raise PermanentError(
            f"{key[:100]!r} is not a valid key: names of letters, digits, '.', '_' and '-', separated by '/'"
        )
    return key


def validate_prefix(prefix: str) -> str:
    """Return `prefix` if it is a key and a slash. Raises: PermanentError."""
    if not prefix.endswith("/"):
        raise PermanentError(f"{prefix[:100]!r} does not end with '/'")
    return f"{validate_key(prefix[:-1])}/"


def _storage_url(text: str) -> str:
    parts = urlsplit(text)
    is_folder = parts.scheme == "file" and not parts.netloc and parts.path.startswith("/")
    if parts.query or parts.fragment:
        raise ValueError("must write ? and # in a path as %3F and %23")
    if not is_folder and not (parts.scheme == "s3" and parts.netloc):
        raise ValueError("must be file:///folder or s3://bucket/prefix")
    return text.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class StorageSettings(SettingsGroup):
    """Storage of assets and results."""

    url: str | None = setting(
        "STORAGE_URL",
        SettingType("`file:///folder` or `s3://bucket/prefix`", _storage_url),
        doc="where files are stored",
        unset="a folder in the home",
    )
    endpoint_url: str | None = setting(
        "STORAGE_ENDPOINT_URL", BASE_URL, doc="S3-compatible service", unset="S3"
    )
    region: str | None = setting("STORAGE_REGION", TOKEN, doc="region of the bucket")
    access_key_id: str | None = setting(
        "STORAGE_ACCESS_KEY_ID", TOKEN, secret=True, doc="access key of the bucket"
    )
    secret_access_key: str | None = setting("STORAGE_SECRET_ACCESS_KEY", TOKEN, secret=True, doc="its secret")

    def folder(self, home: Path) -> Path | None:
        """Return the folder that holds all objects; None for a bucket."""
        if self.url is None:
            return home / "storage"
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def open(self, home: Path) -> Storage:
        """Return the storage. Nothing connects yet."""
        folder = self.folder(home)
        if folder is not None:
            return Folder(folder)
        from providers.bucket import Bucket  # noqa: PLC0415 - 15 MB that a folder does without

        return Bucket(self)


_CHUNK_BYTES = 65_536
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Folder:
    """Storage in the folder `root`, which the first `put` creates."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, content: bytes, content_type: str) -> None:  # noqa: ARG002 - files have none
        """Store `content` atomically: write a temporary file, then rename it."""
        self._put(key, lambda target: target.write(content))

    def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:  # noqa: ARG002 - files have none
        """Store the rest of `file` like `put`, in chunks."""
        self._put(key, lambda target: shutil.copyfileobj(file, target, _CHUNK_BYTES))

    def _put(self, key: str, write: Callable[[BinaryIO], object]) -> None:
        path = self._root / validate_key(key)
        with _translated(key):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, write)

    def get(self, key: str) -> bytes:
        """The content."""
        with _translated(key):
            return (self._root / validate_key(key)).read_bytes()

    def size(self, key: str) -> int:
        """The size in bytes."""
        with _translated(key):
            return (self._root / validate_key(key)).stat().st_size

    def stream(self, key: str) -> Iterator[bytes]:
        """The content in chunks."""
        with _translated(key), (self._root / validate_key(key)).open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk

    def address(self, key: str) -> str | None:
        """None: clients download it through Rollcall."""
        validate_key(key)
        return None

    def delete(self, prefix: str) -> None:
        """Delete everything under `prefix`."""
        path = self._root / validate_prefix(prefix)
        with _translated(prefix):
            if path.is_dir():
                shutil.rmtree(path)


def files_in(root: Path) -> Iterator[tuple[str, Path]]:
    """Each file stored in `root`, with its key; files deleted meanwhile may be missing.

    Files whose path is not a valid key are skipped: they are foreign or incomplete.

    Raises: PermanentError if a part of the folder cannot be read.
    """
    try:
        for folder, below, names in os.walk(root, onerror=_raise_unless_deleted):
            above = Path(folder)
            below[:] = sorted(name for name in below if is_key(_key(root, above / name)))
            paths = {_key(root, path): path for path in map(above.joinpath, sorted(names))}
            yield from ((key, path) for key, path in paths.items() if is_key(key) and path.is_file())
    except OSError as error:
        raise PermanentError(f"{error.filename} cannot be read ({error.strerror})") from error


def _key(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _raise_unless_deleted(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise ObjectNotFoundError(f"nothing is stored under {key}") from error
    except OSError as error:
        kind = StorageFullError if error.errno in _DISK_FULL else TransientError
        raise kind(f"the storage folder cannot be used ({error.strerror})") from error


def _write(path: Path, write: Callable[[BinaryIO], object]) -> None:
    with NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        temporary = Path(file.name)
        try:
            write(cast("BinaryIO", file))
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            temporary.unlink()
            raise
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # makes the rename durable
    finally:
        os.close(folder)
