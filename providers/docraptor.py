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
# DocRaptor answers 403 to too many concurrent documents as well as to an unauthorised key.
_TOO_MANY = re.compile(r"simultaneous|too many|limit", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")  # stops at the next "<": linear time
_MOST_WORDS = 65_536  # maximum characters of an error body to parse


@dataclass(frozen=True)
class DocRaptor:
    """Renders a document in one synchronous request, which DocRaptor aborts after 60 seconds.

    There are no idempotency keys: if the answer is lost, the document is rendered and billed again.

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


def _refusal(status: int, reason: str) -> RollcallError:
    said = f"DocRaptor: {status} {reason}".rstrip()
    if status == _BUSY or (status == 403 and _TOO_MANY.search(reason)):  # noqa: PLR2004
        return RateLimitedError(said)
    if status == 403:  # noqa: PLR2004
        return UnauthorisedError(said)
    return _REFUSALS[status](said) if status in _REFUSALS else UpstreamError(said)


def _words(body: bytes) -> str:
    """The message of an error in XML or JSON, as one short line."""
    text = body[:_MOST_WORDS].decode(errors="replace")
    try:
        found = json.loads(text)
        text = "; ".join(map(str, found.values())) if isinstance(found, dict) else text
    except (ValueError, RecursionError):
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:200]
