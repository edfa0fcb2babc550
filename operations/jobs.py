"""Operator actions on jobs and credits."""

from __future__ import annotations

from actors import jobs
from actors.services import Services
from domain.errors import InvalidInputError
from domain.job import JobRecord
from domain.money import ACCOUNT, MAX_GRANT, Transfer
from operations.operation import entry


def cancel(services: Services, job_id: str, by: str) -> JobRecord:
    """Request cancellation unless the job has ended; return its state. Raises: InvalidInputError."""
    job = jobs.cancel(services, job_id, entry(services, by, "job.cancel", f"job/{job_id}"))
    if job is None:
        raise InvalidInputError({"job_id": "there is no such job"})
    return job


def retry(services: Services, job_id: str, by: str) -> tuple[JobRecord, bool]:
    """Return a new job with a failed job's input and True, or its first retry and False.

    A cancelled job can be retried too. Raises: InvalidInputError.
    """
    asked = entry(services, by, "job.retry", f"job/{job_id}", of=job_id)
    return jobs.retry(services, job_id, asked)


def grant(
    services: Services, account: str, amount: int, key: str, by: str, *, reason: str | None = None
) -> tuple[Transfer, bool]:
    """Return the grant and True, or the earlier grant of `key` and False. Raises: InvalidInputError."""
    problems = {}
    if not ACCOUNT.matches(account):
        problems["account"] = "must be 1 to 64 letters, digits, - and _, and begin with a letter or digit"
    if not 0 < amount <= MAX_GRANT:
        problems["credits"] = f"must be a whole number from 1 to {MAX_GRANT}"
    if problems:
        raise InvalidInputError(problems)
    told = entry(services, by, "credit.grant", f"account/{account}", credits=amount, key=key, reason=reason)
    now = services.clock.now()
    return services.store.credits.grant(account, amount, key, now, reason=reason, entry=told)
