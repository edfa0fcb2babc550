from __future__ import annotations

import io
import os
import resource
import shutil
from pathlib import Path

import pytest

from domain.errors import ObjectNotFoundError, PermanentError, StorageFullError, TransientError
from domain.ports import Storage
from providers.storage import Folder, files_in

KEY = "jobs/0d4b/report.pdf"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "storage")


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    found: Storage = request.getfixturevalue(request.param)
    return found


def test_stored_content_can_be_read_back(storage: Storage) -> None:
    storage.put(KEY, b"first", "application/pdf")
    storage.put(KEY, b"second" * 50_000, "application/pdf")
    assert storage.get(KEY) == b"second" * 50_000
    assert storage.size(KEY) == 300_000
    assert b"".join(storage.stream(KEY)) == storage.get(KEY)


def test_a_missing_object_is_an_error(storage: Storage) -> None:
    storage.put(KEY, b"x", "text/plain")
    for key in ("jobs/0d4b/other", "jobs/0d4b", f"{KEY}/below"):
        with pytest.raises(ObjectNotFoundError):
            storage.get(key)
        with pytest.raises(ObjectNotFoundError):
            list(storage.stream(key))
    with pytest.raises(ObjectNotFoundError):
        storage.size("jobs/0d4b/other")


def test_exactly_the_objects_under_a_prefix_are_deleted(storage: Storage) -> None:
    storage.put("jobs/1/a", b"a", "text/plain")
    storage.put("jobs/1/deep/b", b"b", "text/plain")
    storage.put("jobs/10/c", b"c", "text/plain")
    storage.delete("jobs/1/")
    storage.delete("jobs/1/")
    for key in ("jobs/1/a", "jobs/1/deep/b"):
        with pytest.raises(ObjectNotFoundError):
            storage.get(key)
    assert storage.get("jobs/10/c") == b"c"


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.hidden", "a/", "a\\b", "a\n"]
)
def test_an_invalid_key_is_refused(storage: Storage, key: str) -> None:
    with pytest.raises(PermanentError, match="is not a valid key"):
        storage.put(key, b"x", "text/plain")


@pytest.mark.parametrize("prefix", ["jobs", "/", "../"])
def test_an_invalid_prefix_is_refused(storage: Storage, prefix: str) -> None:
    with pytest.raises(PermanentError):
        storage.delete(prefix)


def test_a_folder_has_no_urls(folder: Folder) -> None:
    assert folder.address(KEY) is None


def test_a_full_disk_keeps_the_earlier_content_and_leaves_no_temporary_file(
    folder: Folder, tmp_path: Path
) -> None:
    folder.put(KEY, b"whole", "text/plain")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StorageFullError, match="cannot be used"):
            folder.put(KEY, b"x" * 5000, "text/plain")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert folder.get(KEY) == b"whole"
    assert [path.name for path in (tmp_path / "storage" / "jobs" / "0d4b").iterdir()] == ["report.pdf"]


def test_an_unusable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((TransientError, ObjectNotFoundError)):
        Folder(tmp_path / "file" / "storage").put(KEY, b"x", "text/plain")


def test_files_with_valid_keys_are_listed_in_order(tmp_path: Path) -> None:
    assert list(files_in(tmp_path / "nothing")) == []
    for name in ("jobs/2/b.pdf", "jobs/2/.unfinished", "jobs/1/a.pdf", "lost+found/c", "with space", "top"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = dict(files_in(tmp_path))
    assert list(found) == ["top", "jobs/1/a.pdf", "jobs/2/b.pdf"]
    assert found["jobs/1/a.pdf"] == tmp_path / "jobs/1/a.pdf"


def test_a_folder_that_is_deleted_during_the_listing_is_skipped(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        Folder(tmp_path).put(f"jobs/{name}/a", b"x", "text/plain")
    found = files_in(tmp_path)
    assert next(found)[0] == "jobs/1/a"
    shutil.rmtree(tmp_path / "jobs" / "2")
    assert [key for key, _ in found] == ["jobs/3/a"]


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").symlink_to("jobs")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PermanentError, match=r"file cannot be read \(Not a directory\)"):
        list(files_in(tmp_path / "file"))
    assert [key for key, _ in files_in(tmp_path)] == ["file"]


def test_a_file_is_stored_from_its_position(storage: Storage) -> None:
    for size in (0, 10, 6_000_000):
        content = os.urandom(size)
        file = io.BytesIO(b"before" + content)
        file.seek(6)
        storage.put_file(KEY, file, "text/csv")
        assert storage.get(KEY) == content
