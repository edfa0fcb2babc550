"""Histories to report on: of the recorded season where it is there, and made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.replay.season import Season
from domain.history import HistoryEntry, ObservedPeriod, SectionHistory
from domain.observation import Details, instructor, seats
from domain.section import SectionKey

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT.parent / "shared" / "data" / "ucsd-summer1-2022.csv.gz"
START = datetime(2026, 1, 15, 0, 0, tzinfo=UTC)
DETAILS = Details("CSE 100", "Advanced Data Structures", "WLH 2001", "MWF 10:00-10:50")


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def history(
    *seats: tuple[float, int | None],
    number: str = "12430",
    until: float = 24,
    capacity: int | None = 30,
    details: Details = DETAILS,
    blind: tuple[tuple[float, float], ...] = (),
) -> SectionHistory:
    """Seats from an hour on, looked at until another, apart from the blind hours."""
    entries = [HistoryEntry(at(hour), count, capacity, "Ann") for hour, count in seats]
    spans = [ObservedPeriod(at(start), at(end)) for start, end in blind]
    key = SectionKey("scraper", "2261", number)
    return SectionHistory(key, details, entries, at(until) if seats else None, spans)


def recorded(season: Season, number: str) -> SectionHistory:
    """A section of the season, as if somebody had looked all the time."""
    timeline = season[number]
    entries = [
        HistoryEntry(
            datetime.fromtimestamp(time_ms / 1000, UTC),
            seats(reading.seats_available),
            reading.seats_capacity,
            instructor(reading.instructor),
        )
        for time_ms, reading in zip(timeline.times_ms, timeline.readings, strict=True)
    ]
    details = Details(timeline.readings[-1].course, "", "", "")
    key = SectionKey("scraper", "S122", number)
    return SectionHistory(key, details, entries, entries[-1].observed_at)
