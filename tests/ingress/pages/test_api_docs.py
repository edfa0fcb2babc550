from __future__ import annotations

import re

from ingress.api.openapi import description
from ingress.pages.api_docs import groups, model
from tests.ingress.site import API, API_TOKEN, Site


def test_every_operation_is_on_the_page(site: Site) -> None:
    page = site.client.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in page.text
            assert f"{method.upper()} {path}" in page.text


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing(site: Site) -> None:
    page = site.client.get("/docs", headers=API)
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in page.text
    assert not re.search(r"(src|href)=.https?:", page.text)
    assert API_TOKEN not in page.text


def test_links_within_lead_somewhere(site: Site) -> None:
    page = site.client.get("/docs").text
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_an_operation_says_what_it_takes_and_answers() -> None:
    (pause,) = (each for each in groups(description())["watches"] if each.id == "post_watches_id_pause")
    assert (pause.method, pause.path, pause.tokens) == ("POST", "/watches/{id}/pause", ("API_TOKEN",))
    assert [(field.name, field.place, field.type) for field in pause.parameters] == [
        ("id", "path", "integer")
    ]
    (length,) = pause.body
    assert (length.name, length.type, length.is_required) == ("for", "string", True)
    assert length.note == "A duration, such as 90s, 15m, 2h or 7d; at most a year. Example: 7d."
    assert pause.answers[0] == ("200", "A watch and the current state of its section.", "Watch")
    assert ("404", "Not found.", "Problem") in pause.answers


def test_a_model_is_a_table_of_its_members() -> None:
    found = model("Imported", description()["components"]["schemas"]["Imported"])
    assert [(field.name, field.type) for field in found.fields] == [
        ("created", "integer"),
        ("existing", "integer"),
        ("rejected", "list of RejectedLine"),
    ]
