from __future__ import annotations

import pytest

from tests.ingress.site import API, Site, fields_of

HEADER = "email,source,term,section"


def test_terms_and_sections_are_what_the_catalog_uses(site: Site) -> None:
    answer = site.upload(f'{HEADER}\r\nada@example.edu,scraper,2026/FA,"CIS 1,200/1"\r\n')
    assert answer.json()["created"] == 1
    (watch,) = site.client.get("/watches", headers=API, params={"email": "ada@example.edu"}).json()["items"]
    assert (watch["term"], watch["section"]) == ("2026/FA", "CIS 1,200/1")


def test_lines_are_created_found_and_rejected(site: Site) -> None:
    site.add()
    answer = site.upload(
        f"{HEADER},kinds,min_seats\r\n"
        "ada@example.edu,scraper,2261,12431,,\r\n"
        "bob@example.edu,,2261,12431,seat_available|section_retired,4\r\n"
        "eve@example.edu,elsewhere,2261,12431,,\r\n"
        "bob@example.edu,scraper,2261,12431,seat_available section_retired,4\r\n"
        "ada,scraper,,_xy,seats,0\r\n"
        "too,few\r\n"
    )

    assert answer.status_code == 200
    response = answer.json()
    assert (response["created"], response["existing"]) == (1, 2)
    assert [rejected["line"] for rejected in response["rejected"]] == [4, 6, 7]
    assert response["rejected"][0]["error"] == "source: must be one of scraper"
    assert all(
        f"{name}: " in response["rejected"][1]["error"] for name in ("email", "term", "section", "kinds")
    )
    assert "min_seats: " in response["rejected"][1]["error"]
    bob = site.client.get("/watches", headers=API, params={"email": "bob@example.edu"}).json()["items"]
    assert [(watch["kinds"], watch["min_seats"]) for watch in bob] == [
        (["seat_available", "section_retired"], 4)
    ]


def test_empty_optional_cells_keep_what_a_watch_says(site: Site) -> None:
    site.add(kinds=["seat_available"], min_seats=3)
    site.upload(f"{HEADER},kinds,min_seats\nada@example.edu,,2261,12431,,\n")

    assert site.client.get("/watches", headers=API).json()["items"][0]["min_seats"] == 3


def test_columns_may_come_in_any_order_after_a_byte_order_mark(site: Site) -> None:
    answer = site.upload("\ufeffSection, term ,EMAIL,source\n12431,2261, ada@example.edu ,\n")

    assert answer.json() == {"created": 1, "existing": 0, "rejected": []}


def test_lines_are_counted_as_in_the_file(site: Site) -> None:
    answer = site.upload(
        f'{HEADER}\n\n"ada\n@example.edu",,2261,1\n"bob@example.edu",,2261,2\nbad,,2261,3\n"eve"x,,2261,4\n'
    )

    assert [rejected["line"] for rejected in answer.json()["rejected"]] == [3, 6, 7]
    assert answer.json()["created"] == 1


def test_a_quote_that_never_closes_is_rejected_where_it_opens(site: Site) -> None:
    answer = site.upload(
        f'{HEADER}\nada@example.edu,,2261,1\nbob@example.edu,,"2261,2\nx@example.edu,,2261,3'
    )

    error = "line: the quote that opens in line 3, column 3, is never closed; nothing after it was read"
    assert answer.json() == {"created": 1, "existing": 0, "rejected": [{"line": 3, "error": error}]}


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("", {"email", "term", "section"}),
        ("email,section\n", {"term"}),
        (f"{HEADER},color,\n", {"color"}),
        (f"{HEADER},,kinds\n", {"column 5"}),
        (f"{HEADER},term\n", {"term"}),
        ('"email\n', {"header"}),
        ("2261,ada@example.edu,12431\n", {"header"}),
        ("sep=x\n" + HEADER, {"sep"}),
        (b"PK\x03\x04 a workbook", {"body"}),
        (HEADER.encode() + b"\n\x81", {"body"}),
        (HEADER + "\n" + "ada@example.edu,,2261,1\n" * 10_001, {"body"}),
    ],
)
def test_another_sheet_is_refused_as_a_whole(site: Site, text: str | bytes, fields: set[str]) -> None:
    answer = site.upload(text)

    assert (answer.status_code, fields_of(answer)) == (422, fields)
    assert site.count("watches") == 0


@pytest.mark.parametrize(
    "cells",
    [
        "ада@example.edu,,2261,1",
        "a@example.edu,,2261,\uff11",
        "ada@example.edu,,2261\u200b,1",
    ],
)
def test_odd_characters_are_rejected_by_line(site: Site, cells: str) -> None:
    answer = site.upload(f"{HEADER}\n{cells}\n")

    assert [rejected["line"] for rejected in answer.json()["rejected"]] == [2]
    assert site.count("watches") == 0


def test_an_invisible_character_is_named_with_its_line_and_column(site: Site) -> None:
    answer = site.upload(f"{HEADER}\nada@example.edu,,2261\u200b,1\u00ad\n").json()

    error = (
        "term: contains an invisible character (U+200B); section: contains an invisible character (U+00AD)"
    )
    assert answer["rejected"] == [{"line": 2, "error": error}]


EXCEL = (
    "\ufeffsep=;\r\nE-Mail;Term;Section;Kinds;Min seats;;\r\nada@example.edu;2261;12431;;2;;\r\n;;;;;;\r\n"
)


@pytest.mark.parametrize("charset", ["", "; charset=utf-16le", "; charset=windows-1252", '; charset="UTF-8"'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_as_a_spreadsheet_writes_it(site: Site, encoding: str, charset: str) -> None:
    answer = site.upload(EXCEL.encode(encoding), **{"Content-Type": f"text/csv{charset}"})

    assert answer.json() == {"created": 1, "existing": 0, "rejected": []}
    (watch,) = site.client.get("/watches", headers=API).json()["items"]
    assert (watch["email"], watch["source"], watch["min_seats"]) == ("ada@example.edu", "scraper", 2)


def test_a_file_without_header_is_read_where_its_meaning_is_clear(site: Site) -> None:
    assert site.upload("ada@example.edu,2261,12431\n").json()["created"] == 1
    assert site.upload("bob@example.edu,scraper,2261,12431\n").json()["created"] == 1
    answer = site.upload("eve@example.edu,elsewhere,2261,12431\n").json()
    assert answer["rejected"] == [{"line": 1, "error": "source: must be one of scraper"}]


def test_a_line_that_a_spreadsheet_would_run_is_rejected_by_its_number(site: Site) -> None:
    answer = site.upload(f"{HEADER}\n=cmd|'/ccalc'!a0+@b.co,,2261,1\n").json()

    assert (answer["created"], [rejected["line"] for rejected in answer["rejected"]]) == (0, [2])
    assert "email: must be an e-mail address that does not begin with" in answer["rejected"][0]["error"]


@pytest.mark.parametrize("number", ["0", "10001", "1.5", "9" * 5000, "٣"])
def test_odd_numbers_are_rejected_by_line(site: Site, number: str) -> None:
    answer = site.upload(f"{HEADER},min_seats\nada@example.edu,,2261,1,{number}\n")

    assert "min_seats: must be a whole number" in answer.json()["rejected"][0]["error"]


def test_a_suppressed_address_is_rejected_by_line(site: Site) -> None:
    site.rollcall.services.store.deliveries.record(
        "1",
        "complained",
        provider_id=None,
        address="ada@example.edu",
        reason="",
        now=site.rollcall.clock.now(),
    )

    answer = site.upload(f"{HEADER}\nada@example.edu,,2261,1\nbob@example.edu,,2261,1\n").json()

    assert (answer["created"], [rejected["line"] for rejected in answer["rejected"]]) == (1, [2])
    assert "email: " in answer["rejected"][0]["error"]


def test_a_file_over_five_mebibytes_is_refused(site: Site) -> None:
    answer = site.upload(HEADER.encode() + b"\n" * (5 * 1024 * 1024))

    assert (answer.status_code, fields_of(answer)) == (413, set())


def test_only_csv_is_read(site: Site) -> None:
    answer = site.client.post("/watches/import", json={}, headers=API)

    assert (answer.status_code, answer.headers["accept"]) == (415, "text/csv")
