"""Client for DocRaptor, which renders PDFs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cached_property

from domain.errors import (
    MalformedResponseError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from providers.http import HttpClient, longest_call_seconds

API_URL = "https://api.docraptor.com"
_MARK = b"%PDF-"
_OK, _BUSY = 200, 429
_TIMEOUT_SECONDS = 75.0
LONGEST_SECONDS = longest_call_seconds(_TIMEOUT_SECONDS)
_REFUSALS: dict[int, type[PermanentError]] = {400: RejectedError, 401: UnauthorisedError, 422: RejectedError}
# DocRaptor answers 403 to too many documents at a time as well as to a key that may not.
_TOO_MANY = re.compile(r"simultaneous|too many|limit", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")  # stops at the next "<", so that a text of them is read once
_MOST_WORDS = 65_536  # characters of an error that are looked at


@dataclass(frozen=True)
class DocRaptor:
    """Prints a document in one synchronous request, which DocRaptor ends after 60 seconds.

    It knows no idempotency keys: a document that was made and lost on its way is made, and counted, again.

    Source: https://docraptor.com/documentation/api
    """

    api_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = _TIMEOUT_SECONDS

    def __call__(self, html: str) -> bytes:
        """The PDF of `html`. Raises: TransientError, PermanentError."""
        document = {"type": "pdf", "document_content": html, "name": "report.pdf", "javascript": False}
        status, content = self._service.post(
            f"{self.api_url or API_URL}/docs", json.dumps(document).encode(), {}, auth=(self.api_key, "")
        )
        if status != _OK:
            raise _refusal(status, _words(content))
        if not content.startswith(_MARK):
            raise MalformedResponseError("DocRaptor answered without a PDF")
        return content

    @cached_property
    def _service(self) -> HttpClient:
        return HttpClient("DocRaptor", self.timeout_seconds, max_mib=20)


def _refusal(status: int, told: str) -> RollcallError:
    said = f"DocRaptor: {status} {told}".rstrip()
    if status == _BUSY or (status == 403 and _TOO_MANY.search(told)):  # noqa: PLR2004
        return RateLimitedError(said)
    if status == 403:  # noqa: PLR2004
        return UnauthorisedError(said)
    return _REFUSALS[status](said) if status in _REFUSALS else UpstreamError(said)


def _words(body: bytes) -> str:
    """What an error says, in XML or JSON, as one short line."""
    text = body[:_MOST_WORDS].decode(errors="replace")
    try:
        found = json.loads(text)
        text = "; ".join(map(str, found.values())) if isinstance(found, dict) else text
    except (ValueError, RecursionError):
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:200]
