from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from catalogs.assessment import Counts, counts, slow, unusual
from domain.availability import SeatFacts, observation
from domain.catalog import Capabilities, CatalogTerm
from domain.observation import Details, Observation, SectionStatus
from domain.section import SectionKey

AT = datetime(2026, 9, 12, tzinfo=UTC)
FALL, SPRING = CatalogTerm("202710", "Fall"), CatalogTerm("202640", "Spring", is_view_only=True)
STATES = Capabilities(counts=True, status=True, waitlist=True)
NAMED = Details("ICS 111", "Programming")


def seen(number: int, details: Details = NAMED, **facts: Any) -> Observation:
    return observation(SectionKey("state", "202710", str(number)), AT, SeatFacts(**facts), details=details)


def several(count: int, **facts: Any) -> list[Observation]:
    return [seen(number, **facts) for number in range(count)]


ORDINARY = [*several(15, own=2, waitlist_places=1), seen(20, own=0, waitlist_places=0)]


def test_sections_are_counted_by_what_they_state() -> None:
    sections = [*ORDINARY, seen(30)]
    assert counts(sections) == Counts(sections=17, open=15, with_waitlist=15, unknown=1)


def test_an_ordinary_catalog_is_not_unusual() -> None:
    assert unusual([FALL, SPRING], FALL, ORDINARY, STATES) == []


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ([], "The query of 202710 found no sections."),
        ([*ORDINARY, seen(30)], "1 section of 17 state neither seats nor status."),
        (several(20, own=0, waitlist_places=0), "No section is open."),
        (several(20, own=1, waitlist_places=0), "Every section is open."),
        (several(2, status=SectionStatus.OPEN, waitlist_places=0), "No section states seats."),
        (several(2, own=1), "No section states waitlist places."),
        ([*ORDINARY, seen(30, Details("ICS 1"), own=1)], "1 section of 17 without course or title."),
        (
            [*ORDINARY, seen(30, own=0, status=SectionStatus.OPEN)],
            '1 section of 17 "open" without a free seat.',
        ),
    ],
)
def test_what_is_unusual_is_said(sections: list[Observation], said: str) -> None:
    assert unusual([FALL, SPRING], FALL, sections, STATES) == [said]


def test_a_term_without_registration_is_unusual() -> None:
    assert unusual([FALL, SPRING], SPRING, ORDINARY, STATES) == ["Registration for 202640 is over."]
    assert unusual([SPRING], SPRING, ORDINARY, STATES) == ["No listed term is open for registration."]


def test_slow_responses_are_unusual() -> None:
    assert slow(40, 4) == []
    assert slow(60, 4) == ["A response takes 15 s on average."]
    assert slow(0, 0) == []
