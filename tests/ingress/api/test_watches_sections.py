from __future__ import annotations

import pytest

from tests.ingress.site import API, Site, fields_of
from tests.support.catalog import Row


def test_a_section_shows_its_state_and_its_history_newest_first(site: Site) -> None:
    site.add()
    for seats in (0, 2):
        site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(
            open_seats=seats, capacity=None, instructor="TBA"
        )
        site.rollcall.run()
        site.rollcall.clock.advance(60)

    shown = site.client.get("/sections/scraper/2261/12431", headers=API)

    assert shown.status_code == 200
    section = shown.json()
    assert (section["source"], section["term"], section["section"]) == ("scraper", "2261", "12431")
    assert (section["open_seats"], section["capacity"], section["instructor"]) == (2, None, "")
    assert (section["openings"], section["retired"], section["course"]) == (1, False, "CSE 100")
    assert section["history"] == [
        {"observed_at": "2026-01-15T09:01:00.000Z", "open_seats": 2, "capacity": None, "instructor": ""},
        {"observed_at": "2026-01-15T09:00:00.000Z", "open_seats": 0, "capacity": None, "instructor": ""},
    ]


def test_a_section_that_was_never_seen_is_not_shown_as_zero(site: Site) -> None:
    site.add()

    section = site.client.get("/sections/scraper/2261/12431", headers=API).json()

    assert (section["open_seats"], section["observed_at"], section["history"]) == (None, None, [])


@pytest.mark.parametrize(
    "path", ["scraper/2261/1", "elsewhere/2261/12431", "SCRAPER/2261/12431", "scraper/2261/%00", "%ff/2261/1"]
)
def test_an_unknown_section_is_not_found(site: Site, path: str) -> None:
    answer = site.client.get(f"/sections/{path}", headers=API)

    assert (answer.status_code, fields_of(answer)) == (404, set())


def test_an_unknown_parameter_is_named(site: Site) -> None:
    answer = site.client.get("/sections/scraper/2261/12431?full=1", headers=API)

    assert (answer.status_code, fields_of(answer)) == (422, {"full"})


def test_sections_are_listed_in_pages_and_by_filter(site: Site) -> None:
    for number, term in (("12431", "2261"), ("12430", "2261"), ("77", "2262")):
        site.add(section=number, term=term)
    site.add(email="bob@example.edu")
    site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(open_seats=2)
    site.rollcall.run()
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        query = {"cursor": cursor, "limit": "2", "term": "", "source": "scraper"}
        page = site.client.get("/sections", headers=API, params=query).json()
        seen += [each["section"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["12431", "12430", "77"]

    for query, found in (
        ({"term": "2262"}, ["77"]),
        ({"source": "elsewhere"}, []),
        ({"q": "1243"}, ["12431", "12430"]),
        ({"q": "cse 1"}, ["12431"]),
        ({"q": "1243", "term": "2262"}, []),
    ):
        items = site.client.get("/sections", headers=API, params=query).json()["items"]
        assert [each["section"] for each in items] == found, query
    (shown,) = site.client.get("/sections?q=12431", headers=API).json()["items"]
    assert (shown["open_seats"], shown["watches"], shown["course"]) == (2, 2, "CSE 100")
    assert "history" not in shown


@pytest.mark.parametrize(
    ("query", "fields"),
    [("source=X&term=%20&limit=0", {"source", "term", "limit"}), ("number=1", {"number"})],
)
def test_a_bad_filter_of_sections_is_named(site: Site, query: str, fields: set[str]) -> None:
    answer = site.client.get(f"/sections?{query}", headers=API)
    assert (answer.status_code, fields_of(answer)) == (422, fields)


def test_sections_are_listed_for_the_token_alone(site: Site) -> None:
    assert site.client.get("/sections").status_code == 401
