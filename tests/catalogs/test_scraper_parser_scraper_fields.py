import pytest

from catalogs.scraper_parser import observation
from domain.errors import MalformedResponseError
from domain.observation import UNASSIGNED, Details, Observation
from domain.section import SectionKey
from tests.standins.scraper import DATA
from tests.support.clock import FakeClock

KEY = SectionKey("scraper", "2261", "12431")
NOW = FakeClock().now()


def seen(**fields: object) -> Observation:
    return observation(KEY, DATA | fields, NOW)


def test_the_agreed_fields_become_an_observation() -> None:
    assert seen() == Observation(
        key=KEY,
        observed_at=NOW,
        open_seats=3,
        capacity=40,
        instructor="Ada Okoye",
        details=Details("CSE 110", "Principles of Programming", "Tempe - COOR 170", "MW 10:30-11:45"),
    )


def test_non_reserved_seats_count_when_they_are_told() -> None:
    assert seen(seats_available=7, non_reserved_seats=0).open_seats == 0
    assert seen(seats_available=7, non_reserved_seats=2).open_seats == 2
    assert seen(seats_available=7, non_reserved_seats=None).open_seats == 7


def test_overdrawn_sections_have_no_seats() -> None:
    assert seen(seats_available=-84).open_seats == 0
    assert seen(non_reserved_seats=-1).open_seats == 0


@pytest.mark.parametrize(("told", "known"), [(None, None), ("", UNASSIGNED), ("Staff", UNASSIGNED)])
def test_an_untold_instructor_is_unknown_and_staff_is_nobody(told: str | None, known: str | None) -> None:
    assert seen(instructor=told).instructor == known


def test_untold_place_and_time_are_empty() -> None:
    details = seen(location=None, meeting_times=None).details
    assert (details.location, details.meeting_times) == ("", "")


def test_text_is_made_plain() -> None:
    assert seen(title="Data\x00\r\n Structures \ud83d").details.title == "Data Structures"


def test_fields_that_the_service_adds_are_passed_over() -> None:
    assert seen(waitlist=4) == seen()


@pytest.mark.parametrize("field", sorted(DATA))
def test_a_missing_field_is_named(field: str) -> None:
    data = {name: value for name, value in DATA.items() if name != field}
    with pytest.raises(MalformedResponseError, match=f"^{field}: is missing$"):
        observation(KEY, data, NOW)


@pytest.mark.parametrize("field", ["seats_available", "seats_capacity", "non_reserved_seats"])
@pytest.mark.parametrize("value", ["4", "", True, 4.0, float("nan"), [], {}, 10**9, -(10**9)])
def test_counts_must_be_whole_and_plausible_numbers(field: str, value: object) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: "):
        seen(**{field: value})


@pytest.mark.parametrize("field", ["seats_available", "seats_capacity", "subject", "catalog_nbr", "title"])
def test_fields_that_must_be_told_may_not_be_null(field: str) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: must be"):
        seen(**{field: None})


@pytest.mark.parametrize("field", ["subject", "title", "instructor", "location", "meeting_times"])
@pytest.mark.parametrize("value", [7, True, ["a"], {}, "x" * 1001])
def test_text_must_be_text_of_a_sane_length(field: str, value: object) -> None:
    with pytest.raises(MalformedResponseError, match=f"^{field}: "):
        seen(**{field: value})
