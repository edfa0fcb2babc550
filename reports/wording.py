"""The words of a report: lengths, times, people."""

from __future__ import annotations

from datetime import timedelta

from domain.history import InstructorChange, ObservedPeriod, Opening
from domain.observation import UNASSIGNED
from domain.text import format_time, one_line

NAME_LIMIT = 60
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def duration(length: timedelta) -> str:
    """`length` for people, in its two largest units: "2 d 4 h", "35 min", "under 1 min"."""
    seconds = int(length.total_seconds())
    if seconds < _MINUTE:
        return "under 1 min"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        return _two(seconds // _HOUR, "h", seconds % _HOUR // _MINUTE, "min")
    return _two(seconds // _DAY, "d", seconds % _DAY // _HOUR, "h")


def person(name: str) -> str:
    """Who teaches; a section that nobody teaches yet says so."""
    return "nobody yet" if name == UNASSIGNED else one_line(name, NAME_LIMIT)


def between(span: ObservedPeriod) -> str:
    """From when to when; one moment where it has no length."""
    if span.start == span.end:
        return format_time(span.start)
    return f"{format_time(span.start).removesuffix(' UTC')} to {format_time(span.end)}"


def opening_row(opening: Opening) -> tuple[str, str, str]:
    """Since when, the most seats, and how long, with what is not known of it."""
    since = format_time(opening.span.start) if opening.is_new else f"before {format_time(opening.span.start)}"
    stood = duration(opening.span.length)
    if not opening.span.length:
        stood = "seen open once"
    elif not opening.has_ended:
        stood = f"{stood}, and still open"
    elif not opening.is_certain:
        stood = f"at most {stood}, not observed all the time"
    elif not opening.is_new:
        stood = f"at least {stood}"
    return since, str(opening.most), stood


def change_row(change: InstructorChange) -> tuple[str, str, str]:
    """When it was seen, who taught before, and who after."""
    return format_time(change.at), person(change.before), person(change.after)


def _two(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large} {unit} {small} {small_unit}" if small else f"{large} {unit}"
