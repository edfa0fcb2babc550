from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from domain.errors import InvalidInputError, ObjectNotFoundError
from providers.storage import Folder
from store.database import Database
from store.schema import jobs, uploads
from store.uploads import Scan, Upload, Uploads, claim, upload_key
from workflows.maintenance import purge_uploads

NOW = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=25)


def upload(name: str = "a", at: datetime = NOW) -> Upload:
    return Upload(name * 32, "0" * 64, 7, "text/csv", Scan.CLEAN, at)


@pytest.fixture
def found(database: Database) -> Uploads:
    return Uploads(database)


def add(found: Uploads, storage: Folder, given: Upload, key: str | None = None) -> Upload:
    found.begin(given)
    storage.put(upload_key(given.id), b"content", given.media_type)
    return found.complete(given, key, NOW)


def add_job(database: Database, job_id: str) -> None:
    row = {"id": job_id, "kind": "x", "profile": "batch", "state": "queued", "input": {}}
    with database.write() as connection:
        connection.execute(jobs.insert().values(row | {"created_at_ms": 1, "published_at_ms": 1}))


def rows(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(uploads.c.id)).scalars())


def test_an_upload_exists_once_its_content_is_stored(found: Uploads) -> None:
    found.begin(upload())
    assert found.get("a" * 32) is None
    assert found.complete(upload(), None, NOW) == upload() == found.get("a" * 32)


def test_the_first_upload_of_a_key_is_the_only_one(found: Uploads, tmp_path: Path) -> None:
    first = add(found, Folder(tmp_path), upload("a"), "key")
    assert add(found, Folder(tmp_path), upload("b"), "key") == first
    assert found.of_key("key") == first
    assert found.get("b" * 32) is None


def test_unused_and_interrupted_uploads_are_deleted_after_a_day(
    found: Uploads, database: Database, tmp_path: Path
) -> None:
    storage = Folder(tmp_path)
    add(found, storage, upload("a"), "key")
    found.begin(upload("b"))  # a crash before the content
    found.begin(upload("c"))
    storage.put(upload_key("c" * 32), b"content", "text/csv")  # a crash after it
    add(found, storage, upload("d", LATER))

    assert purge_uploads(found, storage, now=NOW + timedelta(hours=23)) == 0
    assert purge_uploads(found, storage, now=LATER) == 3

    assert rows(database) == {"d" * 32}
    assert [path.parent.name for path in tmp_path.rglob("content")] == ["d" * 32]
    assert found.of_key("key") is None
    assert purge_uploads(found, storage, now=LATER) == 0


def test_a_crash_between_content_and_row_is_finished_later(
    found: Uploads, database: Database, tmp_path: Path
) -> None:
    storage = Folder(tmp_path)
    add(found, storage, upload())
    assert found.expire(LATER, 10) == ["a" * 32]
    storage.delete(f"uploads/{'a' * 32}/")
    assert found.get("a" * 32) is None
    assert purge_uploads(found, storage, now=LATER) == 1
    assert rows(database) == set()


def test_a_used_upload_is_kept_until_its_last_job_is_purged(
    found: Uploads, database: Database, tmp_path: Path
) -> None:
    storage = Folder(tmp_path)
    add(found, storage, upload())
    for job_id in ("1", "2"):
        add_job(database, job_id)
        with database.write() as connection:
            assert claim(connection, "a" * 32, job_id) == claim(connection, "a" * 32, job_id) == upload()
    for job_id in ("1", "2"):
        assert purge_uploads(found, storage, now=LATER) == 0
        with database.write() as connection:
            connection.execute(delete(jobs).where(jobs.c.id == job_id))
    assert purge_uploads(found, storage, now=LATER) == 1
    with pytest.raises(ObjectNotFoundError):
        storage.get(upload_key("a" * 32))


def test_an_expired_upload_cannot_be_claimed(found: Uploads, database: Database, tmp_path: Path) -> None:
    add(found, Folder(tmp_path), upload())
    found.expire(LATER, 10)
    with database.write() as connection, pytest.raises(InvalidInputError, match="has expired"):
        claim(connection, "a" * 32, "1")


def test_a_claim_that_commits_during_the_clean_up_is_respected(
    found: Uploads, database: Database, tmp_path: Path
) -> None:
    add(found, Folder(tmp_path), upload())
    add_job(database, "1")
    expired: list[str] = []
    with database.write() as connection:
        claim(connection, "a" * 32, "1")
        rival = threading.Thread(target=lambda: expired.extend(found.expire(LATER, 10)))
        rival.start()
        rival.join(0.2)  # it waits for the row
    rival.join()
    assert expired == []
    assert found.get("a" * 32) == upload()
