"""The backup file: a zip with a manifest, each table's rows as JSON lines, files and secrets.

Shape: `manifest.json` holds format, release, schema, time, each table's columns and row count, the last
identifier that each table has issued, and size and SHA-256 of every other part: `tables/{name}.jsonl`, one
array per row in column order, `files/{key}` and `secrets/{NAME}`. No part depends on the kind of database.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Self
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from domain.errors import PermanentError

FORMAT = 1
_MANIFEST = "manifest.json"
_FILES, _SECRETS = "files/", "secrets/"
_CHUNK_BYTES = 1 << 20
Row = list[Any]


class UnusableArchiveError(PermanentError):
    """The file is no backup of ours, or is not whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive, as it was written."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """One table: its columns, and how many rows of them."""

    columns: list[str]
    rows: int


@dataclass(slots=True)
class Manifest:
    """The archive's description of its own contents."""

    release: str
    schema: str
    created_at: str
    format: int = FORMAT
    tables: dict[str, Contents] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """The manifest that `text` holds. Raises: UnusableArchiveError."""
        try:
            document = json.loads(text)
            if document["format"] != FORMAT:
                raise UnusableArchiveError(f"its format is {document['format']}, not {FORMAT}")
            tables = {name: Contents(**each) for name, each in document.pop("tables").items()}
            parts = {name: Part(**each) for name, each in document.pop("parts").items()}
            return cls(**document, tables=tables, parts=parts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnusableArchiveError(f"its manifest cannot be read ({error})") from error


class Writer:
    """Adds parts to an archive, and notes them in its manifest."""

    def __init__(self, archive: ZipFile, manifest: Manifest) -> None:
        self._zip = archive
        self.manifest = manifest

    def add_table(self, name: str, columns: list[str], rows: Iterable[Row]) -> None:
        """Write `rows`, one by one."""
        count = self._add(
            f"tables/{name}.jsonl",
            (json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n" for row in rows),
        )
        self.manifest.tables[name] = Contents(columns, count)

    def add_file(self, key: str, path: Path) -> None:
        """Write what `path` holds under `key`; what was deleted meanwhile is left out.

        Raises: PermanentError when it cannot be opened.
        """
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return
        except OSError as error:
            raise PermanentError(f"{path} cannot be read ({error.strerror})") from error
        with file:
            self._add(f"{_FILES}{key}", iter(partial(file.read, _CHUNK_BYTES), b""))

    def add_secret(self, name: str, value: str) -> None:
        """Write the secret `name`."""
        self._add(f"{_SECRETS}{name}", [value.encode()])

    def _add(self, path: str, pieces: Iterable[bytes]) -> int:
        digest, size, count = hashlib.sha256(), 0, 0
        with self._zip.open(path, "w", force_zip64=True) as part:
            for piece in pieces:
                part.write(piece)
                digest.update(piece)
                size, count = size + len(piece), count + 1
        self.manifest.parts[path] = Part(size, digest.hexdigest())
        return count


class Reader:
    """An archive, every part of which has been compared with the manifest. Raises: UnusableArchiveError."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._zip = ZipFile(file)
            self.manifest = Manifest.read(self._zip.read(_MANIFEST))
            self._verify()
        except (BadZipFile, zlib.error, KeyError, OSError, EOFError, NotImplementedError) as error:
            raise UnusableArchiveError(f"it is no backup, or not a whole one ({error})") from error

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of a table, one by one."""
        with self._zip.open(f"tables/{name}.jsonl") as part:
            yield from map(json.loads, part)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file, one by one: its key and what it holds."""
        for path in self.manifest.parts:
            if path.startswith(_FILES):
                yield path.removeprefix(_FILES), self._zip.read(path)

    def secrets(self) -> Mapping[str, str]:
        """The secrets in it, by their names."""
        paths = [path for path in self.manifest.parts if path.startswith(_SECRETS)]
        return {path.removeprefix(_SECRETS): self._zip.read(path).decode() for path in paths}

    def _verify(self) -> None:
        missing = {f"tables/{name}.jsonl" for name in self.manifest.tables} - self.manifest.parts.keys()
        if missing:
            raise UnusableArchiveError(f"its manifest does not list {', '.join(sorted(missing))}")
        for path, expected in self.manifest.parts.items():
            digest = hashlib.sha256()
            with self._zip.open(path) as part:
                while chunk := part.read(_CHUNK_BYTES):
                    digest.update(chunk)
            if digest.hexdigest() != expected.sha256:
                raise UnusableArchiveError(f"{path} is not what was written: its SHA-256 differs")


@contextmanager
def writing(file: BinaryIO, manifest: Manifest) -> Iterator[Writer]:
    """A writer to the new archive `file`, which `manifest` ends."""
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        yield Writer(archive, manifest)
        archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=1))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file, mode 0600, that takes its place at `path` when all of it is on the disk, or never exists."""
    descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).replace(path)
        _sync(path.parent)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
