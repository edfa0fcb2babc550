"""Client for DocRaptor, which renders PDFs."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus

from domain.errors import MalformedResponseError, RateLimitedError, RollcallError
from domain.plugin import Plugin, Ports
from domain.setting import BASE_URL, TOKEN, SettingsGroup, setting
from providers.http import MIB, HttpClient, HttpResponse

API_URL = "https://api.docraptor.com"
LONGEST_SECONDS = 75.0
_PDF_SIGNATURE = b"%PDF-"
# DocRaptor returns 403 to too many concurrent documents as well as to an unauthorised key.
_TOO_MANY = re.compile(r"simultaneous|too many|limit", re.IGNORECASE)
_TAGS = re.compile(r"<[^<>]*>")  # stops at the next "<": linear time
_MAX_ERROR_CHARACTERS = 65_536


@dataclass(frozen=True, kw_only=True)
class DocRaptorSettings(SettingsGroup):
    """PDFs: DocRaptor."""

    api_key: str | None = setting(
        "DOCRAPTOR_API_KEY", TOKEN, secret=True, doc="renders the PDFs of reports", unset="rendered locally"
    )
    api_url: str | None = setting("DOCRAPTOR_API_URL", BASE_URL, doc="API at another address")


@dataclass(frozen=True)
class DocRaptor:
    """Renders a document in one synchronous request, which DocRaptor aborts after 60 seconds.

    There are no idempotency keys: if the response is lost, the document is rendered and billed again.

    Source: https://docraptor.com/documentation/api
    """

    api_key: str = field(repr=False)
    api_url: str | None = None
    timeout_seconds: float = LONGEST_SECONDS

    def __call__(self, html: str) -> bytes:
        """The PDF of `html`. Raises: TransientError, PermanentError."""
        document = {"type": "pdf", "document_content": html, "name": "report.pdf", "javascript": False}
        response = self._http.post(
            f"{self.api_url or API_URL}/docs",
            json.dumps(document).encode(),
            {"Authorization": f"Basic {self._credentials}"},
        )
        if response.status != HTTPStatus.OK:
            raise _error(response)
        if not response.body.startswith(_PDF_SIGNATURE):
            raise MalformedResponseError("DocRaptor returned no PDF")
        return response.body

    @cached_property
    def _http(self) -> HttpClient:
        secrets = (self.api_key, self._credentials)
        return HttpClient("DocRaptor", self.timeout_seconds, max_bytes=20 * MIB, secrets=secrets)

    @property
    def _credentials(self) -> str:
        return base64.b64encode(f"{self.api_key}:".encode()).decode()


def _error(response: HttpResponse) -> RollcallError:
    reason = _reason(response.body)
    message = f"DocRaptor: {response.status} {reason}".rstrip()
    if response.status == HTTPStatus.FORBIDDEN and _TOO_MANY.search(reason):
        return RateLimitedError(message)
    return response.error(message)


def _reason(body: bytes) -> str:
    """The message of an error in XML or JSON, as one short line."""
    text = body[:_MAX_ERROR_CHARACTERS].decode(errors="replace")
    try:
        found = json.loads(text)
        text = "; ".join(map(str, found.values())) if isinstance(found, dict) else text
    except (ValueError, RecursionError):
        text = _TAGS.sub(" ", text)
    return " ".join(text.split())[:200]


def _build(settings: DocRaptorSettings, _ports: Ports) -> DocRaptor:
    return DocRaptor(settings.api_key or "", settings.api_url)


PLUGIN = Plugin(
    "docraptor", DocRaptorSettings, _build, key="DOCRAPTOR_API_KEY", longest_seconds=LONGEST_SECONDS
)
