"""A stand-in for Gemini: `POST /v1beta/models/{model}:generateContent`, which answers with a picture.

Wire format: https://ai.google.dev/api/generate-content; errors: https://cloud.google.com/apis/design/errors.
"""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections import deque
from collections.abc import Mapping
from typing import Any

from tests.standins.server import Answer, StandIn

MODEL = "gemini-2.5-flash-image"


def png(shade: int = 0) -> bytes:
    """A real picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(bytes([0, shade % 256]))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


class GeminiStandIn(StandIn):
    """`requests` holds what was asked, and `made` counts the pictures; each has another shade.

    `answers` are given in turn instead of a picture: None hangs up after the picture was made. An answer
    takes `delay_seconds`, or until `go_on` is set.
    """

    def __init__(self, api_key: str = "key-of-the-tests") -> None:
        super().__init__()
        self.api_key = api_key
        self.requests: list[dict[str, Any]] = []
        self.made = 0
        self.answers: deque[Answer | None] = deque()
        self.is_down = False
        self.delay_seconds = 0.0
        self.go_on = threading.Event()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        if headers.get("x-goog-api-key") != self.api_key:
            return error(
                400,
                "INVALID_ARGUMENT",
                "API key not valid. Please pass a valid API key.",
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
            )
        if path != f"/v1beta/models/{MODEL}:generateContent":
            return error(404, "NOT_FOUND", "model is not found for API version v1beta")
        self.requests.append(json.loads(body))
        self.go_on.wait(self.delay_seconds)
        if self.is_down:
            return error(503, "UNAVAILABLE", "The model is overloaded. Please try again later.")
        given = self.answers.popleft() if self.answers else picture(png(self.made))
        self.made += given is None or given.status == 200
        return given


def picture(content: bytes, mime_type: str = "image/png") -> Answer:
    """A picture, with a few words before it as Gemini likes to say."""
    data = {"mimeType": mime_type, "data": base64.b64encode(content).decode()}
    parts: list[dict[str, Any]] = [{"text": "Here you are:"}, {"inlineData": data}]
    return candidate({"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0})


def words(text: str) -> Answer:
    """An answer that has only a text."""
    return candidate(
        {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP", "index": 0}
    )


def stopped(reason: str) -> Answer:
    """An answer that ends for `reason`, without content."""
    return candidate({"finishReason": reason, "index": 0})


def blocked(reason: str = "PROHIBITED_CONTENT") -> Answer:
    """A prompt that was refused."""
    return _answer({"promptFeedback": {"blockReason": reason}, "modelVersion": MODEL})


def candidate(found: dict[str, Any]) -> Answer:
    """An answer of one candidate."""
    usage = {"promptTokenCount": 9, "totalTokenCount": 1299}
    return _answer({"candidates": [found], "usageMetadata": usage, "modelVersion": MODEL})


def busy(delay: str = "37s") -> Answer:
    """Too many requests, with the time after which to come again."""
    detail = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return error(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", detail)


def error(code: int, status: str, message: str, *details: dict[str, Any]) -> Answer:
    """An error as Google's services word it."""
    found = {"code": code, "message": message, "status": status, "details": list(details)}
    return Answer(code, json.dumps({"error": found}).encode())


def _answer(document: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps(document).encode())
