from __future__ import annotations

from pathlib import Path

import httpx
import redis

from domain.text import NARROW_SPACE
from domain.watch import Watch
from operations.csv_reader import MAX_RECORDS
from tests.actors.polling import polling
from tests.ingress.console.test_operations import confirm
from tests.ingress.console.visitor import said, visitor, words
from tests.ingress.site import Site, Stage
from tests.ingress.site import site as on
from tests.support.catalog import Row
from tests.support.harness import sqlite_url


def test_the_watches_of_an_address_are_found(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    site.rollcall.watch("12431", "bob@example.edu")
    assert (
        "Watch 1 ada@example.edu scraper/2261/12430 seat available, instructor assigned, section retired"
        in words(guest.get("/console/watches"))
    )
    bobs = words(guest.get("/console/watches?email=Bob@example.edu"))
    assert "Watch 2 bob@example.edu" in bobs
    assert "ada@example.edu" not in bobs


def test_watches_are_found_by_section_and_term_with_the_name_of_their_course(
    site: Site, guest: httpx.Client
) -> None:
    site.rollcall.watch()
    site.rollcall.watch("12431", "bob@example.edu")
    site.rollcall.catalog.rows[site.rollcall.key()] = Row(3)
    site.rollcall.run()
    found = words(guest.get("/console/watches?section=12430&term=2261&source=&email="))
    assert "1 active watch of 1 address" in found
    assert "scraper/2261/12430 CSE 100" in found
    assert "bob@example.edu" not in found
    assert "No active watch matches." in words(guest.get("/console/watches?term=2262"))


def test_the_form_that_adds_a_watch_is_above_the_list(site: Site, guest: httpx.Client) -> None:
    watch = site.rollcall.watch()
    for path in ("/console/watches", "/console/sections/scraper/2261/12430"):
        page = guest.get(path).text
        assert (
            0
            < page.index('action="/console/do/watch-add"')
            < page.index(f"/console/timeline/watch/{watch.id}")
        )


def test_every_watch_can_be_taken_away_as_a_sheet(site: Site, guest: httpx.Client) -> None:
    site.rollcall.watch()
    answer = guest.get("/console/watches.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="watches.csv"'
    assert answer.text.splitlines()[1].startswith("ada@example.edu,scraper,2261,12430,")


def test_a_sheet_is_pasted_inspected_and_then_stored(site: Site, guest: httpx.Client) -> None:
    sheet = "email,source,term,section\nada@example.edu,,2261,12430\nnobody,,2261,12431\n"
    assert "Import watches" in words(guest.get("/console/watches/import"))
    asked = words(guest.post("/console/do/watch-import", data={"csv": sheet}))
    assert "Import 1 watch? 1 line is a watch. 1 line is left out. Line 3: email: must be an" in asked
    assert site.count("watches") == 0
    done = guest.post("/console/do/watch-import", data={"csv": sheet, "confirm": "yes"})
    assert done.status_code == 303
    assert site.count("watches") == 1


def test_a_sheet_without_a_watch_offers_nothing(guest: httpx.Client) -> None:
    asked = guest.post("/console/do/watch-import", data={"csv": "email,source,term,section\n"})
    assert "No line of the file is a watch." in words(asked)
    assert 'name="confirm"' not in asked.text


def test_a_full_export_can_be_imported_again_and_the_page_says_how_much_that_is(
    site: Site, guest: httpx.Client
) -> None:
    assert f"Up to 10{NARROW_SPACE}000 lines and 5 MiB" in guest.get("/console/watches/import").text
    keys = (site.rollcall.key(str(number)) for number in range(10_000, 10_000 + MAX_RECORDS))
    site.rollcall.services.store.watches.add_all(
        [Watch("somebody@example.edu", key) for key in keys], site.rollcall.clock.now()
    )
    sheet = guest.get("/console/watches.csv").text
    asked = guest.post("/console/do/watch-import", data={"csv": sheet})
    assert f"10{NARROW_SPACE}000 lines are watches" in asked.text
    assert confirm(guest, asked).status_code == 303
    assert said(guest) == f"Added 0 watches and updated {MAX_RECORDS}."


def test_more_than_the_page_says_is_refused(guest: httpx.Client) -> None:
    refused = guest.post("/console/do/watch-import", data={"csv": "\n" * (5 * 1024 * 1024 // 3 + 1)})
    assert (refused.status_code, "5120 KiB" in words(refused)) == (413, True)
    assert guest.post("/console/do/watch-add", data={"email": "a" * 64 * 1024}).status_code == 413


def test_what_is_no_sheet_is_named(guest: httpx.Client) -> None:
    answer = guest.post("/console/do/watch-import", data={"csv": "a,b\n1,2\n"})
    assert answer.status_code == 422
    assert "email" in words(answer)


def test_watches_of_courses_are_listed_where_a_catalog_is_polled(
    tmp_path: Path, redis_client: redis.Redis, prefix: str, stage: Stage
) -> None:
    with (
        polling(sqlite_url(tmp_path), redis_client, prefix, "elm") as place,
        on(stage, place.rollcall) as site,
        visitor(site) as guest,
    ):
        form = {"email": "ada@example.edu", "source": "elm", "term": "202710", "course": "ICS 111"}
        asked = words(guest.post("/console/do/course-watch-add", data=form))
        assert "Watch the course elm/202710/ICS 111?" in asked
        guest.post("/console/do/course-watch-add", data=form | {"confirm": "yes"})
        assert "elm/202710/ICS 111 ada@example.edu section added" in words(guest.get("/console/watches"))
