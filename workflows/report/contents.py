"""The contents of a report, in text and numbers, and their rendering as one HTML document.

The template only arranges the contents. The document is self-contained: it embeds its styles and drawings.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from domain.history import (
    InstructorChange,
    ObservedPeriod,
    Opening,
    SectionHistory,
    instructor_changes,
    openings,
)
from domain.observation import UNASSIGNED
from domain.text import format_duration, format_time, one_line
from workflows.report.chart import Chart, chart_of

NAME_LIMIT = 60
_MINUTE = timedelta(minutes=1)


def duration(length: timedelta) -> str:
    """Format `length` in its two largest units: "2 d 4 h", "35 min", "under 1 min"."""
    return "under 1 min" if length < _MINUTE else format_duration(length // _MINUTE * _MINUTE)


def person(name: str) -> str:
    """Return the instructor's name, or a text that no instructor is listed."""
    return "not assigned" if name == UNASSIGNED else one_line(name, NAME_LIMIT)


def between(span: ObservedPeriod) -> str:
    """Format a time span; a single time where it has no length."""
    if span.start == span.end:
        return format_time(span.start)
    return f"{format_time(span.start).removesuffix(' UTC')} to {format_time(span.end)}"


def opening_row(opening: Opening) -> tuple[str, str, str]:
    """Return an opening's start, maximum seats and duration, marking what is unknown."""
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
    return since, str(opening.max_seats), stood


def change_row(change: InstructorChange) -> tuple[str, str, str]:
    """Return when a change was seen, and the instructors before and after it."""
    return format_time(change.at), person(change.before), person(change.after)


MOST_ROWS = 40  # of one section's openings, changes or gaps
UNKNOWN = "—"
_TITLE_LIMIT = 90


@dataclass(frozen=True, slots=True)
class TermFigures:
    """Totals of a term's watched sections, until the day before `until`."""

    sections: int
    openings_median: float
    open_share_median: float
    until: datetime


@dataclass(frozen=True, slots=True)
class Rows:
    """The newest rows of a table, and the number of older rows left out."""

    shown: Sequence[tuple[str, ...]]
    left_out: int


@dataclass(frozen=True, slots=True)
class SectionPage:
    """One section. Texts are plain; `UNKNOWN` stands for unknown values."""

    number: str
    course: str
    title: str
    place: str
    instructor: str
    seats: str
    observed: str
    polled_time: str
    openings: str
    open_share: str
    typical: str
    longest: str
    chart: Chart | None
    opening_rows: Rows
    change_rows: Rows
    blind_rows: Rows


@dataclass(frozen=True, slots=True)
class Contents:
    """The whole report."""

    term: str
    made_at: str
    collected: str
    pages: Sequence[SectionPage]
    never_observed: str
    term_note: str


def contents_of(
    term: str, histories: Sequence[SectionHistory], figures: TermFigures | None, made_at: datetime
) -> Contents:
    """Build the report on `histories`, which belong to one term."""
    spans = [history.observed for history in histories if history.observed is not None]
    return Contents(
        term=one_line(term),
        made_at=format_time(made_at),
        collected=between(ObservedPeriod(min(s.start for s in spans), max(s.end for s in spans)))
        if spans
        else UNKNOWN,
        pages=[_page(history) for history in histories],
        never_observed=_never_observed(histories),
        term_note="" if figures is None else _term_note(figures),
    )


def _page(history: SectionHistory) -> SectionPage:
    found = openings(history)
    ended = [each.span.length for each in found if each.is_new and each.has_ended and each.is_certain]
    details, seen = history.details, history.observed
    return SectionPage(
        number=one_line(history.key.number),
        course=one_line(details.course, NAME_LIMIT),
        title=one_line(details.title, _TITLE_LIMIT),
        place=" · ".join(one_line(part) for part in (details.meeting_times, details.location) if part),
        instructor=_last_instructor(history),
        seats=_last_seats(history),
        observed=UNKNOWN if seen is None else between(seen),
        polled_time=UNKNOWN if seen is None else duration(history.polled_time),
        openings=_count(history, found),
        open_share=_open_share(history, found),
        typical=duration(_median(ended)) if ended else UNKNOWN,
        longest=duration(max(ended)) if ended else UNKNOWN,
        chart=chart_of(history),
        opening_rows=_rows([opening_row(each) for each in found]),
        change_rows=_rows([change_row(each) for each in instructor_changes(history)]),
        blind_rows=_rows([(between(each), duration(each.length)) for each in history.blind]),
    )


def _median(lengths: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(length.total_seconds() for length in lengths))


def _rows(rows: Sequence[tuple[str, ...]]) -> Rows:
    return Rows(list(reversed(rows[-MOST_ROWS:])), max(len(rows) - MOST_ROWS, 0))


def _last_instructor(history: SectionHistory) -> str:
    named = [seen.instructor for seen in history.entries if seen.instructor is not None]
    return person(named[-1]) if named else UNKNOWN


def _last_seats(history: SectionHistory) -> str:
    if history.observed is None:
        return UNKNOWN
    last = history.entries[-1]
    if last.open_seats is None:
        return UNKNOWN
    return str(last.open_seats) if last.capacity is None else f"{last.open_seats} of {last.capacity}"


def _count(history: SectionHistory, found: Sequence[Opening]) -> str:
    """Return the number of openings; a single observation cannot count any."""
    return str(sum(each.is_new for each in found)) if history.polled_time else UNKNOWN


def _open_share(history: SectionHistory, found: Sequence[Opening]) -> str:
    """Return the share of the observed time with open seats."""
    if not history.polled_time or all(seen.open_seats is None for seen in history.entries):
        return UNKNOWN
    stood = sum((history.known(each.span) for each in found), timedelta(0))
    return f"{stood / history.polled_time:.0%}"


def _never_observed(histories: Sequence[SectionHistory]) -> str:
    numbers = [one_line(history.key.number) for history in histories if history.observed is None]
    if len(numbers) < 2:  # noqa: PLR2004 - one, or several
        return "".join(f"section {number}" for number in numbers)
    return f"sections {', '.join(numbers[:-1])} and {numbers[-1]}"


def _term_note(figures: TermFigures) -> str:
    return (
        f"Of the {figures.sections} sections of this term that Rollcall observed until "
        f"{format_time(figures.until)}, the one in the middle opened {figures.openings_median:g} times "
        f"and had open seats for {figures.open_share_median:.0%} of the time."
    )


if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES = Path(__file__).parent / "templates"


def render_html(contents: Contents) -> str:
    """Render the document. The same contents render the same text."""
    return _template().render(report=contents)


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - heavy

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
