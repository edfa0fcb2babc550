from __future__ import annotations

import hmac

import pytest

from ingress import auth
from tests.ingress.site import API, API_TOKEN, CRON_SECRET, Site


@pytest.mark.parametrize("header", [f"bearer {API_TOKEN}", f"BEARER   {API_TOKEN}"])
def test_the_scheme_is_read_in_any_case(site: Site, header: str) -> None:
    assert site.client.get("/watches", headers={"Authorization": header}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        API_TOKEN,
        f"Bearer {API_TOKEN[:-1]}",
        f"Bearer {API_TOKEN}x",
        f"Bearer {API_TOKEN.upper()}",
        f"Bearer {CRON_SECRET}",
        "Bearer \u00fc".encode("latin-1"),
        "Bearer " + "x" * 8000,
        f"Token {API_TOKEN}",
    ],
)
def test_anything_else_is_refused(site: Site, header: str | bytes) -> None:
    value = header if isinstance(header, bytes) else header.encode()

    answer = site.client.get("/watches", headers=[(b"Authorization", value)])

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_two_authorizations_are_none(site: Site) -> None:
    headers = [("Authorization", API["Authorization"]), ("Authorization", "Bearer other")]

    assert site.client.get("/watches", headers=headers).status_code == 401


def test_a_token_in_the_address_is_no_token(site: Site) -> None:
    assert site.client.get("/watches", params={"token": API_TOKEN}).status_code == 401


def test_a_stranger_is_refused_before_the_body_is_read(site: Site) -> None:
    assert site.client.post("/watches/import", content=b"x" * 10).status_code == 401


def test_every_secret_is_compared_even_after_one_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    genuine = hmac.compare_digest

    def listen(a: bytes, b: bytes) -> bool:
        compared.append((a, b))
        return genuine(a, b)

    monkeypatch.setattr(hmac, "compare_digest", listen)

    assert auth.matches(b"one", ["one", "two", "three and longer"])
    assert not auth.matches(b"o", ["one", "two"])
    assert len(compared) == 5
    assert {len(side) for pair in compared for side in pair} == {32}
