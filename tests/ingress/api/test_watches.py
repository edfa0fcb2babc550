from __future__ import annotations

import json
from typing import Any

import pytest

from domain.watch import DEFAULT_KINDS
from tests.ingress.site import API, CRON, PUBLIC_URL, Site, fields_of
from tests.support.catalog import Row

GOOD = {"email": "ada@example.edu", "term": "2261", "section": "12431"}


def test_a_new_watch_is_created(site: Site) -> None:
    answer = site.add(email=" Ada@Example.EDU ", kinds=["seat_available"], min_seats=2)

    assert answer.status_code == 201
    watch = answer.json()
    assert answer.headers["location"] == f"{PUBLIC_URL}/watches/{watch['id']}"
    assert watch == {
        "id": watch["id"],
        "email": "ada@example.edu",
        "source": "scraper",
        "term": "2261",
        "section": "12431",
        "kinds": ["seat_available"],
        "min_seats": 2,
        "unreserved_only": False,
        "max_waitlist": None,
        "created_at": "2026-01-15T09:00:00.000Z",
        "paused_until": None,
        "listing": "unknown section",
        "current": None,
    }


def test_a_section_that_the_catalog_lists_is_distinguished_from_one_that_it_does_not(site: Site) -> None:
    site.rollcall.catalog.rows[site.rollcall.catalog.key("12430")] = Row()

    assert site.add(section="12430").json()["listing"] == "listed"
    assert site.add(section="99999").json()["listing"] == "unknown section"
    shown = site.client.get("/watches", headers=API).json()["items"]
    assert [watch["listing"] for watch in shown] == ["not checked yet", "not checked yet"]
    site.rollcall.run()
    shown = site.client.get("/watches", headers=API).json()["items"]
    assert [watch["listing"] for watch in shown] == ["listed", "unknown section"]


def test_kinds_and_seats_have_defaults(site: Site) -> None:
    watch = site.add().json()

    assert (watch["kinds"], watch["min_seats"]) == (list(DEFAULT_KINDS), 1)


def test_a_repetition_finds_the_watch_and_keeps_what_it_does_not_name(site: Site) -> None:
    first = site.add(kinds=["seat_available"], min_seats=3)
    again = site.add()

    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["location"] == first.headers["location"]


def test_a_repetition_brings_up_to_date_what_it_names(site: Site) -> None:
    site.add(kinds=["seat_available"], min_seats=3)
    again = site.add(min_seats=5).json()

    assert (again["kinds"], again["min_seats"]) == (["seat_available"], 5)
    assert site.add(kinds=["section_retired"]).json()["min_seats"] == 5


def test_current_is_null_while_the_catalog_says_only_that_it_has_no_such_section(site: Site) -> None:
    watch_id = site.add().json()["id"]
    site.rollcall.run()

    assert site.client.get(f"/watches/{watch_id}", headers=API).json()["current"] is None
    assert site.add().json()["current"] is None
    assert site.client.get("/watches", headers=API).json()["items"][0]["current"] is None
    section = site.client.get("/sections/scraper/2261/12431", headers=API).json()
    assert (section["observed_at"], section["misses"]) == (None, 1)


def test_what_was_seen_stays_current_when_the_catalog_loses_the_section(site: Site) -> None:
    site.add()
    site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(open_seats=2)
    site.rollcall.run()
    site.rollcall.catalog.rows.clear()
    site.rollcall.clock.advance(60)
    site.rollcall.run()

    assert site.add().json()["current"]["open_seats"] == 2


def test_an_address_that_a_spreadsheet_would_run_is_refused_by_name(site: Site) -> None:
    for email in ("=cmd|'/ccalc'!a0+@b.co", "+ada@example.edu", "-ada@example.edu", "@ada@example.edu"):
        answer = site.add(email=email)
        assert (answer.status_code, fields_of(answer)) == (422, {"email"})
        assert "does not begin with =, +, - or @" in answer.text
    assert site.count("watches") == 0


def test_current_reports_what_was_last_seen(site: Site) -> None:
    watch_id = site.add().json()["id"]
    site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(
        open_seats=2, capacity=30, instructor="Hopper, G"
    )
    site.rollcall.run()

    watch = site.client.get(f"/watches/{watch_id}", headers=API).json()

    assert watch["current"] == {
        "open_seats": 2,
        "capacity": 30,
        "instructor": "Hopper, G",
        "course": "CSE 100",
        "title": "Advanced Data Structures",
        "location": "WLH 2001",
        "meeting_times": "MWF 10:00-10:50",
        "observed_at": "2026-01-15T09:00:00.000Z",
        "retired": False,
    }
    assert site.add().json()["current"] == watch["current"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"email": "nobody"}, {"email"}),
        ({"email": "a@b"}, {"email"}),
        ({"email": "ünï@example.edu"}, {"email"}),
        ({"email": "ada@example.edu\nBcc: x@example.edu"}, {"email"}),
        ({"email": "a" * 70 + "@example.edu"}, {"email"}),
        ({"email": "ada@" + "x" * 5000 + ".edu"}, {"email"}),
        ({"email": None}, {"email"}),
        ({"email": ["ada@example.edu"]}, {"email"}),
        ({"term": " 2261"}, {"term"}),
        ({"term": "٢٢٦١"}, {"term"}),
        ({"term": ""}, {"term"}),
        ({"term": 2261}, {"term"}),
        ({"section": 12431}, {"section"}),
        ({"section": "1243\u0000"}, {"section"}),
        ({"section": "'; DROP TABLE watches;--"}, {"section"}),
        ({"section": "9" * 65}, {"section"}),
        ({"source": "elsewhere"}, {"source"}),
        ({"source": None}, {"source"}),
        ({"source": 1}, {"source"}),
        ({"kinds": []}, {"kinds"}),
        ({"kinds": ["seat_available", "seat_available"]}, {"kinds"}),
        ({"kinds": ["seats"]}, {"kinds"}),
        ({"kinds": "seat_available"}, {"kinds"}),
        ({"kinds": [["seat_available"]]}, {"kinds"}),
        ({"kinds": None}, {"kinds"}),
        ({"min_seats": 0}, {"min_seats"}),
        ({"min_seats": -1}, {"min_seats"}),
        ({"min_seats": 10_001}, {"min_seats"}),
        ({"min_seats": 2**63}, {"min_seats"}),
        ({"min_seats": 10**4000}, {"min_seats"}),
        ({"min_seats": 1.0}, {"min_seats"}),
        ({"min_seats": True}, {"min_seats"}),
        ({"min_seats": "2"}, {"min_seats"}),
        ({"colour": "green"}, {"colour"}),
        ({"email": "x", "term": "", "section": "?", "source": "?", "kinds": [], "min_seats": 0, "more": 1}, {
            *("email", "term", "section", "source", "kinds", "min_seats", "more")
        }),
    ],
)  # fmt: skip
def test_a_bad_field_is_named_and_nothing_is_stored(
    site: Site, changes: dict[str, Any], fields: set[str]
) -> None:
    answer = site.add(**changes)

    assert (answer.status_code, fields_of(answer)) == (422, fields)
    assert (site.count("watches"), site.count("sections")) == (0, 0)


def test_an_unknown_source_names_the_known_ones(site: Site) -> None:
    assert "scraper" in site.add(source="elsewhere").json()["errors"][0]["message"]


@pytest.mark.parametrize("field", ["email", "term", "section"])
def test_a_missing_field_is_named(site: Site, field: str) -> None:
    wanted = {name: value for name, value in GOOD.items() if name != field}

    answer = site.client.post("/watches", json=wanted, headers=API)

    assert (answer.status_code, fields_of(answer)) == (422, {field})


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", {"body"}),
        (b"{", {"body"}),
        (b"[]", {"body"}),
        (b"null", {"body"}),
        (b'"text"', {"body"}),
        (b"\xff\xfe", {"body"}),
        (b"[" * 60_000, {"body"}),
        (b'{"email":NaN}', {"body"}),
        (b'{"min_seats":Infinity}', {"body"}),
        (b'{"email":"a@example.edu","email":"b@example.edu"}', {"email"}),
        (b'{"email":"ada@example.edu","term":"2261","section":"\\ud800"}', {"section"}),
        (b'{"email":"ada@example.edu","term":"2261","section":"1","min_seats":1e400}', {"min_seats"}),
    ],
)
def test_a_body_that_is_no_sound_json_is_refused(site: Site, body: bytes, fields: set[str]) -> None:
    answer = site.client.post("/watches", content=body, headers=API | {"Content-Type": "application/json"})

    assert (answer.status_code, fields_of(answer)) == (422, fields)
    assert site.count("watches") == 0


def test_a_lone_surrogate_as_a_name_is_refused(site: Site) -> None:
    body = json.dumps(GOOD | {"\ud800": 1})

    answer = site.client.post("/watches", content=body, headers=API | {"Content-Type": "application/json"})

    assert (answer.status_code, fields_of(answer)) == (422, {"\\ud800"})


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": ""},
    ],
)
def test_another_type_of_body_is_refused(site: Site, headers: dict[str, str]) -> None:
    answer = site.client.post("/watches", content=json.dumps(GOOD), headers=API | headers)

    assert (answer.status_code, fields_of(answer)) == (415, set())
    assert site.count("watches") == 0


def test_a_charset_may_be_named(site: Site) -> None:
    headers = API | {"Content-Type": 'Application/JSON; charset="UTF-8"'}

    assert site.client.post("/watches", content=json.dumps(GOOD), headers=headers).status_code == 201


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_over_the_limit_is_refused(site: Site, is_chunked: bool) -> None:
    body = json.dumps(GOOD | {"x": "x" * 65_536}).encode()
    content = iter([body[:50_000], body[50_000:]]) if is_chunked else body

    answer = site.client.post("/watches", content=content, headers=API | {"Content-Type": "application/json"})

    assert (answer.status_code, fields_of(answer)) == (413, set())
    assert site.count("watches") == 0


def test_a_suppressed_address_is_refused_by_name(site: Site) -> None:
    site.rollcall.services.store.deliveries.record(
        "1", "bounced", provider_id=None, address="ada@example.edu", reason="no such user",
        now=site.rollcall.clock.now(),
    )  # fmt: skip

    answer = site.add()

    assert (answer.status_code, fields_of(answer)) == (422, {"email"})
    assert site.count("sections") == 0


def test_watches_come_in_pages_and_by_filter(site: Site) -> None:
    made = [site.add(section=str(number)).json()["id"] for number in range(1, 6)]
    other = site.add(email="bob@example.edu", section="3").json()["id"]
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        query = {"email": "ADA@example.edu", "section": "", "cursor": cursor, "limit": "2"}
        page = site.client.get("/watches", headers=API, params=query).json()
        seen += [watch["id"] for watch in page["items"]]
        cursor = page["next_cursor"]

    assert seen == made
    both = site.client.get("/watches", headers=API, params={"section": "3"}).json()["items"]
    assert [watch["id"] for watch in both] == [made[2], other]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("email=nobody", {"email"}),
        ("section=%27", {"section"}),
        ("cursor=1", {"cursor"}),
        ("cursor=cnVuczox", {"cursor"}),  # of the runs
        ("cursor=%00", {"cursor"}),
        ("cursor=d2F0Y2hlczo5OTk5OTk5OTk5OTk5OTk5OTk5OTk", {"cursor"}),  # beyond 64 bits
        ("cursor=d2F0Y2hlczowMQ", {"cursor"}),  # 01
        ("limit=0", {"limit"}),
        ("limit=501", {"limit"}),
        ("limit=%D9%A3", {"limit"}),  # an Arabic digit
        ("email=a@example.edu&email=b@example.edu", {"email"}),
        ("mail=x&sort=y", {"mail", "sort"}),
    ],
)
def test_a_bad_filter_is_named(site: Site, query: str, fields: set[str]) -> None:
    answer = site.client.get(f"/watches?{query}", headers=API)

    assert (answer.status_code, fields_of(answer)) == (422, fields)


def test_an_ended_watch_is_gone(site: Site) -> None:
    path = f"/watches/{site.add().json()['id']}"

    ended = site.client.delete(path, headers=API)

    assert (ended.status_code, ended.content) == (204, b"")
    assert site.client.get(path, headers=API).status_code == 404
    assert site.client.delete(path, headers=API).status_code == 404
    assert site.client.get("/watches", headers=API).json()["items"] == []
    assert site.add().status_code == 201


@pytest.mark.parametrize("watch_id", ["1", "0", "-1", "x", "1.0", "99999999999999999999", "%00", "%E2%91%A0"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_watch_is_not_found(site: Site, method: str, watch_id: str) -> None:
    answer = site.client.request(method, f"/watches/{watch_id}", headers=API)

    assert (answer.status_code, fields_of(answer)) == (404, set())


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/watches"), ("GET", "/watches"), ("GET", "/watches/1"), ("DELETE", "/watches/1"),
     ("POST", "/watches/import"), ("GET", "/sections/scraper/2261/1"), ("GET", "/notifications")],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, CRON, {"Authorization": "Bearer"}, {"Authorization": "Basic YTpi"}])
def test_the_api_is_not_for_strangers(site: Site, method: str, path: str, headers: dict[str, str]) -> None:
    answer = site.client.request(method, path, headers=headers)

    assert (answer.status_code, fields_of(answer)) == (401, set())


def test_a_watch_is_paused_and_resumed(site: Site) -> None:
    watch_id = site.add().json()["id"]
    paused = site.client.post(f"/watches/{watch_id}/pause", headers=API, json={"for": "7d"})
    assert (paused.status_code, paused.json()["paused_until"]) == (200, "2026-01-22T09:00:00.000Z")
    resumed = site.client.post(f"/watches/{watch_id}/resume", headers=API)
    assert (resumed.status_code, resumed.json()["paused_until"]) == (200, None)
    assert resumed.json() == site.client.get(f"/watches/{watch_id}", headers=API).json()
    records, _ = site.rollcall.services.store.audit.page(None, 9)
    assert [(each.entry.by, each.entry.action) for each in records] == [
        ("the API", "watch.resume"),
        ("the API", "watch.pause"),
        ("the API", "watch.add"),
    ]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"for"}),
        ({"for": "7"}, {"for"}),
        ({"for": "400d"}, {"for"}),
        ({"for": 7}, {"for"}),
        ({"for": "1d", "for_": "1d", "until": "x"}, {"for_", "until"}),
    ],
)
def test_a_pause_of_a_bad_length_is_named(site: Site, body: dict[str, object], fields: set[str]) -> None:
    watch_id = site.add().json()["id"]
    answer = site.client.post(f"/watches/{watch_id}/pause", headers=API, json=body)
    assert (answer.status_code, fields_of(answer)) == (422, fields)


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_a_watch_that_has_ended_is_neither_paused_nor_resumed(site: Site, verb: str) -> None:
    watch_id = site.add().json()["id"]
    site.client.delete(f"/watches/{watch_id}", headers=API)
    for number in (watch_id, 404):
        answer = site.client.post(f"/watches/{number}/{verb}", headers=API, json={"for": "1d"})
        assert answer.status_code == 404
    assert site.client.post(f"/watches/{watch_id}/{verb}", json={"for": "1d"}).status_code == 401
