"""Uploaded files: their rows, and the jobs that use them. The content is in the storage.

An upload exists once its content is stored. Its row is written before the content and deleted after it, so
that the row of every stored file is known.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, delete, exists, insert, select, update

from domain.errors import InvalidInputError
from store import audit
from store.audit import AuditEntry
from store.database import Database, from_ms, insert_new, serialise, to_ms
from store.schema import jobs, upload_claims, uploads

_columns = uploads.c
_IS_STORED = _columns.stored_at_ms.is_not(None)
_IS_USED = exists().where(upload_claims.c.upload_id == _columns.id, upload_claims.c.job_id == jobs.c.id)


class Scan(StrEnum):
    """What the virus scanner says."""

    CLEAN = "clean"
    NOT_SCANNED = "not_scanned"


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file; `bytes` is its size, `sha256` the digest in hexadecimal."""

    id: str
    sha256: str
    bytes: int
    media_type: str
    scan: Scan
    created_at: datetime


def upload_prefix(upload_id: str) -> str:
    """Return the storage prefix of an upload."""
    return f"uploads/{upload_id}/"


def upload_key(upload_id: str) -> str:
    """Return the storage key of an upload's content."""
    return f"{upload_prefix(upload_id)}content"


class Uploads:
    """The rows of `uploads` and `upload_claims`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, upload: Upload) -> None:
        """Add the row of an upload whose content is stored next; it does not exist yet."""
        row = {"id": upload.id, "sha256": upload.sha256, "bytes": upload.bytes}
        row |= {"media_type": upload.media_type, "scan": upload.scan.value}
        with self._database.write() as connection:
            connection.execute(insert(uploads).values(row | {"created_at_ms": to_ms(upload.created_at)}))

    def complete(
        self, upload: Upload, idempotency_key: str | None, now: datetime, entry: AuditEntry | None = None
    ) -> Upload:
        """Record that the content is stored. Return the upload, or the first one of its key.

        A repeated upload stays without `stored_at_ms`, and is purged like one that a crash interrupted.
        """
        values = {"stored_at_ms": to_ms(now), "idempotency_key": idempotency_key}
        with self._database.write() as connection:
            if idempotency_key is not None:
                serialise(connection, "uploads")
                first = _of_key(connection, idempotency_key)
                if first is not None:
                    return first
            connection.execute(update(uploads).where(_columns.id == upload.id).values(values))
            audit.write(connection, entry, subject=f"upload/{upload.id}")
        return upload

    def get(self, upload_id: str) -> Upload | None:
        """The upload, or None."""
        with self._database.read() as connection:
            row = connection.execute(select(uploads).where(_columns.id == upload_id, _IS_STORED)).mappings()
            found = row.first()
        return None if found is None else _upload(found)

    def of_key(self, idempotency_key: str) -> Upload | None:
        """The upload of an idempotency key, or None."""
        with self._database.read() as connection:
            return _of_key(connection, idempotency_key)

    def expire(self, before: datetime, limit: int) -> list[str]:
        """End uploads that were created `before` and that no job uses; return their ids.

        No job can claim them afterwards. Delete their content, then call `purge`; until then they are
        returned again.
        """
        is_old = _columns.created_at_ms < to_ms(before)
        query = select(_columns.id).where(is_old, ~_IS_USED).order_by(_columns.created_at_ms).limit(limit)
        ended = update(uploads).values(stored_at_ms=None, idempotency_key=None).returning(_columns.id)
        with self._database.write() as connection:
            ids = list(connection.execute(query.with_for_update()).scalars())
            # A claim may have committed while the rows were locked: only a new statement sees it.
            return list(connection.execute(ended.where(_columns.id.in_(ids), ~_IS_USED)).scalars())

    def purge(self, ids: Collection[str]) -> None:
        """Delete the rows of expired uploads."""
        with self._database.write() as connection:
            connection.execute(delete(upload_claims).where(upload_claims.c.upload_id.in_(list(ids))))
            connection.execute(delete(uploads).where(_columns.id.in_(list(ids)), ~_IS_STORED))


def claim(connection: Connection, upload_id: str, job_id: str) -> Upload:
    """Keep an upload until the job is purged, in the transaction that adds the job. Idempotent.

    Several jobs may use one upload. Read its content from the storage under `upload_key(upload_id)`.
    Raises: InvalidInputError if there is no such upload, or it has expired.
    """
    query = select(uploads).where(_columns.id == upload_id, _IS_STORED).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise InvalidInputError({"upload_id": "there is no such upload, or it has expired"})
    insert_new(connection, upload_claims, {"upload_id": upload_id, "job_id": job_id})
    return _upload(row)


def _of_key(connection: Connection, idempotency_key: str) -> Upload | None:
    query = select(uploads).where(_columns.idempotency_key == idempotency_key, _IS_STORED)
    row = connection.execute(query).mappings().first()
    return None if row is None else _upload(row)


def _upload(row: RowMapping) -> Upload:
    return Upload(
        id=row["id"],
        sha256=row["sha256"],
        bytes=row["bytes"],
        media_type=row["media_type"],
        scan=Scan(row["scan"]),
        created_at=from_ms(row["created_at_ms"]),
    )
