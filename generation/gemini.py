"""Pictures by Google's Gemini."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from domain.errors import MalformedResponseError
from generation.answer import document_of, failure_of, picture_in
from generation.picture import Picture
from outbound.service import Service, longest_call_seconds

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

    def __call__(self, prompt: str, asset: Picture | None = None) -> Picture:
        """The picture that `prompt` asks for, made from `asset` where there is one.

        Raises: TransientError, PermanentError, with a reason for people.
        """
        status, body = self._service.post(
            f"{self.api_url or API_URL}/v1beta/models/{self.model}:generateContent",
            json.dumps(_request(prompt, asset)).encode(),
            {"x-goog-api-key": self.api_key},
        )
        if status == _OK:
            return picture_in(document_of(body))
        try:
            answer = document_of(body)
        except MalformedResponseError:
            answer = {}  # a proxy's page: the status says enough
        raise failure_of(status, answer)

    @cached_property
    def _service(self) -> Service:
        return Service("Gemini", self.timeout_seconds, max_mib=32)


def _request(prompt: str, asset: Picture | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": prompt}]
    if asset is not None:
        data = base64.b64encode(asset.content).decode()
        parts.append({"inlineData": {"mimeType": asset.content_type, "data": data}})
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }
