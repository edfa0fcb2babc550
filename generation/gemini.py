"""Pictures by Google's Gemini."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from domain.errors import MalformedResponseError
from generation.answer import error_from_response, image_from_response, request_body
from generation.picture import Image
from outbound.service import HttpClient, longest_call_seconds

API_URL = "https://generativelanguage.googleapis.com"
_OK = 200
_TIMEOUT_SECONDS = 90.0
LONGEST_SECONDS = longest_call_seconds(_TIMEOUT_SECONDS)


@dataclass(frozen=True)
class Gemini:
    """One request of `generateContent` a picture.

    It knows no idempotency keys: a picture that was made and lost on its way is made, and paid for, again.

    Source: https://ai.google.dev/api/generate-content
    """

    api_key: str = field(repr=False)
    model: str
    api_url: str | None = None
    timeout_seconds: float = _TIMEOUT_SECONDS

    def __call__(self, prompt: str, asset: Image | None = None) -> Image:
        """The picture that `prompt` asks for, made from `asset` where there is one.

        Raises: TransientError, PermanentError, with a reason for people.
        """
        status, body = self._service.post(
            f"{self.api_url or API_URL}/v1beta/models/{self.model}:generateContent",
            json.dumps(_request(prompt, asset)).encode(),
            {"x-goog-api-key": self.api_key},
        )
        if status == _OK:
            return image_from_response(request_body(body))
        try:
            answer = request_body(body)
        except MalformedResponseError:
            answer = {}  # a proxy's page: the status says enough
        raise error_from_response(status, answer)

    @cached_property
    def _service(self) -> HttpClient:
        return HttpClient("Gemini", self.timeout_seconds, max_mib=32)


def _request(prompt: str, asset: Image | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": prompt}]
    if asset is not None:
        data = base64.b64encode(asset.content).decode()
        parts.append({"inlineData": {"mimeType": asset.content_type, "data": data}})
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }
