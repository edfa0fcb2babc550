from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.observation import UNASSIGNED, instructor, seats


@pytest.mark.parametrize(("count", "wanted"), [(None, None), (0, 0), (7, 7), (-1, 0), (-30, 0)])
def test_unknown_seats_stay_unknown_and_negative_ones_are_none_left(
    count: int | None, wanted: int | None
) -> None:
    assert seats(count) == wanted
    assert (seats(count) is None) is (count is None)


@pytest.mark.parametrize(
    "placeholder",
    [
        *("", " ", "Staff", "STAFF", " staff ", "TBA", "tba", "TBD", "To be announced", "to  be\tannounced"),
        *("To Be Determined", "Unassigned", "Staff; TBA", "Staff, Staff", "TBA,", ";", "; Staff;", " , "),
    ],
)
def test_a_placeholder_is_no_one(placeholder: str) -> None:
    assert instructor(placeholder) == UNASSIGNED


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Ada Lovelace", "Ada Lovelace"),
        ("  Ada   Lovelace ", "Ada Lovelace"),
        ("Lovelace, Ada", "Lovelace, Ada"),
        ("Lovelace, Ada; Hopper, Grace", "Lovelace, Ada; Hopper, Grace"),
        ("Staff; Hopper, Grace", "Hopper, Grace"),
        ("Lovelace, Ada;TBA ;Hopper, Grace", "Lovelace, Ada; Hopper, Grace"),
        ("Stafford, Ann", "Stafford, Ann"),
        ("Tbatha Quill", "Tbatha Quill"),
        ("Åsa Öberg", "Åsa Öberg"),
    ],
)
def test_names_are_kept_and_placeholders_among_them_left_out(name: str, wanted: str) -> None:
    assert instructor(name) == wanted


def test_an_instructor_that_the_source_does_not_report_is_unknown_and_not_no_one() -> None:
    assert instructor(None) is None


@given(st.text(max_size=60))
def test_a_spelling_is_final(name: str) -> None:
    once = instructor(name)
    assert once is not None
    assert instructor(once) == once


@given(st.lists(st.sampled_from(["Staff", "TBA", "Ada Lovelace", "Hopper, Grace"]), max_size=5))
def test_someone_teaches_exactly_when_a_name_is_given(people: list[str]) -> None:
    is_named = any(person not in {"Staff", "TBA"} for person in people)
    assert (instructor(";".join(people)) != UNASSIGNED) is is_named
