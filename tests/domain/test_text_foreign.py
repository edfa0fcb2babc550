from datetime import timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.retry import LONGEST_NAMED_WAIT, retry_after_seconds
from domain.text import MAX_QUOTE, printable, quote
from tests.support.clock import FakeClock

NOW = FakeClock().now()


def test_text_becomes_one_printable_line() -> None:
    assert printable("  A\x00B\r\nC\ud800\x1b[31m ") == "A B C [31m"


@given(st.text())
def test_plain_text_is_printable_and_stays_as_it_is(text: str) -> None:
    assert printable(text).isprintable()
    assert printable(printable(text)) == printable(text)


def test_a_long_quote_is_cut_and_says_so() -> None:
    assert quote("x" * 5000, "secret") == "x" * (MAX_QUOTE - 1) + "…"


def test_a_quote_never_shows_the_secret_even_where_it_is_cut() -> None:
    quoted = quote("x" * (MAX_QUOTE - 5) + "hunter2-hunter2", "hunter2-hunter2")
    assert "hun" not in quoted


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        (" 0 ", 0.0),
        ("9" * 5000, LONGEST_NAMED_WAIT.total_seconds()),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0),
        (format_datetime(NOW + timedelta(days=1), usegmt=True), LONGEST_NAMED_WAIT.total_seconds()),
        ("Thu, 15 Jan 2026 09:00:30 -0000", 30.0),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", 1.5),
        ("soon", None),
        ("٣", None),
        ("Thu, 99 Jan 2026 09:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_spellings(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header, NOW) == seconds


@given(st.text())
def test_any_retry_after_is_survived(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or 0 <= seconds <= LONGEST_NAMED_WAIT.total_seconds()
