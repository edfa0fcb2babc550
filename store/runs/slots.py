"""Slots: the times at which a half is due. At most one run holds a slot; the database enforces it.

A run that ends before it asks the source releases its slot for a later trigger: it was never dispatched, was
skipped or paused, or had no answer by its deadline. A run that queried its sections keeps the slot even if
every answer was a failure; querying again would overload the source.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, update

from domain.run import RunState
from domain.section import Stagger
from store.database import to_ms
from store.schema import runs

SUPERSEDED = "superseded by the run of a later slot"
_IS_OLDER = (
    (runs.c.stagger == bindparam("of_stagger"))
    & (runs.c.slot_ms < bindparam("of_slot_ms"))
    & runs.c.holds_slot
    & (runs.c.state == RunState.QUEUED)
)
_SUPERSEDE = update(runs).where(_IS_OLDER).values(state=RunState.SKIPPED, reason=SUPERSEDED, holds_slot=False)


def supersede(connection: Connection, opened: dict[str, Any]) -> None:
    """Skip the runs of earlier slots of the same half that still wait for a dispatcher.

    A worker that returns after hours then finds one run of each half, not one for each missed slot.
    """
    older = {"of_stagger": opened["stagger"], "of_slot_ms": opened["slot_ms"]}
    connection.execute(_SUPERSEDE, older | {"finished_at_ms": opened["created_at_ms"]})


def release_unused(connection: Connection, run_ids: Iterable[str]) -> None:
    """Release the slots of those of `run_ids` that finished without checking anything."""
    is_unworked = (runs.c.state == RunState.FINISHED) & (runs.c.checked == 0)
    ended = runs.c.id.in_(list(run_ids)) & is_unworked
    connection.execute(update(runs).where(ended).values(holds_slot=False))


def holds(stagger: Stagger, slot: datetime) -> ColumnElement[bool]:
    """The condition of the run that holds a slot."""
    return (runs.c.stagger == stagger) & (runs.c.slot_ms == to_ms(slot)) & runs.c.holds_slot
