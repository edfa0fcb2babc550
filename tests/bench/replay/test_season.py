from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bench.replay.season import (
    DAY_MS,
    MINUTE_MS,
    Check,
    Season,
    first_midnight_ms,
    load,
    schedule,
)

HEADER = (
    "observed_at_ms,section_id,course,section_code,instructor,seats_available,seats_capacity,waitlist_count"
)


def season_of(folder: Path, *rows: str) -> Season:
    path = folder / "season.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join([HEADER, *rows, ""]))
    return load(path)


@pytest.fixture
def season(tmp_path: Path) -> Season:
    return season_of(
        tmp_path,
        "1000,083070,COGS 9,A01,Staff,60,60,0",
        "2000,083071,MATH 20C,B02,Staff,0,40,3",
        '3000,083070,COGS 9,A01,"Boyle, Mary E. T.",-2,60,1',
    )


def test_each_section_has_a_timeline_of_its_own(season: Season) -> None:
    assert {section: timeline.times_ms for section, timeline in season.items()} == {
        "083070": (1000, 3000),
        "083071": (2000,),
    }


def test_a_section_is_not_in_the_catalog_before_its_first_row(season: Season) -> None:
    assert season["083071"].at(1999) is None


def test_a_row_holds_from_its_own_moment_until_the_next_row(season: Season) -> None:
    seats = [reading and reading.seats_available for reading in map(season["083070"].at, (1000, 2999, 3000))]
    assert seats == [60, 60, -2]


def test_the_last_row_holds_for_ever(season: Season) -> None:
    reading = season["083070"].at(10**15)
    assert reading is not None
    assert (reading.course, reading.code, reading.instructor) == ("COGS 9", "A01", "Boyle, Mary E. T.")


def test_a_season_begins_at_the_midnight_before_its_first_row(tmp_path: Path) -> None:
    season = season_of(tmp_path, f"{5 * DAY_MS + 7},1,CSE 1,A,Staff,1,1,0")
    assert first_midnight_ms(season) == 5 * DAY_MS


def test_odd_sections_are_checked_half_a_cadence_after_even_ones() -> None:
    checks = schedule(0, days=1, cadence_minutes=60)
    assert [(check.time_ms // MINUTE_MS, check.stagger) for check in checks[:4]] == [
        (0, "even"),
        (30, "odd"),
        (60, "even"),
        (90, "odd"),
    ]


@pytest.mark.parametrize(("cadence_minutes", "count"), [(60, 48), (10, 288), (4, 720)])
def test_a_day_holds_two_checks_for_each_cadence(cadence_minutes: int, count: int) -> None:
    checks = schedule(DAY_MS, days=1, cadence_minutes=cadence_minutes)
    assert len(checks) == count
    assert all(DAY_MS <= check.time_ms < 2 * DAY_MS for check in checks)


def test_a_check_covers_the_sections_of_its_parity() -> None:
    assert Check(0, "even").covers("083070")
    assert not Check(0, "even").covers("083071")
    assert Check(0, "odd").covers("083071")
