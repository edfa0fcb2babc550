from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bench.api import RetryTransport


class Cut(httpx.SyncByteStream):
    """A response whose server dies in the middle of it."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        raise httpx.RemoteProtocolError("peer closed connection")


class Flaky(httpx.BaseTransport):
    """Answers with each status in turn; None drops the connection, 0 drops it within the response."""

    def __init__(self, *statuses: int | None) -> None:
        self.statuses = list(statuses)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        status = self.statuses.pop(0)
        if status is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(status or 200, stream=None if status else Cut(), request=request)


def ask(method: str, inner: Flaky, seconds: float = 30) -> int:
    with httpx.Client(transport=RetryTransport(seconds, inner)) as client:
        return client.request(method, "http://rollcall.test/").status_code


def test_a_get_is_repeated_until_it_is_answered_well() -> None:
    assert ask("GET", Flaky(None, 503, 200)) == 200


def test_a_get_whose_answer_is_cut_off_is_repeated() -> None:
    assert ask("GET", Flaky(0, 200)) == 200


def test_a_refusal_is_an_answer() -> None:
    assert ask("GET", Flaky(404)) == 404


def test_after_its_time_the_last_answer_stands() -> None:
    assert ask("GET", Flaky(503), seconds=0) == 503


def test_a_post_is_never_repeated() -> None:
    with pytest.raises(httpx.ConnectError):
        ask("POST", Flaky(None, 202))
