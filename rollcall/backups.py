"""When the last backup was made: a note in the home, for health, metrics and doctor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from domain.errors import PermanentError
from store.backup.archive import new_file

OVERDUE_AFTER = timedelta(hours=26)  # a daily one, and time for it to be late
_NOTE = "last-backup.json"


@dataclass(frozen=True, slots=True)
class LastBackup:
    """A backup that succeeded."""

    at: datetime
    file: str
    bytes: int
    rows: int


def record_backup(home: Path, noted: LastBackup) -> None:
    """Remember `noted` as the last one."""
    with new_file(home / _NOTE) as file:
        file.write(json.dumps(asdict(noted) | {"at": noted.at.isoformat()}).encode())


def last(home: Path) -> LastBackup | None:
    """The last one, or None when none was ever made here. Raises: PermanentError when nobody can say."""
    try:
        document = json.loads((home / _NOTE).read_text())
        return LastBackup(**document | {"at": datetime.fromisoformat(document["at"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{home / _NOTE} cannot be read: {error}") from error
