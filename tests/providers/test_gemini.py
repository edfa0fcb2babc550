from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
)
from providers.gemini import EXTENSIONS, Gemini, detect_image, error_from_response, image_from_response
from providers.http import HttpResponse
from tests.standins.gemini import (
    MODEL,
    GeminiStandIn,
    blocked,
    busy,
    candidate,
    error,
    picture,
    png,
    stopped,
    words,
)
from tests.standins.server import Answer


@pytest.fixture
def standin() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as running:
        yield running


@pytest.fixture
def gemini(standin: GeminiStandIn) -> Gemini:
    return Gemini(standin.api_key, MODEL, standin.url)


def test_a_prompt_and_an_asset_become_an_image(standin: GeminiStandIn, gemini: Gemini) -> None:
    made = gemini("an owl at dawn", detect_image(png(7)))
    assert made == detect_image(png(0))
    (request,) = standin.requests
    (content,) = request["contents"]
    assert content["parts"] == [
        {"text": "an owl at dawn"},
        {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(png(7)).decode()}},
    ]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (blocked(), RejectedError),
        (Answer(502, b"<html>Bad gateway</html>", "text/html"), UpstreamError),
        (Answer(200, b"<html>Sign in to the network</html>", "text/html"), MalformedResponseError),
        (Answer(200, picture(png()).body[:-20]), MalformedResponseError),
    ],
)
def test_an_answer_without_a_usable_image_has_a_type(
    standin: GeminiStandIn, gemini: Gemini, answer: Answer, kind: type[RollcallError]
) -> None:
    standin.answers.append(answer)
    with pytest.raises(kind):
        gemini("an owl")


def test_an_invalid_key_is_unauthorised_although_its_status_is_400(standin: GeminiStandIn) -> None:
    with pytest.raises(UnauthorisedError, match="API key not valid"):
        Gemini("a-wrong-key", MODEL, standin.url)("an owl")


def test_an_unknown_model_is_named_in_the_error(standin: GeminiStandIn) -> None:
    with pytest.raises(RejectedError, match="404 model is not found"):
        Gemini(standin.api_key, "gemini-0", standin.url)("an owl")


def parse(answer: Answer) -> Any:
    return image_from_response(HttpResponse(200, answer.body).json_object("Gemini"))


def test_the_first_image_of_an_answer_counts_after_any_text() -> None:
    found = parse(picture(png(3)))
    assert (found.content, found.content_type) == (png(3), "image/png")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (blocked("SAFETY"), RejectedError, r"refuses the prompt \(SAFETY\)"),
        (stopped("IMAGE_SAFETY"), RejectedError, r"made no image \(IMAGE_SAFETY\)"),
        (stopped("STOP"), RejectedError, "made no image"),
        (words("I can only write poems."), RejectedError, "but wrote: I can only write poems."),
        (candidate({}), MalformedResponseError, "incomplete and has no image"),
        (picture(b"GIF89a"), MalformedResponseError, "cannot be decoded"),
    ],
)
def test_an_answer_without_an_image_says_why(answer: Answer, kind: type[RollcallError], words: str) -> None:
    with pytest.raises(kind, match=words):
        parse(answer)


@pytest.mark.parametrize(("delay", "seconds"), [("37s", 37.0), ("1.5s", 1.5), ("soon", None), ("-4s", None)])
def test_a_rate_limit_carries_the_delay_of_its_details(delay: str, seconds: float | None) -> None:
    failure = error_from_response(HttpResponse(429, busy(delay).body))
    assert isinstance(failure, RateLimitedError)
    assert failure.retry_after_seconds == seconds


def test_an_error_quotes_the_message_of_the_answer() -> None:
    body = error(400, "INVALID_ARGUMENT", "Request contains\nan invalid argument.").body
    assert str(error_from_response(HttpResponse(400, body))) == (
        "Gemini: 400 Request contains an invalid argument."
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["candidates", "content", "parts", "inlineData", "data", "promptFeedback", "error", "details"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.integers(300, 599), _JSON.map(lambda found: json.dumps(found).encode()) | st.binary())
@example(500, b"[" * 100_000)
@example(500, b"[]")
def test_any_answer_becomes_an_image_or_an_error_with_a_reason(status: int, body: bytes) -> None:
    with suppress(RollcallError):
        found = image_from_response(HttpResponse(200, body).json_object("Gemini"))
        assert found.content_type in EXTENSIONS
    assert str(error_from_response(HttpResponse(status, body)))


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (png(), "image/png"),
        (b"\xff\xd8\xff\xe0 a photograph", "image/jpeg"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
    ],
)
def test_an_image_is_detected_by_its_first_bytes(content: bytes, content_type: str) -> None:
    image = detect_image(content)
    assert (image.content, image.content_type) == (content, content_type)
    assert image.content_type in EXTENSIONS


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"<svg onload='alert(1)'/>", b"GIF89a", b"RIFF\x24\x00\x00\x00WAVEfmt "]
)
def test_any_other_content_is_rejected(content: bytes) -> None:
    with pytest.raises(RejectedError, match="not a PNG, JPEG or WebP"):
        detect_image(content)
