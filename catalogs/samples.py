"""Samples of doubtful answers, in the home, for the operator: few, small, and without tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import json

from catalogs.family import CatalogRequest
from providers.http import HttpResponse

BYTES: Final = 65_536
"""How much of a response is kept."""
KEPT: Final = 5
"""How many samples of one catalog are kept; the oldest go first."""
_REDACTED = b"[redacted]"
# Hidden fields and members that hold tokens of a session.
_SECRETS = (
    re.compile(rb"(<input\b[^>]*\btype=[\"']?hidden\b[^>]*\bvalue=[\"'])[^\"']*", re.IGNORECASE),
    re.compile(
        rb"(\"[^\"]{0,40}(?:token|session|csrf|cookie|secret)[^\"]{0,40}\"\s*:\s*\")[^\"]*", re.IGNORECASE
    ),
    re.compile(rb"((?:token|session|csrf|jsessionid)[a-z_-]{0,20}=)[^&\"'<>\s;]*", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The beginning of a response, without headers and without the query, which may hold tokens."""

    method: str
    path: str
    status: int
    body: bytes


def sample_of(request: CatalogRequest, response: HttpResponse) -> Sample:
    """The sample of the `response` to `request`."""
    return Sample(request.method, urlsplit(request.url).path, response.status, response.body[:BYTES])


def save_sample(folder: Path, catalog: str, sample: Sample, reason: str, at: datetime) -> Path:
    """Write `sample` with the `reason` to a file `ID-TIME.json` in `folder`. Raises: OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "catalog": catalog,
        "at": at,
        "reason": reason,
        "request": f"{sample.method} {sample.path}",
        "status": sample.status,
        "body": _redacted(sample.body).decode("utf-8", "replace"),
    }
    path = folder / f"{catalog}-{at:%Y%m%dT%H%M%S}.json"
    path.write_bytes(json.format(json.encode(content)))
    path.chmod(0o600)
    for old in sorted(folder.glob(f"{catalog}-????????T??????.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _redacted(body: bytes) -> bytes:
    for pattern in _SECRETS:
        body = pattern.sub(rb"\1" + _REDACTED, body)
    return body
