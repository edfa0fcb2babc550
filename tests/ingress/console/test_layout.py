from __future__ import annotations

import re

from ingress.console.layout import address
from tests.ingress.console.visitor import stranger
from tests.ingress.site import Site

TYPES = {"console.css": "text/css", "console.js": "text/javascript", "mark.svg": "image/svg+xml"}
ELSEWHERE = ("console.css", "console-000000000000.css", "..%2fpage.py", "%2e%2e/page.py", "page.py")


def test_they_are_kept_for_ever_under_an_address_that_names_their_content(site: Site) -> None:
    with stranger(site) as client:
        for name, kind in (
            ("console.css", "text/css"),
            ("console.js", "text/javascript"),
            ("mark.svg", "image/svg"),
        ):
            asset = client.get(address(name))
            assert asset.status_code == 200
            assert asset.headers["content-type"].startswith(kind)
            assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
            assert asset.headers["x-content-type-options"] == "nosniff"


def test_other_content_and_other_files_have_no_address(site: Site) -> None:
    with stranger(site) as client:
        for name in (
            "console.css",
            "console-000000000000.css",
            "..%2f__init__.py",
            "%2e%2e/page.py",
            "__init__.py",
        ):
            assert client.get(f"/console/static/{name}").status_code in {303, 404}, name


def test_every_page_names_assets_that_are_there(site: Site) -> None:
    with stranger(site) as client:
        text = client.get("/console/sign-in").text
        for found in re.findall(r'(?:href|src)="(/console/static/[^"]+)"', text):
            assert client.get(found).status_code == 200
