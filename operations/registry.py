"""The list of operator actions."""

from __future__ import annotations

from typing import Any

from operations import (
    breakers,
    catalog_drill,
    catalogs,
    course_watches,
    dead_letters,
    jobs,
    mail,
    new_watches,
    pauses,
    payments,
    runs,
    section_check,
    terms,
    watch_filters,
    watches,
)
from operations.operation import Operation

OPERATIONS: tuple[Operation[Any, Any], ...] = (
    *(runs.TRIGGER, runs.RELEASE_LEASE, section_check.CHECK),
    *(breakers.OPEN, breakers.CLOSE, breakers.RESET, pauses.PAUSE, pauses.RESUME),
    *(
        new_watches.ADD,
        new_watches.ADD_BY_LINK,
        new_watches.IMPORT,
        watches.PAUSE,
        watches.RESUME,
        watches.END,
    ),
    *(watch_filters.PAUSE_MATCHING, watch_filters.RESUME_MATCHING, watch_filters.END_MATCHING),
    *(watch_filters.EXPORT, terms.END),
    *(course_watches.ADD_COURSE, course_watches.END_COURSE),
    *(terms.USE, catalogs.RELEASE, catalogs.DISCARD, catalog_drill.DRILL),
    *(mail.TEST, mail.RETRY, mail.LIFT, dead_letters.RETRY, dead_letters.PURGE),
    *(jobs.START, jobs.CANCEL, jobs.CONFIRM, jobs.REJECT, jobs.RETRY, jobs.GRANT, payments.RESOLVE),
)
"""Every operator action."""
