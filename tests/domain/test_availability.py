from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.availability import Availability, SeatFacts, availability
from domain.observation import SectionStatus

COUNTS = st.none() | st.integers(-500, 500)
FACTS = st.builds(
    SeatFacts,
    own=COUNTS,
    pool=COUNTS,
    unreserved=COUNTS,
    capacity=COUNTS,
    status=st.none() | st.sampled_from(SectionStatus),
    waitlist_places=COUNTS,
    waitlist_length=COUNTS,
)


@given(FACTS)
def test_a_seat_is_open_only_if_every_known_count_is_positive_and_the_status_permits_it(
    facts: SeatFacts,
) -> None:
    if (availability(facts).open_seats or 0) > 0:
        assert all(count is None or count > 0 for count in (facts.own, facts.pool, facts.unreserved))
        assert facts.status in {None, SectionStatus.OPEN}


@given(FACTS)
def test_no_count_is_negative(facts: SeatFacts) -> None:
    found = availability(facts)
    assert (found.open_seats or 0) >= 0
    assert (found.waitlist_places or 0) >= 0


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (SeatFacts(), Availability(None, None)),
        (SeatFacts(own=31, pool=233), Availability(31, None)),
        (SeatFacts(own=31, pool=0), Availability(0, None)),
        (SeatFacts(own=12, unreserved=-2), Availability(0, None)),
        (SeatFacts(own=0, waitlist_places=5), Availability(0, 5)),
        (SeatFacts(own=1, status=SectionStatus.CLOSED, waitlist_places=5), Availability(0, 0)),
        (SeatFacts(own=3, status=SectionStatus.CANCELLED), Availability(0, 0)),
        (SeatFacts(own=3, status=SectionStatus.WAITLIST), Availability(0, 1)),
        (SeatFacts(status=SectionStatus.OPEN), Availability(1, None, is_counted=False)),
        (SeatFacts(status=SectionStatus.WAITLIST), Availability(0, 1, is_counted=False)),
        (SeatFacts(status=SectionStatus.CLOSED), Availability(0, 0, is_counted=False)),
    ],
)
def test_availability_follows_from_counts_and_status(facts: SeatFacts, expected: Availability) -> None:
    assert availability(facts) == expected
