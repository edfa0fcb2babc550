"""Pause, resume and end every watch that a filter matches."""

from __future__ import annotations

from typing import Literal

from domain.text import duration, format_time
from ingress.console.actions import Operation
from ingress.console.acts.watches import LENGTHS
from ingress.console.formatting import plural
from ingress.console.plan import Plan, PlanField
from ingress.console.watch_filter import WatchFilterForm
from operations import watches
from operations.operation import AdminContext


class PauseForm(WatchFilterForm, frozen=True, kw_only=True):
    """The filter, and the length of the pause."""

    length: Literal["1d", "7d", "30d", "180d"] = "7d"


def _plan_pause(room: AdminContext, form: PauseForm) -> Plan:
    question = PlanField("length", "For", form.length, tuple(LENGTHS.items()))
    lost = "What opens meanwhile is not sent later; the next opening after it is."
    return _plan(room, form, "Pause", (lost,), (question,))


def _pause(room: AdminContext, form: PauseForm, by: str) -> str:
    length = duration(form.length)
    done = watches.pause_all(room.services, form.filter, length, by)
    until = format_time(room.services.clock.now() + length)
    return f"{plural(done, 'watch is', 'watches are')} paused until {until}."


def _plan_resume(room: AdminContext, form: WatchFilterForm) -> Plan:
    return _plan(room, form, "Resume", ("The next opening is news to them again.",))


def _resume(room: AdminContext, form: WatchFilterForm, by: str) -> str:
    done = watches.resume_all(room.services, form.filter, by)
    return f"{plural(done, 'watch is', 'watches are')} on."


def _plan_end(room: AdminContext, form: WatchFilterForm) -> Plan:
    return _plan(room, form, "Delete", ("Their history stays.",), is_grave=True)


def _end(room: AdminContext, form: WatchFilterForm, by: str) -> str:
    done = watches.end_all(room.services, form.filter, by)
    return f"{plural(done, 'watch has', 'watches have')} ended."


def _plan(
    room: AdminContext,
    form: WatchFilterForm,
    verb: str,
    effects: tuple[str, ...],
    questions: tuple[PlanField, ...] = (),
    *,
    is_grave: bool = False,
) -> Plan:
    count, people = room.services.store.watches.count(form.filter)
    if not count:
        return Plan(f"{verb} watches?", "", ("No active watch matches; there is nothing to do.",))
    given = ", ".join(f"{name} {value}" for name, value in form.filter.criteria.items())
    said = given or "no filter: every watch"
    matches = plural(count, "active watch matches", "active watches match")
    found = f"{matches} ({said}), of {plural(people, 'address', 'addresses')}."
    title = f"{verb} {plural(count, 'watch', 'watches')}?"
    return Plan(title, verb, (found, *effects), questions, is_grave=is_grave)


ACTIONS = (
    Operation("watches-pause", PauseForm, _plan_pause, _pause),
    Operation("watches-resume", WatchFilterForm, _plan_resume, _resume),
    Operation("watches-end", WatchFilterForm, _plan_end, _end),
)
