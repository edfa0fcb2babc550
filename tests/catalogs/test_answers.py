from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from catalogs.answers import decode, distinct, joined, section_key
from domain.availability import SeatFacts, observation
from domain.catalog import PartialAnswerError, SchemaError
from domain.section import SectionKey

SEEN = observation(SectionKey("oak", "2261", "1"), datetime(2026, 1, 1, tzinfo=UTC), SeatFacts(own=1))


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": "text"}', b"[" * 100_000, b"\xff"])
def test_a_body_of_another_shape_is_a_schema_error_of_its_platform(body: bytes) -> None:
    with pytest.raises(SchemaError, match=r"^Oak's answer is not of the expected shape"):
        decode(body, dict[str, int], "Oak")


def test_a_number_that_identifies_no_section_is_a_schema_error_that_names_its_field() -> None:
    with pytest.raises(SchemaError, match=r"^Oak's field crn must be"):
        section_key("oak", "2261", "/12", "Oak's field crn")


def test_a_repeated_section_makes_an_answer_partial() -> None:
    other = replace(SEEN, key=SectionKey("oak", "2261", "2"))
    assert distinct([SEEN, other], "repeated") == [SEEN, other]
    with pytest.raises(PartialAnswerError, match=r"^repeated$"):
        distinct([SEEN, other, SEEN], "repeated")


def test_joined_texts_are_distinct_and_in_order() -> None:
    assert joined(["b", "", "a", "b"]) == "b; a"
