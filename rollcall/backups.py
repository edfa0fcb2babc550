"""The time of the last backup: a record in the home, for health, metrics and doctor."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from domain.errors import PermanentError
from store.backup.archive import new_file

OVERDUE_AFTER = timedelta(hours=26)  # one day, plus a margin for a late backup
_NOTE = "last-backup.json"


@dataclass(frozen=True, slots=True)
class LastBackup:
    """A backup that succeeded."""

    at: datetime
    file: str
    bytes: int
    rows: int


def record_backup(home: Path, noted: LastBackup) -> None:
    """Store `noted` as the last backup."""
    with new_file(home / _NOTE) as file:
        file.write(json.dumps(asdict(noted) | {"at": noted.at.isoformat()}).encode())


def last(home: Path) -> LastBackup | None:
    """Return the last backup, or None if there is none.

    Raises: PermanentError when it cannot be determined.
    """
    try:
        document = json.loads((home / _NOTE).read_text())
        return LastBackup(**document | {"at": datetime.fromisoformat(document["at"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{home / _NOTE} cannot be read: {error}") from error
