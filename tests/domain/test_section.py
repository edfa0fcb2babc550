from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.section import SectionKey, Stagger

GOOD = SectionKey("scraper", "2261", "12431")


@pytest.mark.parametrize(
    ("number", "is_even"),
    [("12430", True), ("12431", False), ("0", True), ("9", False), ("100A", True), ("1B", False)],
)
def test_parity_is_that_of_the_last_digit(number: str, is_even: bool) -> None:
    assert SectionKey("scraper", "2261", number).is_even is is_even


def test_a_number_without_any_digit_is_even() -> None:
    assert SectionKey("scraper", "2261", "HONORS").is_even


@given(st.integers(min_value=0, max_value=10**9))
def test_every_whole_number_has_its_own_parity(number: int) -> None:
    assert SectionKey("scraper", "2261", str(number)).is_even is (number % 2 == 0)


@given(st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=32))
def test_every_well_formed_number_is_accepted_and_has_a_parity(number: str) -> None:
    key = SectionKey("scraper", "2261", number)
    assert key.problems() == {}
    assert key.is_even in {True, False}


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        (SectionKey("", "2261", "12431"), ["source"]),
        (SectionKey("Scraper", "2261", "12431"), ["source"]),
        (SectionKey("1scraper", "2261", "12431"), ["source"]),
        (SectionKey("s" * 33, "2261", "12431"), ["source"]),
        (SectionKey("scraper", "", "12431"), ["term"]),
        (SectionKey("scraper", "22 61", "12431"), ["term"]),
        (SectionKey("scraper", "2" * 17, "12431"), ["term"]),
        (SectionKey("scraper", "2261", ""), ["section"]),
        (SectionKey("scraper", "2261", "12/431"), ["section"]),
        (SectionKey("scraper", "2261", "12431\n"), ["section"]),
        (SectionKey("scraper", "2261", "1243\u0661"), ["section"]),
        (SectionKey("scraper", "2261", "1" * 33), ["section"]),
        (SectionKey("", "", ""), ["source", "term", "section"]),
    ],
)
def test_each_bad_field_is_named(key: SectionKey, bad: list[str]) -> None:
    assert list(key.problems()) == bad


@pytest.mark.parametrize("separator", ["/", ";", " ", ":", "\r\n", "\x00", "\u2028"])
def test_no_field_of_a_well_formed_key_holds_a_separator(separator: str) -> None:
    for field in range(3):
        parts = ["scraper", "2261", "12431"]
        parts[field] += f"{separator}x"
        assert SectionKey(*parts).problems() != {}


def test_a_key_is_written_with_its_source_and_term() -> None:
    assert str(GOOD) == "scraper/2261/12431"


@pytest.mark.parametrize(
    "other",
    [
        SectionKey("campus", "2261", "12431"),
        SectionKey("scraper", "2262", "12431"),
        SectionKey("scraper", "2261", "12432"),
    ],
)
def test_another_source_term_or_number_is_another_section(other: SectionKey) -> None:
    assert other != GOOD
    assert str(other) != str(GOOD)
    assert len({other, GOOD}) == 2


def test_the_names_of_the_staggers_are_the_contracts() -> None:
    assert [stagger.value for stagger in Stagger] == ["even", "odd", "all", "budget"]
