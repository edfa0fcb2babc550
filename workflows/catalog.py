"""The job kinds, by name. To add a kind, add an entry here."""

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
    """One job kind.

    Shape: `read` parses the caller's payload into the workflow's input; it raises InvalidInputError that
    names each bad field. `run` is the workflow; its result is stored in the job's row, so large output goes
    to `services.storage` under `jobs/{job.id}/{name}` and the result names it: `{"artifact": key,
    "content_type": …, "bytes": n}`. `on_failure` compensates a failed or cancelled job (refund, alert the
    operator) in steps of the same job; it must allow for steps that never ran. It takes the raw payload,
    because this release may not be able to parse it. `at_once` bounds how many jobs of the kind run
    concurrently in the whole fleet. Jobs with the same `partition_key` run one after another, in
    order of submission. Each process polls for the next job every `poll_seconds`; a poll costs 3 ms of CPU.
    Only Rollcall itself starts kinds that are not `is_public`, and only Rollcall itself fills in
    `reserved_fields`.

    The functions import heavy modules lazily: the web role reads this catalog too.
    """

    name: str
    profile: Profile
    read: Callable[[JsonObject], G]
    run: Callable[[Job, G], JsonObject]
    on_failure: OnFailure | None = None
    at_once: int = 4
    partition_key: Callable[[G], str] | None = None
    poll_seconds: float = 1.0
    is_public: bool = True
    reserved_fields: frozenset[str] = frozenset()


JobKinds: TypeAlias = Mapping[str, JobKind[Any]]


def catalog_of(*kinds: JobKind[Any]) -> JobKinds:
    """Return the catalog of `kinds`."""
    return {kind.name: kind for kind in kinds}


CATALOG: JobKinds = catalog_of(
    JobKind(
        "report",
        Profile.REALTIME,
        workflow.read,
        workflow.run,
        workflow.compensate,
        at_once=4,
        poll_seconds=0.4,
        reserved_fields=frozenset({"payment"}),
    ),
    JobKind("refund", Profile.REALTIME, refund.read, refund.run, poll_seconds=5.0, is_public=False),
    JobKind(
        "generation",
        Profile.REALTIME,
        generation.read,
        generation.run,
        generation.compensate,
        at_once=4,
        partition_key=lambda wish: wish.account,
    ),
    JobKind("condense", Profile.BATCH, daily_rollup.read, daily_rollup.run, at_once=1, poll_seconds=5.0),
)


def compensate_unknown(job: Job, payload: JsonObject, failure: JobFailure) -> None:
    """Compensate a job whose kind is in no catalog; each compensation checks whether it applies."""
    try:
        workflow.compensate(job, payload, failure)
    finally:
        generation.compensate(job, payload, failure)
