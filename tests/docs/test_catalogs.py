"""The worked example of docs/catalogs.md: a family is added to a copy of the source tree and run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.docs.test_develop import apply, copied_tree, section
from tests.standins.server import Answer, StandIn

ROWS = [
    {
        "number": str(1000 + n),
        "term": "F26",
        "course": "ART 100",
        "title": f"Drawing {n}",
        "free": n % 3,
        "size": 20,
    }
    for n in range(150)
]


class Elm(StandIn):
    """Elm College on Alder."""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        url = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/alder/terms":
            return Answer(200, json.dumps([{"code": "F26", "name": "Fall 2026"}]).encode())
        if url.path == "/alder/sections":
            found = [row for row in ROWS if asked.get("text", "").lower() in str(row["title"]).lower()]
            first = int(asked.get("from", "0"))
            page = {"total": len(found), "sections": found[first : first + 100]}
            return Answer(200, json.dumps(page).encode())
        return Answer(404, b"")


@pytest.fixture
def elm() -> Iterator[Elm]:
    with Elm() as found:
        yield found


@pytest.fixture
def tree(tmp_path: Path, elm: Elm) -> Path:
    """The source tree with the family and the profile of the document."""
    root = copied_tree(tmp_path)
    assert apply("A family", root, "catalogs.md") == ["catalogs/alder.py", "rollcall/plugins.py"]
    (profile,) = re.findall(r"```toml\n(.*?)```", section("A family", "catalogs.md"), re.DOTALL)
    text = profile.replace("https://classes.example.edu", elm.url)
    folder = root / "home" / "catalogs"
    folder.mkdir(parents=True)
    (folder / "elm.toml").write_text(f"{text}[polling]\nrequests_per_minute = 60000\n")
    return root


def catalog(tree: Path, *words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "rollcall", "catalog", *words, "--json"],
        cwd=tree,
        env=os.environ | {"ROLLCALL_HOME": str(tree / "home"), "REDIS_URL": "redis://127.0.0.1:1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def test_a_family_is_one_module_and_reads_its_catalog(tree: Path) -> None:
    [tested] = catalog(tree, "test", "elm")
    assert (tested["sections"], tested["total"], tested["fault"]) == (100, 150, None)
    assert len(catalog(tree, "sections", "elm", "F26")) == 150
    [found] = catalog(tree, "search", "elm", "drawing 149")
    assert (found["section"], found["open_seats"]) == ("1149", 2)
