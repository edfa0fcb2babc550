from __future__ import annotations

import email
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.policy import default
from html.parser import HTMLParser
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInputError
from domain.notification import Attachment, OutboundMessage
from domain.observation import Details
from domain.section import SECTION_NUMBER, TERM, SectionKey
from domain.watch import NotificationKind
from notifications.messages import Renderer, ReportMessage, to_mime
from notifications.unsubscribe_links import UnsubscribeLinks
from tests.notifications.examples import LINKS, NOTICE, RENDERER, message, notification

NOW = NOTICE.observed_at

HOSTILE = st.text(max_size=300) | st.sampled_from(
    ["<script>alert(1)</script>", "Data\r\nBcc: all@example.edu", "{{ 7 * 7 }}", "a" * 5000, '"><img src=x>']
)


class Elements(HTMLParser):
    """Every element of a page, and the text that people see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.shown = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("kind", NotificationKind)
def test_the_same_notification_makes_the_same_message(kind: NotificationKind) -> None:
    other = Renderer(RENDERER.sender, RENDERER.links, RENDERER.enrol_url)
    assert RENDERER.render(notification(kind=kind), NOW) == other.render(notification(kind=kind), NOW)


@pytest.mark.parametrize("kind", NotificationKind)
@pytest.mark.parametrize("part", ["text", "html"])
def test_both_parts_have_everything_a_student_needs(kind: NotificationKind, part: str) -> None:
    shown = getattr(message(kind=kind), part)
    wanted = ["CSE 100", "Advanced Data Structures", "12431", "2261", "Grace Hopper", "Center Hall 101"]
    wanted += ["MoWeFr 10:00-10:50", "15 Jan 2026, 09:30 UTC"]
    wanted += [LINKS.stop_watch(7, "ada@example.edu"), LINKS.stop_everything("ada@example.edu")]
    assert [text for text in wanted if text not in shown] == []


def test_the_enrolment_link_names_source_term_and_section() -> None:
    url = "https://enrol.example.edu/scraper/2261?class=12431"
    assert url in message().text
    assert url in [link["href"] for link in Elements(message().html).named("a")]
    assert url not in message(kind=NotificationKind.SECTION_RETIRED).text


def test_without_an_enrolment_link_the_message_names_the_section() -> None:
    mail = Renderer(RENDERER.sender, LINKS).render(notification(), NOW)
    for part in (mail.text, Elements(mail.html).shown):
        assert "section 12431 in term 2261" in " ".join(part.split())


def test_an_unknown_fact_is_omitted() -> None:
    mail = message(details=Details(), open_seats=None, capacity=None, instructor=None)
    for part in (mail.text, mail.html, mail.subject):
        assert "None" not in part
    assert not re.search(r"^\w+:\s*$", mail.text.partition("Enrol in")[0], re.MULTILINE)
    assert not re.search(r"<td[^>]*>\s*</td>", mail.html)
    assert "Place" not in mail.text


def test_the_text_wraps_and_leaves_links_whole() -> None:
    lines = message().text.splitlines()
    assert all(len(line) <= 72 or line.startswith("https://") for line in lines)


def test_the_text_keeps_the_signature_separator() -> None:
    assert "\n-- \n" in message().text


@pytest.mark.parametrize("kind", NotificationKind)
def test_the_page_is_accessible_and_loads_nothing(kind: NotificationKind) -> None:
    page = Elements(message(kind=kind).html)
    assert page.named("html") == [{"lang": "en", "dir": "ltr"}]
    assert len(page.named("h1")) == 1
    assert all(table["role"] == "presentation" for table in page.named("table"))
    assert not [tag for tag, _ in page.found if tag in {"img", "script", "link", "iframe"}]
    assert {"name": "color-scheme", "content": "light dark"} in page.named("meta")


def test_the_headers_let_mailboxes_unsubscribe_with_one_click() -> None:
    headers = message().headers
    assert headers["List-Unsubscribe"] == f"<{LINKS.stop_watch(7, 'ada@example.edu')}>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_the_event_header_is_machine_readable() -> None:
    wanted = "seat_available; source=scraper; term=2261; section=12431; episode=2"
    assert message().headers["X-Rollcall-Event"] == wanted


@given(st.from_regex(TERM.pattern, fullmatch=True), st.from_regex(SECTION_NUMBER.pattern, fullmatch=True))
def test_the_event_header_states_any_section(term: str, number: str) -> None:
    mail = message(key=SectionKey("elm", term, number))
    sent = email.message_from_bytes(to_mime(mail, DATE).as_bytes(), policy=default)
    _, *stated = sent["X-Rollcall-Event"].split("; ")
    assert {name: unquote(value) for name, _, value in (each.partition("=") for each in stated)} == {
        "source": "elm",
        "term": term,
        "section": number,
        "episode": "2",
    }


def test_each_notification_has_its_own_message_id_in_the_domain_of_the_sender() -> None:
    ids = {
        mail.headers["Message-ID"]
        for mail in (message(), message(), message(id=42), message(email="b@c.edu"))
    }
    assert len(ids) == 3
    assert all(re.fullmatch(r"<[0-9a-f]{32}@example\.edu>", each) for each in ids)


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_hostile_catalog_text_changes_neither_structure_nor_headers(
    course: str, title: str, place: str, times: str, instructor: str
) -> None:
    mail = message(details=Details(course, title, place, times), instructor=instructor)
    usual = [tag for tag, _ in Elements(message().html).found if tag not in {"tr", "td", "br"}]
    assert [tag for tag, _ in Elements(mail.html).found if tag not in {"tr", "td", "br"}] == usual
    assert_sendable(mail)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_a_hostile_identity_changes_no_headers(source: str, term: str, number: str) -> None:
    assert_sendable(message(key=SectionKey(source, term, number)))


def assert_sendable(mail: OutboundMessage) -> None:
    assert len(mail.subject) < 250
    assert all(value.isprintable() for value in (mail.subject, *mail.headers.values()))
    (mail.subject + mail.text + mail.html).encode()


@pytest.mark.parametrize("sender", ["", "Rollcall", "Rollcall <rollcall>", "a@b.edu\r\nBcc: c@d.edu"])
def test_an_invalid_sender_is_refused(sender: str) -> None:
    with pytest.raises(InvalidInputError, match="sender"):
        Renderer(sender, LINKS)


@pytest.mark.parametrize(
    "url",
    ["", "enrol.example.edu", "javascript:alert({section})", "ftp://a.edu/{section}", "https://a.edu/{crn}"],
)
def test_an_invalid_enrolment_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="enrol_url"):
        Renderer("rollcall@example.edu", LINKS, url)


def test_times_are_in_the_configured_zone() -> None:
    zoned = Renderer(RENDERER.sender, RENDERER.links, RENDERER.enrol_url, ZoneInfo("America/Los_Angeles"))
    mail = zoned.render(notification(), NOW)
    for part in (mail.text, mail.html):
        assert "15 Jan 2026, 01:30 PST" in " ".join(part.split())
        assert "UTC" not in part
    assert mail.headers == RENDERER.render(notification(), NOW).headers


DATE = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)


def test_a_mime_message_has_a_text_part_an_html_part_and_a_date() -> None:
    read = email.message_from_bytes(to_mime(message(), DATE).as_bytes(), policy=default)
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert read["Date"].datetime == DATE
    text = read.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == message().text


def test_equal_messages_make_equal_bytes() -> None:
    assert to_mime(message(), DATE).as_bytes() == to_mime(message(), DATE).as_bytes()


def test_machine_readable_headers_stay_on_one_line() -> None:
    links = UnsubscribeLinks(f"https://rollcall.{'very-' * 20}long.example.edu", "secret")
    mail = Renderer(RENDERER.sender, links).render(
        notification(email=f"{'a' * 60}@{'b' * 60}.edu"), NOTICE.observed_at
    )
    lines = to_mime(mail, DATE).as_bytes().decode().split("\r\n")
    assert f"List-Unsubscribe: {mail.headers['List-Unsubscribe']}" in lines
    assert f"X-Rollcall-Event: {mail.headers['X-Rollcall-Event']}" in lines
    assert f"Message-ID: {mail.headers['Message-ID']}" in lines


def test_other_lines_keep_to_the_line_length_of_smtp() -> None:
    lines = to_mime(message(details=Details("CSE 100", "Ünïcode " * 40)), DATE).as_bytes().split(b"\r\n")
    assert all(len(line) <= 78 or line.startswith((b"List-", b"X-")) for line in lines)
    assert all(line.isascii() and b"\n" not in line for line in lines)


def test_an_attachment_follows_the_text_and_keeps_the_bytes_equal() -> None:
    carried = replace(message(), attachments=(Attachment("a.pdf", "application/pdf", b"%PDF-\x00\xff"),))
    sent = to_mime(carried, DATE).as_bytes()
    read = email.message_from_bytes(sent, policy=default)

    assert [part.get_content_type() for part in read.iter_parts()] == [
        "multipart/alternative",
        "application/pdf",
    ]
    (attached,) = read.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("a.pdf", b"%PDF-\x00\xff")
    assert to_mime(carried, DATE).as_bytes() == sent


@given(st.text(max_size=200))
def test_no_title_can_add_a_header(title: str) -> None:
    mail = message(details=Details("CSE 100", title))
    read = email.message_from_bytes(to_mime(mail, DATE).as_bytes(), policy=default)
    assert sorted(read.keys()) == sorted(to_mime(message(), DATE).keys())
    assert read["Subject"] == mail.subject


REPORTS = ReportMessage("Rollcall <rollcall@example.edu>")


def test_a_report_is_attached_to_a_message_to_its_customer() -> None:
    sent = REPORTS.write("ada@example.edu", "2261", ["12430", "12431"], b"%PDF-", "job-1")

    assert (sent.to, sent.subject) == ("ada@example.edu", "Your seat history for term 2261")
    assert "term 2261: sections 12430, 12431." in sent.text
    assert "term 2261: sections 12430, 12431." in sent.html
    (attached,) = sent.attachments
    assert (attached.name, attached.content_type, attached.content) == (
        "seat-history-2261.pdf",
        "application/pdf",
        b"%PDF-",
    )


def test_each_report_has_its_own_message_that_never_changes() -> None:
    first, same, other = (
        REPORTS.write("ada@example.edu", "2261", ["12430"], b"%PDF-", identity)
        for identity in ("job-1", "job-1", "job-2")
    )
    assert first == same
    assert first.headers["Message-ID"] != other.headers["Message-ID"]
    assert first.headers["Message-ID"].endswith("@example.edu>")
