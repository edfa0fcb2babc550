from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.observation import UNASSIGNED, Details, SectionStatus
from domain.text import format_time, one_line
from domain.watch import NotificationKind
from notifications.content import content_for
from tests.notifications.examples import NOTICE, notification

NOW = NOTICE.observed_at


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({"open_seats": 1}, "A seat is open: CSE 100 — Advanced Data Structures (section 12431)"),
        ({}, "3 seats are open: CSE 100 — Advanced Data Structures (section 12431)"),
        ({"open_seats": None, "details": Details("CSE 100")}, "A seat is open: CSE 100 (section 12431)"),
        ({"open_seats": 1, "details": Details()}, "A seat is open: Section 12431"),
        (
            {"kind": NotificationKind.INSTRUCTOR_ASSIGNED},
            "Now taught by Grace Hopper: CSE 100 — Advanced Data Structures (section 12431)",
        ),
        (
            {"kind": NotificationKind.SECTION_RETIRED},
            "No longer listed: CSE 100 — Advanced Data Structures (section 12431)",
        ),
        ({"is_counted": False, "open_seats": 1, "details": Details()}, "Seats are open: Section 12431"),
        (
            {"kind": NotificationKind.WAITLIST_AVAILABLE, "waitlist_places": 4, "details": Details()},
            "4 waitlist places are free: Section 12431",
        ),
        (
            {"kind": NotificationKind.WAITLIST_AVAILABLE, "waitlist_places": 1, "details": Details()},
            "A place on the waitlist is free: Section 12431",
        ),
        ({"kind": NotificationKind.SEAT_FILLED, "details": Details()}, "Full: Section 12431"),
        ({"kind": NotificationKind.SECTION_ADDED, "details": Details()}, "New section: Section 12431"),
    ],
)
def test_the_subject_states_the_event(changes: dict[str, object], subject: str) -> None:
    assert content_for(notification(**changes), NOW).subject == subject


@pytest.mark.parametrize(
    ("seats", "capacity", "content"),
    [
        (3, 30, "3 of 30 seats open"),
        (1, None, "1 open seat"),
        (3, None, "3 open seats"),
        (None, 30, "30 in total"),
        (None, None, None),
    ],
)
def test_seats_are_stated_as_far_as_known(
    seats: int | None, capacity: int | None, content: str | None
) -> None:
    assert (
        dict(content_for(notification(open_seats=seats, capacity=capacity), NOW).facts).get("Seats")
        == content
    )


def test_an_unassigned_instructor_is_stated_and_an_unknown_one_is_not() -> None:
    assert (
        dict(content_for(notification(instructor=UNASSIGNED), NOW).facts)["Instructor"]
        == "Staff (not yet assigned)"
    )
    assert "Instructor" not in dict(content_for(notification(instructor=None), NOW).facts)


def test_only_a_listed_section_has_an_enrolment_link() -> None:
    actions = [content_for(notification(kind=kind), NOW).action for kind in NotificationKind]
    assert actions == [
        "Enrol in section 12431",
        "Join the waitlist of section 12431",
        "See section 12431",
        "",
        "See section 12431",
        "Enrol in section 12431",
    ]


def test_the_time_states_its_zone() -> None:
    assert format_time(datetime(2026, 1, 15, 9, 30, tzinfo=UTC)) == "15 Jan 2026, 09:30 UTC"
    pacific = timezone(timedelta(hours=-8))
    assert format_time(datetime(2026, 1, 15, 20, 5, tzinfo=pacific)) == "16 Jan 2026, 04:05 UTC"


def test_long_text_is_shortened_and_line_breaks_become_spaces() -> None:
    assert one_line("Data\r\nStructures\x00\u202e II") == "Data Structures II"
    assert one_line("A" * 500, 80) == "A" * 79 + "…"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_plain_text_is_one_short_visible_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
    line.encode()


@pytest.mark.parametrize(
    ("age", "content"),
    [
        (timedelta(seconds=-30), ""),
        (timedelta(minutes=4, seconds=59), ""),
        (timedelta(minutes=25), " (25 minutes before this mail was written)"),
        (timedelta(minutes=119), " (119 minutes before this mail was written)"),
        (timedelta(hours=5, minutes=59), " (5 hours before this mail was written)"),
    ],
)
@pytest.mark.parametrize("kind", NotificationKind)
def test_an_old_observation_states_its_age(kind: NotificationKind, age: timedelta, content: str) -> None:
    wording = content_for(notification(kind=kind), NOW + age)
    assert dict(wording.facts)["Seen"] == f"15 Jan 2026, 09:30 UTC{content}"
    assert f"15 Jan 2026, 09:30 UTC{content}." in wording.preheader


def test_an_ended_term_is_one_message_for_all_its_watches() -> None:
    content = content_for(notification(kind=NotificationKind.SECTION_RETIRED, ended_watches=3), NOW)
    assert (content.subject, content.action) == ("Term 2261 has ended", "")
    assert content.lead.endswith("Your 3 watches on it have ended.")
    assert dict(content.facts) == {"Term": "2261", "Watches": "3"}
    assert (
        "Your watch on it"
        in content_for(notification(kind=NotificationKind.SECTION_RETIRED, ended_watches=1), NOW).lead
    )


def test_a_catalog_without_counts_never_has_one_seat() -> None:
    for kind in NotificationKind:
        content = content_for(notification(kind=kind, open_seats=1, capacity=None, is_counted=False), NOW)
        assert "1 " not in f"{content.subject} {content.lead} {dict(content.facts).get('Seats')}".replace(
            "section 1", ""
        )
    assert dict(content_for(notification(is_counted=False, open_seats=1), NOW).facts)["Seats"] == "open"
    assert dict(content_for(notification(is_counted=False, open_seats=0), NOW).facts)["Seats"] == "full"


@pytest.mark.parametrize(
    ("places", "length", "stated"),
    [
        (None, None, None),
        (0, 12, "no free place, 12 people wait"),
        (1, 1, "a free place, 1 person waits"),
        (4, None, "4 free places"),
        (None, 0, "0 people wait"),
    ],
)
def test_the_waitlist_is_stated_as_far_as_known(
    places: int | None, length: int | None, stated: str | None
) -> None:
    content = content_for(notification(waitlist_places=places, waitlist_length=length), NOW)
    assert dict(content.facts).get("Waitlist") == stated


@pytest.mark.parametrize(
    ("seats", "unreserved", "stated"),
    [(3, 3, "no, open to everyone"), (3, None, None), (0, 0, None), (3, 1, "all but 1")],
)
def test_reserved_seats_are_stated_as_far_as_known(
    seats: int, unreserved: int | None, stated: str | None
) -> None:
    content = content_for(notification(open_seats=seats, unreserved_seats=unreserved), NOW)
    assert dict(content.facts).get("Reserved") == stated


def test_the_time_of_the_catalogs_data_is_stated_in_its_zone() -> None:
    zone = timezone(timedelta(hours=-5), "EST")
    content = content_for(notification(as_of=NOW - timedelta(hours=12)), NOW, zone, "Temple University")
    assert "The catalog says this as of 14 Jan 2026, 16:30 EST;" in content.caution
    facts = dict(content.facts)
    assert (facts["As of"], facts["Seen"]) == (
        "14 Jan 2026, 16:30 EST, says the catalog",
        "15 Jan 2026, 04:30 EST",
    )
    assert facts["School"] == "Temple University"


def test_a_cancelled_section_says_so() -> None:
    facts = dict(content_for(notification(status=SectionStatus.CANCELLED), NOW).facts)
    assert facts["Status"] == "cancelled"


def test_a_new_section_states_its_seats() -> None:
    added = notification(kind=NotificationKind.SECTION_ADDED)
    assert content_for(added, NOW).lead == (
        "The catalog lists a new section of CSE 100. It has 3 of 30 seats open. "
        "Rollcall watches it for you now."
    )
    full = notification(kind=NotificationKind.SECTION_ADDED, open_seats=0, is_counted=False)
    assert "It is full." in content_for(full, NOW).lead
    assert content_for(full, NOW).action == "See section 12431"
