"""The record of the last backup, in the home."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from domain.errors import PermanentError

OVERDUE_AFTER = timedelta(hours=26)  # one day, plus a margin for a late backup
_FILE = "last-backup.json"


@dataclass(frozen=True, slots=True)
class LastBackup:
    """A backup that succeeded."""

    at: datetime
    file: str
    bytes: int
    rows: int


def record(home: Path, backup: LastBackup) -> None:
    """Store `backup` as the last one."""
    from store.backup.archive import new_file  # noqa: PLC0415 - only commands write, and every role reads

    with new_file(home / _FILE) as file:
        file.write(json.dumps(asdict(backup) | {"at": backup.at.isoformat()}).encode())


def read(home: Path) -> LastBackup | None:
    """Return the last backup, or None if there is none. Raises: PermanentError when it cannot be read."""
    try:
        document = json.loads((home / _FILE).read_text())
        return LastBackup(**document | {"at": datetime.fromisoformat(document["at"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{home / _FILE} cannot be read: {error}") from error


def created_at(home: Path, now: datetime) -> datetime:
    """Return when the first secret of `home` was created; `now` if it holds none."""
    created = [path.stat().st_mtime for path in (home / "secrets").glob("*")]
    return datetime.fromtimestamp(min(created, default=now.timestamp()), UTC)
