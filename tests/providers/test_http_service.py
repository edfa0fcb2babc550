from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from domain.errors import RejectedError, UnreachableError
from providers.http import HttpClient
from tests.standins.server import Answer, StandIn


class Echo(StandIn):
    """Answers with what it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.next: Answer | None = Answer(201, b"{}")
        self.asked: list[tuple[Mapping[str, str], bytes]] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        self.asked.append((headers, body))
        return self.next


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as running:
        yield running


def test_json_goes_out_and_the_status_and_the_body_come_back(echo: Echo) -> None:
    body = json.dumps({"prompt": "an owl"}).encode()
    service = HttpClient("Owls", 5, max_mib=1)
    assert service.post(echo.url, body, {"x-key": "secret"}, auth=("ada", "")) == (201, b"{}")
    ((headers, sent),) = echo.asked
    assert sent == body
    assert (headers["content-type"], headers["x-key"]) == ("application/json", "secret")
    assert headers["authorization"] == "Basic YWRhOg=="


def test_an_answer_that_is_too_large_is_refused(echo: Echo) -> None:
    echo.next = Answer(200, bytes(1_048_577))
    with pytest.raises(RejectedError, match="Owls's answer is larger than 1 MiB"):
        HttpClient("Owls", 5, max_mib=1).post(echo.url, b"{}", {})


def test_a_service_that_hangs_up_may_be_asked_again(echo: Echo) -> None:
    echo.next = None
    with pytest.raises(UnreachableError, match="Owls cannot be reached"):
        HttpClient("Owls", 5, max_mib=1).post(echo.url, b"{}", {})


def test_nobody_is_sent_elsewhere(echo: Echo) -> None:
    echo.next = Answer(302, b"")
    assert HttpClient("Owls", 5, max_mib=1).post(echo.url, b"{}", {})[0] == 302
    assert len(echo.asked) == 1
