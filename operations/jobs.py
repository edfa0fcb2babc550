"""What operators do to jobs."""

from __future__ import annotations

from actors import jobs
from actors.services import Services
from domain.errors import InvalidInputError
from domain.job import JobRecord
from operations.record import entry


def cancel(services: Services, job_id: str, by: str) -> JobRecord:
    """Ask for the job's end, unless it has ended; how it stands. Raises: InvalidInputError."""
    job = jobs.cancel(services, job_id, entry(services, by, "job.cancel", f"job/{job_id}"))
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    return job


def retry(services: Services, job_id: str, by: str) -> tuple[JobRecord, bool]:
    """A new job like a failed or cancelled one, and True; or the first such. Raises: InvalidInputError."""
    asked = entry(services, by, "job.retry", f"job/{job_id}", of=job_id)
    return jobs.retry(services, job_id, asked)
