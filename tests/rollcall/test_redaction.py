from __future__ import annotations

import pytest

from domain.errors import UpstreamError
from rollcall.redaction import Redactor
from rollcall.settings import parse

TOKEN = "sk-0123456789abcdef"


def redact(text: str, **settings: str) -> str:
    return Redactor(parse({"SCRAPER_URL": "http://127.0.0.1:1", "SCRAPER_SECRET_TOKEN": TOKEN} | settings))(
        text
    )


def test_a_secret_is_masked_wherever_it_stands() -> None:
    assert redact(f"GET /x?token={TOKEN}&a=1 refused") == "GET /x?token=***&a=1 refused"


@pytest.mark.parametrize(
    "text", ["/var/lib/rollcall cannot be written", "/srv/var/x", "a-var", "rollcall.var.example"]
)
def test_a_short_password_masks_no_part_of_a_path_or_name(text: str) -> None:
    assert redact(text, REDIS_URL="redis://:var@127.0.0.1/0") == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("redis://:var@127.0.0.1/0 is away", "redis://:***@127.0.0.1/0 is away"),
        ("password 'var' is wrong", "password '***' is wrong"),
        ("the password is var.", "the password is ***."),
    ],
)
def test_a_short_password_is_masked_where_it_stands_alone(text: str, masked: str) -> None:
    assert redact(text, REDIS_URL="redis://:var@127.0.0.1/0") == masked


def test_credentials_in_any_url_are_masked() -> None:
    assert redact("http://ada:hidden@proxy.example/ refused") == "http://ada:***@proxy.example/ refused"


def test_an_address_that_is_a_secret_is_masked_with_and_without_its_host() -> None:
    hook = "https://hooks.example.com/services/T0000/B0000"
    text = f"{hook} answered 404; no route for /services/T0000/B0000"
    assert redact(text, OPERATOR_WEBHOOK_URL=hook) == "*** answered 404; no route for ***"


def test_an_error_is_one_bounded_line_and_is_masked_before_it_is_cut() -> None:
    error = UpstreamError("x" * 280 + f"\n{TOKEN} and more")
    described = Redactor(
        parse({"SCRAPER_URL": "http://127.0.0.1:1", "SCRAPER_SECRET_TOKEN": TOKEN})
    ).describe(error)
    assert len(described) == 300
    assert "sk-0" not in described
    assert "\n" not in described
