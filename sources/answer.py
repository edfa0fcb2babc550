"""One HTTP answer, whatever it says: what a client hands to a parser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_BODY_BYTES: Final = 1 << 20


@dataclass(slots=True)
class HttpResponse:
    """One HTTP answer; `flaw` tells why `body` is not all of it, None when it is.

    Shape: `location` is where a redirect leads, None when the answer is none. `took_seconds` is from the
    start of the request to its last byte.
    """

    status: int
    body: bytes
    flaw: str | None = None
    retry_after: str | None = None
    location: str | None = None
    took_seconds: float = 0
