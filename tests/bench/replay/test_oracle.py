from __future__ import annotations

from collections import Counter

import pytest

from bench.replay.oracle import Mail, compare, expected, read_event
from bench.replay.season import Check, Reading, Timeline

ADA, BO = "ada@campus.test", "bo@campus.test"
FIRST = Mail(ADA, "seat_available", "12", 1)
SECOND = Mail(ADA, "seat_available", "12", 2)


def timeline(*seen: tuple[int, str]) -> Timeline:
    readings = tuple(Reading("CSE 1", "A01", instructor, seats, 40) for seats, instructor in seen)
    return Timeline(tuple(range(len(seen))), readings)


def mails(*seen: tuple[int, str], watchers: tuple[str, ...] = (ADA,)) -> Counter[Mail]:
    checks = [Check(time_ms, "even") for time_ms in range(len(seen))]
    return expected({"12": timeline(*seen)}, checks, {"12": watchers})


def test_the_first_observation_sends_no_mail() -> None:
    assert mails((5, "Ada")) == Counter()


def test_a_seat_that_opens_is_mailed() -> None:
    assert mails((0, "Staff"), (1, "Staff")) == Counter([FIRST])


def test_an_overdrawn_section_that_opens_is_mailed() -> None:
    assert mails((-3, "Staff"), (2, "Staff")) == Counter([FIRST])


def test_more_seats_in_an_open_section_are_no_news() -> None:
    assert mails((1, "Staff"), (7, "Staff")) == Counter()


def test_each_opening_is_an_episode() -> None:
    assert mails((0, "Staff"), (1, "Staff"), (0, "Staff"), (1, "Staff")) == Counter([FIRST, SECOND])


def test_an_opening_between_two_checks_is_not_seen() -> None:
    season = {"12": timeline((0, "Staff"), (1, "Staff"), (0, "Staff"))}
    assert expected(season, [Check(0, "even"), Check(1, "odd"), Check(2, "even")], {"12": [ADA]}) == Counter()


def test_a_named_instructor_in_place_of_staff_is_mailed() -> None:
    assert mails((0, "Staff"), (0, "Okoye, Ada")) == Counter([Mail(ADA, "instructor_assigned", "12", 1)])


@pytest.mark.parametrize("names", [("Okoye, Ada", "Staff"), ("Okoye, Ada", "Lim, Bo"), ("Staff", "Staff")])
def test_other_changes_of_instructor_are_no_news(names: tuple[str, str]) -> None:
    assert mails(*((0, name) for name in names)) == Counter()


def test_a_section_that_appears_late_starts_with_a_baseline() -> None:
    season = {"12": Timeline((10, 20), timeline((4, "Staff"), (0, "Staff")).readings)}
    checks = [Check(0, "even"), Check(10, "even"), Check(20, "even")]
    assert expected(season, checks, {"12": [ADA]}) == Counter()


def test_what_was_not_seen_is_no_news_until_the_next_check() -> None:
    season = {"12": timeline((0, "Staff"), (1, "Staff"), (1, "Staff"))}
    checks = [Check(time_ms, "even") for time_ms in range(3)]
    seen = {("12", 0), ("12", 2)}
    assert expected(season, checks, {"12": [ADA]}, seen) == Counter([FIRST])
    assert expected(season, checks, {"12": [ADA]}, {("12", 0)}) == Counter()


def test_every_watcher_is_mailed() -> None:
    assert mails((0, "Staff"), (1, "Staff"), watchers=(ADA, BO)) == Counter(
        [FIRST, FIRST._replace(address=BO)]
    )


def test_a_header_names_the_mail() -> None:
    event = "seat_available; source=scraper; term=S122; section=12; episode=2"
    assert read_event(ADA, event) == SECOND


def test_a_header_of_another_shape_is_refused() -> None:
    with pytest.raises(KeyError):
        read_event(ADA, "seat_available; term=S122")


def test_the_right_mails_are_clean() -> None:
    assert compare(Counter([FIRST, SECOND]), Counter([SECOND, FIRST])).is_clean


def test_a_mail_that_did_not_come_is_missing() -> None:
    comparison = compare(Counter([FIRST, SECOND]), Counter([FIRST]))
    assert comparison.missing == Counter([SECOND])
    assert not comparison.is_clean


def test_a_mail_that_no_one_wanted_is_unexpected_however_often_it_came() -> None:
    comparison = compare(Counter([FIRST]), Counter([FIRST, SECOND, SECOND]))
    assert (comparison.unexpected, comparison.doubled) == (Counter({SECOND: 2}), Counter())


def test_a_wanted_mail_that_came_twice_is_doubled() -> None:
    comparison = compare(Counter([FIRST]), Counter([FIRST, FIRST]))
    assert (comparison.doubled, comparison.unexpected, comparison.missing) == (
        Counter([FIRST]),
        Counter(),
        Counter(),
    )
