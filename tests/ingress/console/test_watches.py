from __future__ import annotations

import httpx

from tests.ingress.console.visitor import words
from tests.ingress.site import Site


def test_the_watches_of_an_address_are_found(site: Site, guest: httpx.Client) -> None:
    site.house.watch()
    site.house.watch("12431", "bob@example.edu")
    assert "Watch 1 ada@example.edu scraper/2261/12430 everything 1" in words(guest.get("/console/watches"))
    bobs = words(guest.get("/console/watches?email=Bob@example.edu"))
    assert "Watch 2 bob@example.edu" in bobs
    assert "ada@example.edu" not in bobs


def test_every_watch_can_be_taken_away_as_a_sheet(site: Site, guest: httpx.Client) -> None:
    site.house.watch()
    answer = guest.get("/console/watches.csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="watches.csv"'
    assert answer.text.splitlines()[1].startswith("ada@example.edu,scraper,2261,12430,")


def test_a_sheet_is_pasted_looked_at_and_then_stored(site: Site, guest: httpx.Client) -> None:
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
    assert "No line of the sheet is a watch." in words(asked)
    assert 'name="confirm"' not in asked.text


def test_what_is_no_sheet_is_named(guest: httpx.Client) -> None:
    answer = guest.post("/console/do/watch-import", data={"csv": "a,b\n1,2\n"})
    assert answer.status_code == 422
    assert "email" in words(answer)
