from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator

import pytest

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from providers.gemini import Gemini, detect_image
from tests.standins.gemini import MODEL, GeminiStandIn, blocked, busy, error, picture, png
from tests.standins.server import Answer


@pytest.fixture
def standin() -> Iterator[GeminiStandIn]:
    with GeminiStandIn() as running:
        yield running


@pytest.fixture
def gemini(standin: GeminiStandIn) -> Gemini:
    return Gemini(standin.api_key, MODEL, standin.url)


def test_a_prompt_and_an_asset_go_out_and_a_picture_comes_back(
    standin: GeminiStandIn, gemini: Gemini
) -> None:
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
        (busy(), RateLimitedError),
        (blocked(), RejectedError),
        (error(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), RejectedError),
        (error(403, "PERMISSION_DENIED", "Generative Language API has not been used."), UnauthorisedError),
        (error(500, "INTERNAL", "An internal error has occurred."), UpstreamError),
        (error(504, "DEADLINE_EXCEEDED", "Deadline expired."), UpstreamTimeoutError),
        (Answer(502, b"<html>Bad gateway</html>", "text/html"), UpstreamError),
        (Answer(200, b"<html>Sign in to the network</html>", "text/html"), MalformedResponseError),
        (Answer(200, picture(png()).body[:-20]), MalformedResponseError),
        (None, UnreachableError),
    ],
)
def test_a_failure_says_whether_to_try_again(
    standin: GeminiStandIn, gemini: Gemini, answer: Answer | None, kind: type[RollcallError]
) -> None:
    standin.answers.append(answer)
    with pytest.raises(kind):
        gemini("an owl")


def test_an_answer_that_does_not_come_is_given_up(standin: GeminiStandIn) -> None:
    standin.delay_seconds = 30
    with pytest.raises(UpstreamTimeoutError):
        Gemini(standin.api_key, MODEL, standin.url, timeout_seconds=0.2)("an owl")
    standin.go_on.set()


def test_an_answer_that_is_cut_off_is_lost() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(head + b'{"candidates": [')

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(UnreachableError):
            Gemini("key", MODEL, f"http://127.0.0.1:{server.getsockname()[1]}")("an owl")
        thread.join()


def test_nobody_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(UnreachableError):
        Gemini("key", MODEL, url)("an owl")


def test_a_wrong_key_is_refused_and_never_told(standin: GeminiStandIn) -> None:
    gemini = Gemini("a-wrong-key", MODEL, standin.url)
    with pytest.raises(UnauthorisedError, match="API key not valid") as refused:
        gemini("an owl")
    assert "a-wrong-key" not in f"{refused.value} {gemini!r}"


def test_a_model_that_is_not_there_is_named_by_gemini(standin: GeminiStandIn) -> None:
    with pytest.raises(RejectedError, match="404 model is not found"):
        Gemini(standin.api_key, "gemini-0", standin.url)("an owl")
