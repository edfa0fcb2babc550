"""What operators did, in a bounded list in Redis."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from resilience.scripts import reaching

KEPT = 1000


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One operation: when, by whom, what, on everything that which filter met, and how much that was."""

    at: datetime
    by: str
    action: str
    filter: Mapping[str, Any]
    count: int


class Audit:
    """The last thousand records about `subject`. Raises: UnreachableError from both methods.

    Shape: list `{prefix}:audit:{subject}` of JSON, the latest first.
    """

    def __init__(self, client: redis.Redis, subject: str, prefix: str = "rollcall") -> None:
        self._client = client
        self._key = f"{prefix}:audit:{subject}"

    def write(self, at_ms: int, by: str, action: str, wanted: Mapping[str, Any], count: int) -> None:
        """Add a record, and let go of the oldest above a thousand."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
        record = {"at": at, "by": by, "action": action, "filter": dict(wanted), "count": count}
        with reaching(), self._client.pipeline() as pipeline:
            pipeline.lpush(self._key, json.dumps(record))
            pipeline.ltrim(self._key, 0, KEPT - 1)
            pipeline.execute()

    def read(self) -> list[AuditRecord]:
        """Every record that is kept, the latest first."""
        with reaching():
            told = [json.loads(record) for record in self._client.lrange(self._key, 0, -1)]
        return [AuditRecord(**{**record, "at": datetime.fromisoformat(record["at"])}) for record in told]
