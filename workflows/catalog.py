"""The kinds of jobs that there are, by name: adding one is adding an entry here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from domain.job import JsonObject, Profile
from workflows import daily_rollup, generation, refund
from workflows.kind import Job, JobFailure
from workflows.report import workflow

G = TypeVar("G")
OnFailure: TypeAlias = Callable[[Job, JsonObject, JobFailure], None]


@dataclass(frozen=True, slots=True)
class JobKind(Generic[G]):
    """One kind of job.

    Shape: `read` makes the workflow's input of what the caller gave; it raises InvalidInputError that names
    each bad field. `run` is the workflow; its result is kept in the job's row, so big things go to
    `services.storage` under `jobs/{job.id}/{name}` and the result names them: `{"artifact": key,
    "content_type": …, "bytes": n}`. `on_failure` makes good what a job that failed or was cancelled has
    done (refund, tell the operator), in steps of the same job; it may find that none of it was done. It takes
    the input as it was given, for this release may not be able to read it.
    `at_once` bounds how many jobs of the kind run at a time in the whole fleet. Jobs of one `lane` run one
    after another, in the order in which they came. Each process looks for the next job every `look_seconds`;
    a look costs 3 ms of processor. What is not `is_offered` only Rollcall itself may start, and only Rollcall
    itself fills in the fields that are `kept` from callers.

    The functions import what is heavy when they are called: the web role reads this catalog too.
    """

    name: str
    profile: Profile
    read: Callable[[JsonObject], G]
    run: Callable[[Job, G], JsonObject]
    on_failure: OnFailure | None = None
    at_once: int = 4
    lane: Callable[[G], str] | None = None
    look_seconds: float = 1.0
    is_offered: bool = True
    kept: frozenset[str] = frozenset()


JobKinds: TypeAlias = Mapping[str, JobKind[Any]]


def catalog_of(*kinds: JobKind[Any]) -> JobKinds:
    """The catalog that has `kinds`."""
    return {kind.name: kind for kind in kinds}


CATALOG: JobKinds = catalog_of(
    JobKind(
        "report",
        Profile.REALTIME,
        workflow.read,
        workflow.run,
        workflow.compensate,
        at_once=4,
        look_seconds=0.4,
        kept=frozenset({"payment"}),
    ),
    JobKind("refund", Profile.REALTIME, refund.read, refund.run, look_seconds=5.0, is_offered=False),
    JobKind(
        "generation",
        Profile.REALTIME,
        generation.read,
        generation.run,
        generation.compensate,
        at_once=4,
        lane=lambda wish: wish.account,
    ),
    JobKind("condense", Profile.BATCH, daily_rollup.read, daily_rollup.run, at_once=1, look_seconds=5.0),
)


def compensate_unknown(job: Job, given: JsonObject, failure: JobFailure) -> None:
    """Give back what a job of a kind that is in no catalog took: each of these sees whether it has to."""
    try:
        workflow.compensate(job, given, failure)
    finally:
        generation.compensate(job, given, failure)
