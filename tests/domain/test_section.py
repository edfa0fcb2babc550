from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.section import SECTION_NUMBER, TERM, SectionKey, Stagger

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


@given(st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=64))
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
        (SectionKey("scraper", " 2261", "12431"), ["term"]),
        (SectionKey("scraper", "2" * 65, "12431"), ["term"]),
        (SectionKey("scraper", "2261", ""), ["section"]),
        (SectionKey("scraper", "2261", "/12431"), ["section"]),
        (SectionKey("scraper", "2261", "12431\n"), ["section"]),
        (SectionKey("scraper", "2261", "1243\u0661"), ["section"]),
        (SectionKey("scraper", "2261", "1" * 65), ["section"]),
        (SectionKey("", "", ""), ["source", "term", "section"]),
    ],
)
def test_each_bad_field_is_named(key: SectionKey, bad: list[str]) -> None:
    assert list(key.problems()) == bad


@pytest.mark.parametrize("character", ["\r\n", "\x00", "\x7f", "\xad", "\u2028", "\u202e", "\xa0", "\u0661"])
def test_no_field_of_a_valid_key_holds_an_invisible_character(character: str) -> None:
    for field in range(3):
        parts = ["scraper", "2261", "12431"]
        parts[field] += f"{character}x"
        assert SectionKey(*parts).problems() != {}


@pytest.mark.parametrize(
    ("term", "number"), [("2026/FA", "CIS-1200-001"), ("Fall 2026", "CIS 120/A"), ("Otoño", "1")]
)
def test_a_term_and_a_number_are_what_the_catalog_uses(term: str, number: str) -> None:
    assert SectionKey("elm", term, number).problems() == {}


@given(st.from_regex(TERM.pattern, fullmatch=True), st.from_regex(SECTION_NUMBER.pattern, fullmatch=True))
def test_every_key_is_found_by_its_path(term: str, number: str) -> None:
    key = SectionKey("elm", term, number)
    assert key.problems() == {}
    assert key.path.count("/") == 2
    assert key.path.isascii()
    assert SectionKey.parse(key.path) == key


@pytest.mark.parametrize(
    "path", ["", "elm/2026/FA/1", "elm/2026%2FFA", "elm//1", "elm/2261/%00", "Elm/2261/1"]
)
def test_other_paths_have_no_key(path: str) -> None:
    assert SectionKey.parse(path) is None


def test_a_slash_does_not_make_two_sections_one() -> None:
    one, other = SectionKey("elm", "2026/FA", "1"), SectionKey("elm", "2026", "FA/1")
    assert str(one) == str(other)
    assert one.path != other.path


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
