from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from urllib.parse import urlsplit

import pytest

from domain.observation import Details
from ingress.pages.html import render_page
from ingress.pages.unsubscribe import ask_watch
from notifications.unsubscribe_links import UnsubscribeLinks
from tests.ingress.site import PUBLIC_URL, Site, fields_of
from tests.support.harness import LINKS

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def _path(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}"


def _forms(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'action="([^"]+)"', html)]


def _active(site: Site) -> list[str]:
    found, _ = site.rollcall.services.store.watches.page(email=None, section=None, after=None, limit=99)
    return [f"{stored.watch.email} {stored.watch.key.number}" for stored in found]


def test_the_page_changes_nothing(site: Site) -> None:
    watch = site.rollcall.watch("12430")

    page = site.client.get(_path(LINKS.stop_watch(watch.id, "ada@example.edu")))

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "ada@example.edu" in page.text
    assert "12430" in page.text
    assert _active(site) == ["ada@example.edu 12430"]


def test_the_page_may_load_and_run_nothing(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    page = site.client.get(_path(LINKS.stop_watch(watch.id, "ada@example.edu")))
    policy = page.headers["content-security-policy"]

    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert "http" not in page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"


def test_one_click_ends_the_watch_and_no_other(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    site.rollcall.watch("12431")
    site.rollcall.watch("12430", "bob@example.edu")

    page = site.client.post(_path(LINKS.stop_watch(watch.id, "ada@example.edu")), data=ONE_CLICK)

    assert page.status_code == 200
    assert "12430" in page.text
    assert _active(site) == ["ada@example.edu 12431", "bob@example.edu 12430"]
    ended = site.rollcall.services.store.watches.get(watch.id)
    assert ended is not None
    assert ended.ended_reason == "unsubscribed"


def test_one_click_may_come_as_multipart_or_without_a_body(site: Site) -> None:
    for number, body in (("12430", {"files": {"List-Unsubscribe": (None, "One-Click")}}), ("12431", {})):
        watch = site.rollcall.watch(number)
        path = _path(LINKS.stop_watch(watch.id, "ada@example.edu"))
        assert site.client.post(path, **body).status_code == 200  # type: ignore[arg-type]

    assert _active(site) == []


def test_a_second_click_changes_nothing_more(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    path = _path(LINKS.stop_watch(watch.id, "ada@example.edu"))

    for _ in range(3):
        assert site.client.post(path, data=ONE_CLICK).status_code == 200
    assert "already ended" in site.client.get(path).text
    assert (site.count("opt_outs"), _active(site)) == (1, [])


def test_mail_stays_stopped_whichever_way_the_watch_comes_again(site: Site) -> None:
    site.rollcall.watch("12430")
    site.client.post(_path(LINKS.stop_everything("ada@example.edu")), data=ONE_CLICK)

    added = site.add(section="12430")
    assert (added.status_code, fields_of(added)) == (422, {"email"})
    imported = site.upload(
        "email,source,term,section\nada@example.edu,,2261,12430\nbob@example.edu,,2261,12430\n"
    )
    (rejected,) = imported.json()["rejected"]
    assert rejected["line"] == 2
    assert "the person stopped all mail; only they can allow it again" in rejected["error"]
    assert _active(site) == ["bob@example.edu 12430"]


def test_the_person_can_undo_what_they_stopped(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    site.rollcall.watch("12431")
    page = site.client.post(_path(LINKS.stop_watch(watch.id, "ada@example.edu")))
    everything, again = _forms(page.text)
    assert _active(site) == ["ada@example.edu 12431"]

    assert "One watch is active again" in site.client.post("/unsubscribe" + again).text
    assert sorted(_active(site)) == ["ada@example.edu 12430", "ada@example.edu 12431"]

    (allow,) = _forms(site.client.post("/unsubscribe" + everything).text)
    assert _active(site) == []
    asked = site.client.get("/unsubscribe" + allow)
    assert "Allow mail again?" in asked.text
    assert _active(site) == []
    assert _forms(asked.text) == [allow]
    assert "2 watches are active again" in site.client.post("/unsubscribe" + allow).text
    assert sorted(_active(site)) == ["ada@example.edu 12430", "ada@example.edu 12431"]


def test_every_link_says_that_all_mail_is_stopped_and_offers_to_undo_that(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    site.client.post(_path(LINKS.stop_everything("ada@example.edu")))
    for link in (LINKS.stop_watch(watch.id, "ada@example.edu"), LINKS.stop_everything("ada@example.edu")):
        page = site.client.get(_path(link))
        assert "All mail is stopped" in page.text
        assert "Allow mail again" in page.text
    undone = site.client.post(_path(LINKS.allow_watch(watch.id, "ada@example.edu")))
    assert "All mail is stopped" in undone.text


def test_all_mail_can_be_stopped_where_nothing_is_watched(site: Site) -> None:
    path = _path(LINKS.stop_everything("new@example.edu"))
    (form,) = _forms(site.client.get(path).text)
    assert "All mail is stopped" in site.client.post("/unsubscribe" + form).text
    assert site.add(email="new@example.edu").status_code == 422


def test_the_forms_of_the_page_do_what_they_say(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    site.rollcall.watch("12431")
    page = site.client.get(_path(LINKS.stop_watch(watch.id, "ada@example.edu")))
    this, everything = _forms(page.text)

    assert site.client.post("/unsubscribe" + this).status_code == 200
    assert _active(site) == ["ada@example.edu 12431"]
    assert site.client.post("/unsubscribe" + everything).status_code == 200
    assert _active(site) == []


def test_everything_of_one_person_stops(site: Site) -> None:
    for number in ("12430", "12431", "12432"):
        site.rollcall.watch(number)
    site.rollcall.watch("12430", "bob@example.edu")
    path = _path(LINKS.stop_everything("ada@example.edu"))

    asked = site.client.get(path)
    assert all(number in asked.text for number in ("12430", "12431", "12432"))
    assert len(_active(site)) == 4
    assert "3 watches have ended" in site.client.post(path, data=ONE_CLICK).text
    assert site.client.post(path, data=ONE_CLICK).status_code == 200
    assert _active(site) == ["bob@example.edu 12430"]


def test_a_link_for_another_address_ends_nothing(site: Site) -> None:
    watch = site.rollcall.watch("12430")

    page = site.client.post(_path(LINKS.stop_watch(watch.id, "old@example.edu")), data=ONE_CLICK)

    assert page.status_code == 200
    assert "12430" not in page.text
    assert "ada@" not in page.text
    assert _active(site) == ["ada@example.edu 12430"]


def test_what_mail_programs_add_to_the_link_is_ignored(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    path = _path(LINKS.stop_watch(watch.id, "ada@example.edu"))

    for added in ("&utm_source=mail", "&a=1&a=2&%ff=%ff", "&=&&x"):
        assert site.client.get(f"{path}{added}").status_code == 200
        assert site.client.post(f"{path}{added}", data=ONE_CLICK).status_code == 200
    assert _active(site) == []


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "query",
    ["", "?token=", "?token=forged", "?token=%00", "?token=%ff", "?token=a&token=b", "?token=" + "a" * 5000],
)
def test_a_forged_token_is_refused_by_name(site: Site, method: str, query: str) -> None:
    site.rollcall.watch("12430")

    answer = site.client.request(method, f"/unsubscribe{query}")

    assert (answer.status_code, fields_of(answer)) == (400, {"token"})
    assert _active(site) == ["ada@example.edu 12430"]


def test_a_token_of_another_secret_is_refused_with_a_page_for_people(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    forged = UnsubscribeLinks(PUBLIC_URL, "another secret").stop_watch(watch.id, "ada@example.edu")

    answer = site.client.post(_path(forged), headers={"Accept": "text/html,*/*;q=0.8"})

    assert answer.status_code == 400
    assert "This link does not work" in answer.text
    assert _active(site) == ["ada@example.edu 12430"]


def test_a_body_of_whatever_length_is_not_read(site: Site) -> None:
    watch = site.rollcall.watch("12430")
    path = _path(LINKS.stop_watch(watch.id, "ada@example.edu"))

    assert site.client.post(path, content=b"x" * 70_000).status_code == 200
    assert _active(site) == []


def test_what_a_catalog_wrote_is_shown_as_text(site: Site) -> None:

    stored = site.rollcall.watch("12430")
    state = replace(stored.section, details=Details(title="<script>alert(1)</script>"))
    page = bytes(
        render_page("unsubscribe.html.j2", page=ask_watch(replace(stored, section=state), "?a", "?b")).body
    )

    assert b"<script" not in page
    assert b"&lt;script&gt;" in page
