from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from domain.errors import PermanentError, StorageFullError, StorageWriteError, TransientError
from providers.storage import Folder, files_in

KEY = "jobs/0d4b/report.pdf"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "storage")


def test_what_is_put_can_be_had_again(folder: Folder) -> None:
    folder.put(KEY, b"first", "application/pdf")
    folder.put(KEY, b"second" * 50_000, "application/pdf")
    assert folder.get(KEY) == b"second" * 50_000
    assert folder.size(KEY) == 300_000
    assert b"".join(folder.stream(KEY)) == folder.get(KEY)
    assert folder.address(KEY) is None


def test_what_is_not_there_is_said_to_be_so(folder: Folder) -> None:
    folder.put(KEY, b"x", "text/plain")
    for key in ("jobs/0d4b/other", "jobs/0d4b", f"{KEY}/below"):
        with pytest.raises(StorageWriteError):
            folder.get(key)
        with pytest.raises(StorageWriteError):
            list(folder.stream(key))
    with pytest.raises(StorageWriteError):
        folder.size("jobs/0d4b/other")


def test_everything_under_a_prefix_is_forgotten_and_nothing_else(folder: Folder) -> None:
    folder.put("jobs/1/a", b"a", "text/plain")
    folder.put("jobs/1/deep/b", b"b", "text/plain")
    folder.put("jobs/10/c", b"c", "text/plain")
    folder.delete("jobs/1/")
    folder.delete("jobs/1/")
    with pytest.raises(StorageWriteError):
        folder.get("jobs/1/a")
    assert folder.get("jobs/10/c") == b"c"


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.hidden", "a/", "a\\b", "a\n"]
)
def test_a_key_cannot_lead_elsewhere(folder: Folder, key: str) -> None:
    with pytest.raises(PermanentError, match="is no key"):
        folder.put(key, b"x", "text/plain")


@pytest.mark.parametrize("prefix", ["jobs", "/", "../"])
def test_only_a_prefix_is_forgotten(folder: Folder, prefix: str) -> None:
    with pytest.raises(PermanentError):
        folder.delete(prefix)


def test_a_full_disk_leaves_what_was_there_and_no_litter(folder: Folder, tmp_path: Path) -> None:
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


def test_a_folder_that_cannot_be_used_may_be_mended(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((TransientError, StorageWriteError)):
        Folder(tmp_path / "file" / "storage").put(KEY, b"x", "text/plain")


def test_the_files_of_a_folder_are_told_with_their_keys_and_what_no_key_names_is_not(tmp_path: Path) -> None:
    assert list(files_in(tmp_path / "nothing")) == []
    for name in ("jobs/2/b.pdf", "jobs/2/.unfinished", "jobs/1/a.pdf", "lost+found/c", "with space", "top"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    found = dict(files_in(tmp_path))
    assert list(found) == ["top", "jobs/1/a.pdf", "jobs/2/b.pdf"]
    assert found["jobs/1/a.pdf"] == tmp_path / "jobs/1/a.pdf"


def test_a_folder_that_is_deleted_meanwhile_ends_no_walk(tmp_path: Path) -> None:
    for name in ("1", "2", "3"):
        Folder(tmp_path).put(f"jobs/{name}/a", b"x", "text/plain")
    found = files_in(tmp_path)
    assert next(found)[0] == "jobs/1/a"
    shutil.rmtree(tmp_path / "jobs" / "2")
    assert [key for key, _ in found] == ["jobs/3/a"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs").symlink_to("jobs")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PermanentError, match=r"file cannot be read \(Not a directory\)"):
        list(files_in(tmp_path / "file"))
    assert [key for key, _ in files_in(tmp_path)] == ["file"]
