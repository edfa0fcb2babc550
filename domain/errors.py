"""Exception types, by what the caller should do.

The type alone says whether to retry: `TransientError` may pass with time, `PermanentError` will not
(see `is_retryable`).
"""

from __future__ import annotations


class RollcallError(Exception):
    """Root of every failure that Rollcall raises on purpose."""


class TransientError(RollcallError):
    """May succeed later; not before `retry_after_seconds`, when the other side named a time."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(RollcallError):
    """Will fail again in the same way until a person changes something."""


class UpstreamError(TransientError):
    """The other side answered with a failure of its own (5xx, or a refusal without a reason)."""


class UpstreamTimeoutError(TransientError):
    """The other side did not answer in time."""


class UnreachableError(TransientError):
    """No connection could be made."""


class MalformedResponseError(TransientError):
    """The answer could not be read: HTML, cut off, or of another shape than agreed."""


class RateLimitedError(TransientError):
    """The other side asked for fewer requests."""


class AccountRefusedError(PermanentError):
    """The other side refuses the account or the sender, whatever the request.

    An exhausted quota, an unverified sender, a suspended account: nothing is wrong with the item, which waits
    until a person has repaired the account.
    """


class UnauthorisedError(AccountRefusedError):
    """The other side refused the credentials."""


class RejectedError(PermanentError):
    """The other side understood the request and will never accept it."""


class IdempotencyKeyUsedError(PermanentError):
    """The key was used before for another request, whose outcome this answer does not tell."""


class StorageWriteError(PermanentError):
    """Nothing is stored under this key."""


class StorageFullError(TransientError):
    """There is no room left for what was to be stored."""


class InvalidInputError(PermanentError):
    """Input that a person must correct; `problems` maps each bad field to what is wrong with it."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems


class ConfigurationError(InvalidInputError):
    """The settings, or the machine they describe, keep a process from starting."""


def is_retryable(error: BaseException) -> bool:
    """Whether the work that raised `error` should be tried again."""
    return not isinstance(error, PermanentError)
