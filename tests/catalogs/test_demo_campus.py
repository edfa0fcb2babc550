from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalogs.demo_campus import TERM, DemoCampus
from domain.observation import UNASSIGNED, Missing, Observation
from domain.ports import Source
from domain.section import SectionKey
from tests.support.clock import FakeClock

MOMENTS = st.timedeltas(timedelta(0), timedelta(days=3650)).map(
    lambda passed: datetime(2025, 1, 1, tzinfo=UTC) + passed
)
MINUTE = timedelta(seconds=60)


def shown(at: datetime) -> dict[SectionKey, Observation]:
    outcomes = DemoCampus(FakeClock(at)).observe(DemoCampus.sections())
    return {seen.key: seen for seen in outcomes if isinstance(seen, Observation)}


def test_it_is_a_source() -> None:
    source: Source = DemoCampus(FakeClock())
    assert source.name == "campus"
    source.close()


def test_every_section_is_well_formed_and_distinct() -> None:
    keys = DemoCampus.sections()
    assert len(set(keys)) == len(keys) == 30
    assert all(key.source == "campus" and key.term == TERM and not key.problems() for key in keys)


def test_both_parities_have_sections() -> None:
    even = sum(key.is_even for key in DemoCampus.sections())
    assert even == 15


def test_every_section_is_described() -> None:
    details = [seen.details for seen in shown(FakeClock().now()).values()]
    assert all(d.course and d.title and d.location and d.meeting_times for d in details)
    assert len({(d.location, d.meeting_times) for d in details}) == 30


def test_the_whole_catalog_is_one_batch() -> None:
    keys = DemoCampus.sections()
    assert list(DemoCampus(FakeClock()).plan(reversed(keys))) == [sorted(keys)]


def test_nothing_to_check_makes_no_batch() -> None:
    assert list(DemoCampus(FakeClock()).plan([])) == []


def test_an_unknown_number_or_term_is_missing() -> None:
    clock = FakeClock()
    keys = [
        SectionKey("campus", TERM, "99999"),
        SectionKey("campus", "1999", DemoCampus.sections()[0].number),
    ]
    assert DemoCampus(clock).observe(keys) == [Missing(key, clock.now()) for key in keys]


@given(MOMENTS)
def test_the_same_moment_always_shows_the_same(at: datetime) -> None:
    assert shown(at) == shown(at)


@given(MOMENTS)
def test_open_seats_are_never_negative_and_never_above_capacity(at: datetime) -> None:
    for seen in shown(at).values():
        assert seen.open_seats is not None
        assert seen.capacity is not None
        assert 0 <= seen.open_seats <= seen.capacity


@given(MOMENTS)
def test_in_any_minute_several_full_sections_open_on_both_parities(at: datetime) -> None:
    before, after = shown(at), shown(at + MINUTE)
    opened = [key for key in before if before[key].open_seats == 0 and after[key].open_seats]
    assert len(opened) >= 3
    assert {key.is_even for key in opened} == {True, False}


@given(MOMENTS)
def test_in_any_minute_some_staff_becomes_a_name(at: datetime) -> None:
    before, after = shown(at), shown(at + MINUTE)
    assert any(before[key].instructor == UNASSIGNED and after[key].instructor for key in before)


@given(MOMENTS)
def test_some_sections_are_open_and_some_full_at_any_time(at: datetime) -> None:
    open_seats = [seen.open_seats for seen in shown(at).values()]
    assert 8 <= open_seats.count(0) <= 22


def test_one_section_stays_open_for_minutes_fills_seat_by_seat_and_opens_again() -> None:
    start = FakeClock().now()
    for key in DemoCampus.sections():
        seats = [shown(start + timedelta(seconds=10 * step))[key].open_seats or 0 for step in range(180)]
        steps = list(pairwise(seats))
        openings = sum(before == 0 < after for before, after in steps)
        assert openings in {2, 3}
        assert sum(map(bool, seats)) * 10 / openings >= 200
        assert all(before - after in {0, 1} for before, after in steps if before)
