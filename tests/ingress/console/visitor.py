"""A browser without a screen: it keeps cookies and says where its requests come from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

import httpx

from tests.ingress.site import API_TOKEN, Site

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Site": "same-origin"}


@contextmanager
def stranger(site: Site) -> Iterator[httpx.Client]:
    """Somebody who is not signed in."""
    with httpx.Client(base_url=site.url, headers=BROWSER, timeout=20) as client:
        yield client


@contextmanager
def visitor(site: Site) -> Iterator[httpx.Client]:
    """Somebody who has signed in."""
    with stranger(site) as client:
        entered = sign_in(client)
        assert entered.status_code == 303, entered.text
        yield client


def sign_in(client: httpx.Client, token: str = API_TOKEN, **fields: str) -> httpx.Response:
    return client.post("/console/sign-in", data={"token": token} | fields)


def said(client: httpx.Client, path: str = "/console/runs") -> str:
    """What the next page says has been done."""
    found = re.search(r'class="said"[^>]*>([^<]*)<', client.get(path).text)
    return unescape(found[1]) if found else ""


def words(response: httpx.Response) -> str:
    """What a person reads of a page, with single spaces."""
    visible = re.sub(r"(?s)<(head|svg|script|template)\b.*?</\1>|<[^>]+>", " ", response.text)
    return " ".join(unescape(visible).split())
