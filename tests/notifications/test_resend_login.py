from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.errors import MalformedResponseError, UnauthorisedError, UnreachableError, UpstreamError
from notifications.resend_login import sending_domains
from tests.standins.resend import ResendStandIn
from tests.support.receiver import receiver
from tests.support.stack import free_port


@pytest.fixture
def resend() -> Iterator[ResendStandIn]:
    with ResendStandIn() as found:
        yield found


def ask(resend: ResendStandIn, key: str = "re_test") -> dict[str, str] | None:
    return sending_domains(key, resend.url, 5)


def test_a_good_key_is_told_the_domains_and_nothing_is_sent(resend: ResendStandIn) -> None:
    resend.domains = {"example.edu": "verified", "example.org": "pending"}
    assert ask(resend) == resend.domains
    assert resend.stats["accepted"] == 0


def test_a_key_that_may_only_send_is_told_apart_from_a_wrong_one(resend: ResendStandIn) -> None:
    resend.may_only_send = True
    assert ask(resend) is None
    with pytest.raises(UnauthorisedError, match="API key is invalid"):
        ask(resend, "re_wrong")


@pytest.mark.parametrize(
    ("status", "error"), [(500, UpstreamError), (400, UnauthorisedError), (200, MalformedResponseError)]
)
def test_what_is_no_answer_of_resend_is_an_error(status: int, error: type[Exception]) -> None:
    with receiver() as proxy:
        proxy.statuses.append(status)
        with pytest.raises(error):
            sending_domains("re_test", proxy.url, 5)


def test_nobody_there_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        sending_domains("re_test", f"http://127.0.0.1:{free_port()}", 5)
