from __future__ import annotations

import email
from dataclasses import replace
from datetime import UTC, datetime
from email.policy import default

from hypothesis import given
from hypothesis import strategies as st

from domain.notification import Attachment
from domain.observation import Details
from notifications.messages import Renderer, to_mime
from notifications.unsubscribe_links import UnsubscribeLinks
from tests.notifications.examples import NOTICE, RENDERER, message, notification

DATE = datetime(2026, 1, 15, 9, 31, tzinfo=UTC)


def test_a_letter_has_a_text_and_an_html_part_and_its_own_date() -> None:
    read = email.message_from_bytes(to_mime(message(), DATE).as_bytes(), policy=default)
    assert [part.get_content_type() for part in read.iter_parts()] == ["text/plain", "text/html"]
    assert read["Date"].datetime == DATE
    text = read.get_body(("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n") == message().text


def test_equal_letters_make_equal_bytes() -> None:
    assert to_mime(message(), DATE).as_bytes() == to_mime(message(), DATE).as_bytes()


def test_machine_read_headers_stay_on_one_line_however_long() -> None:
    links = UnsubscribeLinks(f"https://rollcall.{'very-' * 20}long.example.edu", "secret")
    mail = Renderer(RENDERER.sender, links).render(
        notification(email=f"{'a' * 60}@{'b' * 60}.edu"), NOTICE.observed_at
    )
    lines = to_mime(mail, DATE).as_bytes().decode().split("\r\n")
    assert f"List-Unsubscribe: {mail.headers['List-Unsubscribe']}" in lines
    assert f"X-Rollcall-Event: {mail.headers['X-Rollcall-Event']}" in lines
    assert f"Message-ID: {mail.headers['Message-ID']}" in lines


def test_everything_else_keeps_to_the_line_length_that_smtp_asks_for() -> None:
    lines = to_mime(message(details=Details("CSE 100", "Ünïcode " * 40)), DATE).as_bytes().split(b"\r\n")
    assert all(len(line) <= 78 or line.startswith((b"List-", b"X-")) for line in lines)
    assert all(line.isascii() and b"\n" not in line for line in lines)


def test_an_attachment_comes_after_the_text_and_leaves_the_bytes_equal() -> None:
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
