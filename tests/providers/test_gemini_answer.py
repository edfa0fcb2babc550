from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import MalformedResponseError, RateLimitedError, RejectedError, RollcallError
from providers.gemini import EXTENSIONS, error_from_response, image_from_response, request_body
from tests.standins.gemini import blocked, busy, candidate, picture, png, stopped, words
from tests.standins.server import Answer

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


def read(answer: Answer) -> Any:
    return image_from_response(request_body(answer.body))


def test_the_first_picture_of_an_answer_counts_whatever_is_said_before_it() -> None:
    found = read(picture(png(3)))
    assert (found.content, found.content_type) == (png(3), "image/png")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (blocked("SAFETY"), RejectedError, r"refuses the prompt \(SAFETY\)"),
        (stopped("IMAGE_SAFETY"), RejectedError, r"made no picture \(IMAGE_SAFETY\)"),
        (stopped("STOP"), RejectedError, "made no picture"),
        (words("I can only write poems."), RejectedError, "but wrote: I can only write poems."),
        (candidate({}), MalformedResponseError, "no end and no picture"),
        (picture(b"GIF89a"), MalformedResponseError, "cannot be read"),
    ],
)
def test_an_answer_without_a_picture_says_why(answer: Answer, kind: type[RollcallError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read(answer)


@pytest.mark.parametrize(("delay", "seconds"), [("37s", 37.0), ("1.5s", 1.5), ("soon", None), ("-4s", None)])
def test_a_refusal_for_haste_says_when_to_come_again(delay: str, seconds: float | None) -> None:
    failure = error_from_response(429, request_body(busy(delay).body))
    assert isinstance(failure, RateLimitedError)
    assert failure.retry_after_seconds == seconds


@given(st.integers(300, 599), _JSON)
def test_whatever_is_answered_ends_as_a_picture_or_as_a_failure_that_can_be_told(
    status: int, answer: Any
) -> None:
    with suppress(RollcallError):
        found = image_from_response(request_body(json.dumps(answer).encode()))
        assert found.content_type in EXTENSIONS
    if isinstance(answer, dict):
        assert str(error_from_response(status, answer))


@given(st.binary())
@example(b"[" * 100_000)
@example(b"[]")
def test_a_body_that_is_no_object_is_malformed(body: bytes) -> None:
    with suppress(MalformedResponseError):
        assert isinstance(request_body(body), dict)
