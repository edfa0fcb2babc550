from __future__ import annotations

import pytest

from domain.errors import RejectedError
from providers.gemini import EXTENSIONS, detect_image
from tests.standins.gemini import png


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (png(), "image/png"),
        (b"\xff\xd8\xff\xe0 a photograph", "image/jpeg"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(content: bytes, content_type: str) -> None:
    picture = detect_image(content)
    assert (picture.content, picture.content_type) == (content, content_type)
    assert picture.content_type in EXTENSIONS


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"<svg onload='alert(1)'/>", b"GIF89a", b"RIFF\x24\x00\x00\x00WAVEfmt "]
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(RejectedError, match="no PNG, JPEG or WebP"):
        detect_image(content)
