"""Client for image generation with Google's Gemini.

The parser turns a response into an image or a typed error. The image type comes from the first bytes, never
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
from http import HTTPStatus
from typing import Any

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
)
from domain.plugin import Plugin, Ports
from domain.setting import BASE_URL, TOKEN, SettingsGroup, SettingType, integer, setting
from domain.text import one_line
from providers.http import MIB, HttpClient, HttpResponse

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
    raise RejectedError("the file is not a PNG, JPEG or WebP image")


API_URL = "https://generativelanguage.googleapis.com"
LONGEST_SECONDS = 90.0


@dataclass(frozen=True)
class Gemini:
    """Generates each image with one `generateContent` request.

    There are no idempotency keys: if the response is lost, the image is generated and billed again.

    Source: https://ai.google.dev/api/generate-content
    """

    api_key: str = field(repr=False)
    model: str
    api_url: str | None = None
    timeout_seconds: float = LONGEST_SECONDS

    def __call__(self, prompt: str, asset: Image | None = None) -> Image:
        """The image for `prompt`, based on `asset` if given.

        Raises: TransientError, PermanentError, with a readable reason.
        """
        response = self._http.post(
            f"{self.api_url or API_URL}/v1beta/models/{self.model}:generateContent",
            json.dumps(_request(prompt, asset)).encode(),
            {"x-goog-api-key": self.api_key},
        )
        if response.status != HTTPStatus.OK:
            raise error_from_response(response)
        return image_from_response(response.json_object("Gemini"))

    @cached_property
    def _http(self) -> HttpClient:
        return HttpClient("Gemini", self.timeout_seconds, max_bytes=32 * MIB, secrets=(self.api_key,))


def _request(prompt: str, asset: Image | None) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": prompt}]
    if asset is not None:
        data = base64.b64encode(asset.content).decode()
        parts.append({"inlineData": {"mimeType": asset.content_type, "data": data}})
    return {
        "contents": [{"role": "user", "parts": parts}],
        "generationConfig": {"responseModalities": ["TEXT", "IMAGE"]},
    }


_BAD_KEY = "API_KEY_INVALID"  # comes with status 400
_DELAY = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")


def image_from_response(content: dict[str, Any]) -> Image:
    """The first image of `content`.

    Raises: RejectedError with Gemini's reason if there is none; MalformedResponseError.
    """
    blocked = _member(content, "promptFeedback").get("blockReason")
    if blocked:
        raise RejectedError(f"Gemini refuses the prompt ({one_line(str(blocked))})")
    candidate = next(_objects(content.get("candidates")), {})
    parts = list(_objects(_member(candidate, "content").get("parts")))
    for part in parts:
        data = _member(part, "inlineData").get("data")
        if isinstance(data, str):
            return _decoded(data)
    raise _error_without_image(candidate, parts)


def error_from_response(response: HttpResponse) -> RollcallError:
    """The error for a response with a status other than 200."""
    error = _member(response.error_object(), "error")
    message = f"Gemini: {response.status} {one_line(str(error.get('message', '')))}".rstrip()
    details = list(_objects(error.get("details")))
    if any(detail.get("reason") == _BAD_KEY for detail in details):
        return UnauthorisedError(message)
    if response.status == HTTPStatus.TOO_MANY_REQUESTS:
        delay = _delay_seconds(details)
        wait = response.retry_after_seconds() if delay is None else delay
        return RateLimitedError(message, retry_after_seconds=wait)
    return response.error(message)


def _error_without_image(candidate: dict[str, Any], parts: list[dict[str, Any]]) -> RollcallError:
    reason = candidate.get("finishReason")
    if reason is None:
        return MalformedResponseError("Gemini's response is incomplete and has no image")
    if reason != "STOP":
        return RejectedError(f"Gemini made no image ({one_line(str(reason))})")
    said = one_line(" ".join(str(part["text"]) for part in parts if "text" in part))
    return RejectedError(f"Gemini made no image, but wrote: {said}" if said else "Gemini made no image")


def _decoded(data: str) -> Image:
    try:
        return detect_image(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError, RejectedError) as error:
        raise MalformedResponseError("Gemini's image cannot be decoded") from error


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


def _model(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", text):
        raise ValueError("must be the name of a model, such as gemini-2.5-flash-image")
    return text


@dataclass(frozen=True, kw_only=True)
class GeminiSettings(SettingsGroup):
    """Images: Gemini."""

    api_key: str | None = setting(
        "GEMINI_API_KEY", TOKEN, secret=True, doc="generates images for credits", unset="no images"
    )
    api_url: str | None = setting("GEMINI_API_URL", BASE_URL, doc="API at another address")
    model: str = setting(
        "GEMINI_MODEL", SettingType("model", _model), "gemini-2.5-flash-image", doc="image model"
    )
    concurrency: int = setting(
        "GENERATION_CONCURRENCY", integer(1, 100), 4, doc="images generated at a time by all processes"
    )


def _build(settings: GeminiSettings, _ports: Ports) -> Gemini:
    return Gemini(settings.api_key or "", settings.model, settings.api_url)


PLUGIN = Plugin("gemini", GeminiSettings, _build, key="GEMINI_API_KEY", longest_seconds=LONGEST_SECONDS)
