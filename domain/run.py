"""Runs: one round of section checks, from its trigger to its last answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.section import SectionKey, Stagger
from domain.text import HEX_ID, Identifier

RUN_ID = Identifier(HEX_ID, "a run_id")
ONE_SECTION = "-check"  # suffix of the trigger of a run that a person requested for one section


MAX_ATTEMPTS = 4
"""The maximum number of attempts for a section in one run."""


class RunState(StrEnum):
    """State of a run; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    SKIPPED = "skipped"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self not in {RunState.QUEUED, RunState.RUNNING}


class WaitReason(StrEnum):
    """What a deferred batch waits for; it is due at once when the reason ends."""

    BREAKER = "breaker"
    PAUSE = "pause"
    RATE_LIMIT = "rate_limit"


@dataclass(frozen=True, slots=True)
class Run:
    """A run and its counts: once finished, `sections` = `checked` + `failed` + `deferred`.

    Shape: `slot` is the time at which the run was due; at most one unforced run holds each (`stagger`,
    `slot`), and a run that ended before it asked the source releases it. `deferred` sections were still being
    checked for an earlier run or are left to a later one. `reason` says why sections were deferred or failed.
    """

    id: str
    trigger: str
    stagger: Stagger
    slot: datetime
    state: RunState
    created_at: datetime
    reason: str | None = None
    sections: int = 0
    checked: int = 0
    failed: int = 0
    deferred: int = 0
    changed: int = 0
    notifications: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def is_success(self) -> bool:
        """Whether the run did its work: it has finished, and checked something unless nothing was due.

        This is the one definition of success; `store.runs.runs` states it in SQL, and a test compares them.
        """
        return self.state is RunState.FINISHED and (self.checked > 0 or self.sections == 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Sections of one run that are checked together.

    Shape: `pending` maps each section to its failed attempts, `revisions` to its state's revision when the
    batch was read (`domain.section_state.is_current`).
    """

    id: int
    run_id: str
    source: str
    pending: dict[SectionKey, int]
    revisions: dict[SectionKey, int] = field(default_factory=dict)
