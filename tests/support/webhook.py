"""A receiver of job callbacks, which can be made to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from domain.errors import RollcallError


@dataclass
class FakeWebhook:
    """`calls` are the URLs and bodies of the accepted calls; while `error` is set, every call fails."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0
    error: RollcallError | None = None

    def post(self, url: str, job_id: str, body: str) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        payload = json.loads(body)
        assert payload["job"]["id"] == job_id
        self.calls.append((url, payload))
