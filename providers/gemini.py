"""Client for image generation with Google's Gemini.

The parser turns an answer into an image or a typed error. The image type comes from the first bytes, never
from a name or from the provider's declaration.

Source: https://ai.google.dev/api/generate-content and https://cloud.google.com/apis/design/errors.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.text import one_line
from providers.http import HttpClient, longest_call_seconds

MAX_ASSET_BYTES = 10 * 1024 * 1024
"""Limit of an asset: the provider accepts requests up to 20 MB, and base64 adds a third."""
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image of one of the types in `EXTENSIONS`."""

    content: bytes
    content_type: str


def detect_image(content: bytes) -> Image:
    """`content` with its image type. Raises: RejectedError for an unknown type."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Image(content, "image/png")
    if content.startswith(b"\xff\xd8\xff"):
        return Image(content, "image/jpeg")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Image(content, "image/webp")
    raise RejectedError("it is no PNG, JPEG or WebP picture")


_REFUSALS: dict[int, type[RollcallError]] = {
    400: RejectedError,
    401: UnauthorisedError,
    403: UnauthorisedError,
    404: RejectedError,  # the model
    408: UpstreamTimeoutError,
    413: RejectedError,
    504: UpstreamTimeoutError,
}
_BUSY, _SERVER_ERROR = 429, 500
_BAD_KEY = "API_KEY_INVALID"  # comes with status 400
_DELAY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")


def request_body(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises: MalformedResponseError."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedResponseError("Gemini answered without JSON") from error
    if not isinstance(found, dict):
        raise MalformedResponseError("Gemini's answer is not of the agreed shape")
    return found


def image_from_response(answer: dict[str, Any]) -> Image:
    """The first image of `answer`.

    Raises: RejectedError with Gemini's reason if there is none; MalformedResponseError.
    """
    blocked = _member(answer, "promptFeedback").get("blockReason")
    if blocked:
        raise RejectedError(f"Gemini refuses the prompt ({one_line(str(blocked))})")
    candidate = next(_objects(answer.get("candidates")), {})
    parts = list(_objects(_member(candidate, "content").get("parts")))
    for part in parts:
        data = _member(part, "inlineData").get("data")
        if isinstance(data, str):
            return _decoded(data)
    raise _without_picture(candidate, parts)


def error_from_response(status: int, answer: dict[str, Any]) -> RollcallError:
    """The error for an answer with a status other than 200."""
    error = _member(answer, "error")
    message = f"Gemini: {status} {one_line(str(error.get('message', '')))}".rstrip()
    details = list(_objects(error.get("details")))
    if status == _BUSY:
        return RateLimitedError(message, retry_after_seconds=_delay_seconds(details))
    if any(detail.get("reason") == _BAD_KEY for detail in details):
        return UnauthorisedError(message)
    if status >= _SERVER_ERROR:
        return _REFUSALS.get(status, UpstreamError)(message)
    return _REFUSALS.get(status, RejectedError)(message)


def _without_picture(candidate: dict[str, Any], parts: list[dict[str, Any]]) -> RollcallError:
    reason = candidate.get("finishReason")
    if reason is None:
        return MalformedResponseError("Gemini's answer has no end and no picture")
    if reason != "STOP":
        return RejectedError(f"Gemini made no picture ({one_line(str(reason))})")
    said = one_line(" ".join(str(part["text"]) for part in parts if "text" in part))
    return RejectedError(f"Gemini made no picture, but wrote: {said}" if said else "Gemini made no picture")


def _decoded(data: str) -> Image:
    try:
        return detect_image(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RejectedError) as error:
        raise MalformedResponseError("Gemini's picture cannot be read") from error


def _delay_seconds(details: list[dict[str, Any]]) -> float | None:
    """The wait in seconds from `google.rpc.RetryInfo`, such as "37s" or "1.5s"."""
    for detail in details:
        found = _DELAY.fullmatch(str(detail.get("retryDelay", "")))
        if found:
            return float(found.group(1))
    return None


def _member(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


API_URL = "https://generativelanguage.googleapis.com"
_OK = 200
_TIMEOUT_SECONDS = 90.0
LONGEST_SECONDS = longest_call_seconds(_TIMEOUT_SECONDS)


@dataclass(frozen=True)
class Gemini:
    """Generates each image with one `generateContent` request.

    There are no idempotency keys: if the answer is lost, the image is generated and billed again.

    Source: https://ai.google.dev/api/generate-content
    """

    api_key: str = field(repr=False)
    model: str
    api_url: str | None = None
    timeout_seconds: float = _TIMEOUT_SECONDS

    def __call__(self, prompt: str, asset: Image | None = None) -> Image:
        """The image for `prompt`, based on `asset` if given.

        Raises: TransientError, PermanentError, with a readable reason.
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
            answer = {}  # a proxy's page: the status suffices
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
