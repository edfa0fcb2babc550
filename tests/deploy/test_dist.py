"""`make dist`, the release archive."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.tools import require

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="a release archive is made in a checkout"
)


def dist(folder: Path) -> Path:
    require("git", "git")
    subprocess.run(["make", "dist", f"DIST={folder}"], cwd=ROOT, check=True, capture_output=True, timeout=60)
    return folder / "rollcall.tar.gz"


def test_it_holds_what_the_installer_needs_and_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = dist(tmp_path / "first"), dist(tmp_path / "second")

    assert first.read_bytes() == second.read_bytes()
    checksum = (tmp_path / "first" / "rollcall.tar.gz.sha256").read_text().split()
    assert checksum == [hashlib.sha256(first.read_bytes()).hexdigest(), "rollcall.tar.gz"]
    with tarfile.open(first) as archive:
        names = set(archive.getnames())
        assert all(name == "rollcall" or name.startswith("rollcall/") for name in names)
        assert archive.getmember("rollcall/deploy/install.sh").mode & 0o111
    for needed in (
        "pyproject.toml",
        "requirements/runtime.txt",
        "Makefile",
        "rollcall/cli/main.py",
        "LICENSE",
    ):
        assert f"rollcall/{needed}" in names
    assert not [
        name
        for name in names
        if name.endswith("/.env") or name.startswith(("rollcall/var", "rollcall/.venv"))
    ]
