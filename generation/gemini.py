"""Pictures by Google's Gemini."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from domain.errors import MalformedAnswerError, TransientError, UnreachableError, UpstreamTimeoutError
from generation.answer import document_of, failure_of, picture_in
from generation.picture import Picture

if TYPE_CHECKING:
    import requests

API_URL = "https://generativelanguage.googleapis.com"
_MAX_BYTES = 32 * 1024 * 1024
_CHUNK_BYTES = 65_536
_CONNECT_SECONDS = 5.0
_OK = 200


@dataclass(frozen=True)
class Gemini:
    """One request of `generateContent` a picture.

    It knows no idempotency keys: a picture that was made and lost on its way is made, and paid for, again.

    Source: https://ai.google.dev/api/generate-content
    """

    api_key: str = field(repr=False)
    model: str
    api_url: str | None = None
    timeout_seconds: float = 90.0

    def __call__(self, prompt: str, asset: Picture | None = None) -> Picture:
        """The picture that `prompt` asks for, made from `asset` where there is one.

        Raises: TransientError, PermanentError, with a reason for people.
        """
        status, body = self._ask(json.dumps(_request(prompt, asset)).encode())
        if status == _OK:
            return picture_in(document_of(body))
        try:
            answer = document_of(body)
        except MalformedAnswerError:
            answer = {}  # a proxy's page: the status says enough
        raise failure_of(status, answer)

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        import requests  # noqa: PLC0415 - heavy

        try:
            with self._session.post(
                f"{self.api_url or API_URL}/v1beta/models/{self.model}:generateContent",
                data=request,
                headers={"Content-Type": "application/json", "x-goog-api-key": self.api_key},
                timeout=(_CONNECT_SECONDS, self.timeout_seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code, _read(answer, time.monotonic() + self.timeout_seconds)
        except requests.RequestException as error:
            raise _lost(error) from error

    @cached_property
    def _session(self) -> requests.Session:
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # neither a proxy nor a `.netrc`
        return session


def _request(prompt: str, asset: Picture | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": prompt}]
    if asset is not None:
        data = base64.b64encode(asset.content).decode()
        parts.append({"inlineData": {"mimeType": asset.content_type, "data": data}})
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }


def _read(answer: requests.Response, deadline: float) -> bytes:
    content = bytearray()
    for chunk in answer.iter_content(_CHUNK_BYTES):
        content += chunk
        if len(content) > _MAX_BYTES:
            raise MalformedAnswerError("Gemini's answer is larger than 32 MiB")
        if time.monotonic() > deadline:
            raise UpstreamTimeoutError("Gemini did not answer in time")
    return bytes(content)


def _lost(error: requests.RequestException) -> TransientError:
    import requests  # noqa: PLC0415

    if isinstance(error, requests.ConnectTimeout):
        return UnreachableError("no connection to Gemini")
    if isinstance(error, requests.Timeout):
        return UpstreamTimeoutError("Gemini did not answer in time")
    return UnreachableError(f"Gemini cannot be reached ({type(error).__name__})")
