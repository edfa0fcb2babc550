from __future__ import annotations

from notifications.messages import ReportMessage

LETTERS = ReportMessage("Rollcall <rollcall@example.edu>")


def test_a_report_travels_as_an_attachment_to_whoever_ordered_it() -> None:
    message = LETTERS.write("ada@example.edu", "2261", ["12430", "12431"], b"%PDF-", "job-1")

    assert (message.to, message.subject) == ("ada@example.edu", "Your seat history for term 2261")
    assert "term 2261: sections 12430, 12431." in message.text
    assert "term 2261: sections 12430, 12431." in message.html
    (attached,) = message.attachments
    assert (attached.name, attached.content_type, attached.content) == (
        "seat-history-2261.pdf",
        "application/pdf",
        b"%PDF-",
    )


def test_the_same_report_makes_the_same_letter_and_another_one_another() -> None:
    first, same, other = (
        LETTERS.write("ada@example.edu", "2261", ["12430"], b"%PDF-", identity)
        for identity in ("job-1", "job-1", "job-2")
    )
    assert first == same
    assert first.headers["Message-ID"] != other.headers["Message-ID"]
    assert first.headers["Message-ID"].endswith("@example.edu>")
