"""Uploads: a file is recognised, scanned for viruses, and stored for a job that imports it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import BinaryIO, Final, Protocol
from uuid import uuid4

from domain.errors import InvalidInputError, TransientError
from domain.ports import Storage
from imports.formats import media_type
from operations.context import AdminContext
from providers.clamd import InfectedError
from store.audit import AuditEntry
from store.uploads import Scan, Upload, upload_key

MEBIBYTE: Final = 1_048_576
_CHUNK_BYTES: Final = 65_536
_log = logging.getLogger(__name__)


class Scanner(Protocol):
    """A virus scanner."""

    def scan(self, file: BinaryIO) -> None:
        """Scan the rest of the file. Raises: InfectedError, ScanLimitError, TransientError."""


@dataclass(frozen=True, slots=True)
class UploadPorts:
    """What uploads need.

    Shape: `scanner` is None if none is configured; `is_scan_required` refuses what cannot be scanned.
    """

    storage: Storage
    scanner: Scanner | None
    is_scan_required: bool
    limit_bytes: int


class UnreadableFileError(InvalidInputError):
    """No importer reads the file."""


def store_upload(
    admin: AdminContext, ports: UploadPorts, file: BinaryIO, by: str, idempotency_key: str | None = None
) -> tuple[Upload, bool]:
    """Store a seekable file as a new upload and return it with True; or the first of its key with False.

    Memory does not depend on the size of the file. An infected file is audited and not stored.
    Raises: UnreadableFileError, InfectedError, ScanLimitError, TransientError if the scanner is required and
    does not answer.
    """
    uploads, clock = admin.services.store.uploads, admin.services.clock
    first = None if idempotency_key is None else uploads.of_key(idempotency_key)
    if first is not None:
        return first, False
    upload = _examine(admin, ports, file, by)
    uploads.begin(upload)
    file.seek(0)
    ports.storage.put_file(upload_key(upload.id), file, upload.media_type)
    detail = {"bytes": upload.bytes, "sha256": upload.sha256, "scan": upload.scan.value}
    entry = AuditEntry(clock.now(), by, "upload.add", f"upload/{upload.id}", detail)
    stored = uploads.complete(upload, idempotency_key, clock.now(), entry)
    return stored, stored.id == upload.id


def _examine(admin: AdminContext, ports: UploadPorts, file: BinaryIO, by: str) -> Upload:
    try:
        detected = media_type(file)
    except InvalidInputError as error:
        raise UnreadableFileError(error.problems) from error
    file.seek(0)
    sha256, now = _sha256(file), admin.services.clock.now()
    size = file.tell()
    try:
        scan = _scan(ports, file)
    except InfectedError as error:
        detail = {"sha256": sha256, "bytes": size, "signature": error.signature}
        admin.record(AuditEntry(now, by, "upload.refuse", "upload", detail))
        raise
    return Upload(uuid4().hex, sha256, size, detected, scan, now)


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _scan(ports: UploadPorts, file: BinaryIO) -> Scan:
    if ports.scanner is None:
        if ports.is_scan_required:
            raise TransientError("no scanner is configured")
        return Scan.NOT_SCANNED
    file.seek(0)
    try:
        ports.scanner.scan(file)
    except TransientError as error:
        if ports.is_scan_required:
            raise
        _log.warning("an upload is not scanned", extra={"error": str(error)})
        return Scan.NOT_SCANNED
    return Scan.CLEAN
