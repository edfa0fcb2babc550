from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from store import migrate
from store.database import Database

_START = """
import sys
from pathlib import Path
from rollcall.process import ensure_schema
from store.database import Database
home = Path(sys.argv[1])
ensure_schema(Database(f"sqlite:///{home / 'rollcall.db'}"), home)
print("alembic" in sys.modules)
"""


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'rollcall.db'}")


def start(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _START, str(home)], capture_output=True, text=True, check=False
    )


def test_the_schema_is_there_after_the_first_start_and_what_made_it_is_not_kept(
    tmp_path: Path, database: Database
) -> None:
    done = start(tmp_path)

    assert (done.stdout, done.stderr) == ("False\n", "")
    assert migrate.is_current(database)


def test_a_schema_that_cannot_be_made_stops_the_start_says_why_and_leaves_nothing_behind(
    tmp_path: Path, database: Database
) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE watches (of_somebody_else INTEGER)"))

    done = start(tmp_path)

    assert done.returncode == 1
    assert "table watches already exists" in done.stderr
    assert "PermanentError: the database could not be migrated" in done.stderr
    with database.read() as connection:
        tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars()
        assert list(tables) == ["watches"]
