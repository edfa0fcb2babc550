"""PDFs made by DocRaptor."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from domain.errors import (
    MalformedAnswerError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)

if TYPE_CHECKING:
    import requests

API_URL = "https://api.docraptor.com"
_MARK = b"%PDF-"
_MAX_BYTES = 20 * 1024 * 1024
_CHUNK_BYTES = 65_536
_CONNECT_SECONDS = 5.0
_OK, _BUSY = 200, 429
_REFUSALS: dict[int, type[PermanentError]] = {400: RejectedError, 401: UnauthorisedError, 422: RejectedError}
# DocRaptor answers 403 to too many documents at a time as well as to a key that may not.
_TOO_MANY = re.compile(r"simultaneous|too many|limit", re.IGNORECASE)
_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class DocRaptor:
    """Prints a document in one synchronous request, which DocRaptor ends after 60 seconds.

    It knows no idempotency keys: a document that was made and lost on its way is made, and counted, again.

    Source: https://docraptor.com/documentation/api
    """

    api_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = 75.0

    def __call__(self, html: str) -> bytes:
        """The PDF of `html`. Raises: TransientError, PermanentError."""
        import requests  # noqa: PLC0415 - heavy

        document = {"type": "pdf", "document_content": html, "name": "report.pdf", "javascript": False}
        try:
            with self._session.post(
                f"{self.api_url or API_URL}/docs",
                data=json.dumps(document).encode(),
                headers={"Content-Type": "application/json"},
                auth=(self.api_key, ""),
                timeout=(_CONNECT_SECONDS, self.timeout_seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                content = _read(answer, time.monotonic() + self.timeout_seconds)
                status = answer.status_code
        except requests.RequestException as error:
            raise _lost(error) from error
        if status != _OK:
            raise _refusal(status, _words(content))
        if not content.startswith(_MARK):
            raise MalformedAnswerError("DocRaptor answered without a PDF")
        return content

    @cached_property
    def _session(self) -> requests.Session:
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # neither a proxy nor a `.netrc`
        return session


def _read(answer: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for chunk in answer.iter_content(_CHUNK_BYTES):
        content += chunk
        if len(content) > _MAX_BYTES:
            raise RejectedError("DocRaptor's answer is larger than 20 MiB")
        if time.monotonic() > deadline:
            raise UpstreamTimeoutError("DocRaptor did not answer in time")
    return bytes(content)


def _lost(error: requests.RequestException) -> TransientError:
    import requests  # noqa: PLC0415

    if isinstance(error, requests.ConnectTimeout):
        return UnreachableError("no connection to DocRaptor")
    if isinstance(error, requests.Timeout):
        return UpstreamTimeoutError("DocRaptor did not answer in time")
    return UnreachableError(f"DocRaptor cannot be reached ({type(error).__name__})")


def _refusal(status: int, told: str) -> RollcallError:
    said = f"DocRaptor: {status} {told}".rstrip()
    if status == _BUSY or (status == 403 and _TOO_MANY.search(told)):  # noqa: PLR2004
        return RateLimitedError(said)
    if status == 403:  # noqa: PLR2004
        return UnauthorisedError(said)
    return _REFUSALS[status](said) if status in _REFUSALS else UpstreamError(said)


def _words(body: bytes) -> str:
    """What an error says, in XML or JSON, as one short line."""
    text = body.decode(errors="replace")
    try:
        found = json.loads(text)
        text = "; ".join(map(str, found.values())) if isinstance(found, dict) else text
    except ValueError:
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:200]
