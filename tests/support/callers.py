"""Callers who are told of the ends of their jobs; they can be made to refuse."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from domain.errors import RollcallError


@dataclass
class Callers:
    """`told` has (url, what it was told) of each call that was taken; while `error` is set none is."""

    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refused: int = 0
    error: RollcallError | None = None

    def post(self, url: str, job_id: str, body: str) -> None:
        if self.error is not None:
            self.refused += 1
            raise self.error
        said = json.loads(body)
        assert said["job"]["id"] == job_id
        self.told.append((url, said))
