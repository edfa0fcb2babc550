"""Jobs of kind `condense`: roll up the history of every section by day, each night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.errors import InvalidInputError, PermanentError
from domain.history import day_of
from domain.job import JsonObject, Profile
from store.sections.history import DailyRollups
from workflows.kind import Job, JobKind

_AT_ONCE = 200  # sections per step


@dataclass(frozen=True, slots=True)
class Nothing:
    """The kind takes no input."""


def read(payload: JsonObject) -> Nothing:
    """Parse the payload. Raises: InvalidInputError that names each field."""
    if payload:
        raise InvalidInputError(dict.fromkeys(payload, "is not a known field"))
    return Nothing()


def run(job: Job, _: Nothing) -> JsonObject:
    """Roll up the days before today, a batch of sections per step. Days that have a rollup are skipped."""
    today = job.step("begin", lambda: day_of(job.services.clock.now()))
    sections = job.step("list", lambda: _days(job).unfinished(today))
    condensed = 0
    for start in range(0, len(sections), _AT_ONCE):
        part = sections[start : start + _AT_ONCE]
        condensed += _condense(job, start, part, today)
        job.report_progress(start + len(part), len(sections), "condensing the sections' days")
    return {"sections": len(sections), "days": condensed}


def _condense(job: Job, start: int, sections: Sequence[int], before_day: int) -> int:
    return job.step(f"sections {start + 1} on", lambda: _days(job).roll_up(sections, before_day))


def _days(job: Job) -> DailyRollups:
    if job.services.reports is None:
        raise PermanentError("this process makes no reports")
    return job.services.reports.days


KIND = JobKind("condense", Profile.BATCH, read, run, at_once=1, poll_seconds=5.0)
