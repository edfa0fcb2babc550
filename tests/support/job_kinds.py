"""Jobs for tests: they leave a line in a file for each thing that they did."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from domain.errors import InvalidInputError, PermanentError, UpstreamError
from domain.job import JsonObject, Profile, WaitFor, WaitKind
from workflows.kind import Job, JobFailure, JobKind, Phase, by_name


@dataclass(frozen=True, slots=True)
class Errand:
    """`journal` is the file; each step takes `seconds`; `fails` names one, and how: "once" or "for-good"."""

    journal: Path
    seconds: float = 0.0
    fails: str = ""
    how: str = ""
    lane: str = ""


def read(given: JsonObject) -> Errand:
    journal = given.get("journal")
    if not isinstance(journal, str):
        raise InvalidInputError({"journal": "must be a path"})
    seconds = given.get("seconds", 0)
    words = {name: str(given.get(name, "")) for name in ("fails", "how", "lane")}
    return Errand(Path(journal), float(seconds) if isinstance(seconds, int | float) else 0.0, **words)


def run(job: Job, errand: Errand) -> JsonObject:
    done = []
    for number, name in enumerate(("fetch", "make", "send"), start=1):
        done.append(job.step(name, lambda name=name: _do(job, errand, name)))  # type: ignore[misc]
        job.report_progress(number, 3, f"{name} is done")
    return {"done": done}


def write(job: Job, _: Errand) -> JsonObject:
    key = f"jobs/{job.id}/paper.pdf"
    job.step("write", lambda: job.services.storage.put(key, b"%PDF of the tests", "application/pdf"))
    return {"artifact": key, "content_type": "application/pdf", "bytes": 17}


def make_good(job: Job, given: JsonObject, failure: JobFailure) -> None:
    job.step("refund", lambda: note(read(given), job.id, f"refund:{failure.is_cancelled}"))


def _do(job: Job, errand: Errand, name: str) -> str:
    note(errand, job.id, f"{name}:begun")
    time.sleep(errand.seconds)
    _fail(job, errand, name)
    note(errand, job.id, f"{name}:done")
    return name


def _fail(job: Job, errand: Errand, name: str) -> None:
    if errand.fails != name:
        return
    if errand.how == "for-good":
        raise PermanentError(f"{name} cannot be done")
    if errand.how == "always" or lines(errand.journal, job.id).count(f"{name}:begun") == 1:
        raise UpstreamError(f"{name} failed")


def note(errand: Errand, job_id: str, word: str) -> None:
    """Add a line in one write, as several processes may."""
    descriptor = os.open(errand.journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, f"{job_id} {word}\n".encode())
    os.close(descriptor)


def lines(journal: Path, job_id: str) -> list[str]:
    """What a job has done, in order."""
    found = journal.read_text().splitlines() if journal.exists() else []
    return [line.partition(" ")[2] for line in found if line.startswith(job_id)]


def ask(job: Job, errand: Errand) -> WaitFor:
    fetched = job.step("fetch", lambda: _do(job, errand, "fetch"))
    return WaitFor(WaitKind.CONFIRMATION, "apply", timedelta(days=7), {"fetched": fetched})


def apply(job: Job, errand: Errand) -> JsonObject:
    job.step("send", lambda: _do(job, errand, "send"))
    return {"fetched": job.phase.state["fetched"], "version": job.phase.preview_version}


def discard(job: Job, given: JsonObject, failure: JobFailure) -> None:
    job.step("discard", lambda: note(read(given), job.id, f"discard:{failure.reason}"))


KINDS = by_name(
    JobKind("question", Profile.BATCH, read, ask, discard, at_once=2, phases={"apply": Phase(apply)}),
    JobKind("errand", Profile.REALTIME, read, run, make_good),
    JobKind("chore", Profile.BATCH, read, run, at_once=2),
    JobKind("paper", Profile.REALTIME, read, write),
    JobKind("favour", Profile.REALTIME, read, run, is_public=False),
    JobKind("turn", Profile.REALTIME, read, run, at_once=3, partition_key=lambda errand: errand.lane),
)
