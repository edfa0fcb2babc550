"""Pictures, by what their first bytes say they are: neither a name nor a provider is trusted with that."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors import RejectedError

MAX_ASSET_BYTES = 10 * 1024 * 1024
"""Of a request, which the provider takes up to 20 MB of: a third of that goes into its base64."""
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}


@dataclass(frozen=True, slots=True)
class Image:
    """A picture of one of the types in `EXTENSIONS`."""

    content: bytes
    content_type: str


def detect_image(content: bytes) -> Image:
    """The picture that `content` is. Raises: RejectedError when it is none that we know."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Image(content, "image/png")
    if content.startswith(b"\xff\xd8\xff"):
        return Image(content, "image/jpeg")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Image(content, "image/webp")
    raise RejectedError("it is no PNG, JPEG or WebP picture")
