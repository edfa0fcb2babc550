"""Exception types, by what the caller should do.

The type alone says whether to retry: `TransientError` may pass with time, `PermanentError` will not
(see `is_retryable`).
"""

from __future__ import annotations


class RollcallError(Exception):
    """Base class of all errors that Rollcall raises on purpose."""


class TransientError(RollcallError):
    """May succeed later, but not before `retry_after_seconds` if the upstream gave a time."""

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class PermanentError(RollcallError):
    """Fails again in the same way until a person changes something."""


class UpstreamError(TransientError):
    """The upstream answered with an error of its own (5xx, or a refusal without a reason)."""


class UpstreamTimeoutError(TransientError):
    """The upstream did not answer in time."""


class UnreachableError(TransientError):
    """No connection could be made."""


class UnknownHostError(UnreachableError):
    """The name of the host cannot be resolved."""


class InsecureConnectionError(UnreachableError):
    """No secure connection could be made: the TLS handshake failed, or the certificate is not valid."""


class MalformedResponseError(TransientError):
    """The answer could not be parsed: HTML, truncated, or of an unexpected shape."""


class RateLimitedError(TransientError):
    """The upstream asked for fewer requests."""


class AccountRefusedError(PermanentError):
    """The upstream refuses the account or the sender, independent of the request.

    Examples: an exhausted quota, an unverified sender, a suspended account. The item itself is fine and waits
    until a person has fixed the account.
    """


class UnauthorisedError(AccountRefusedError):
    """The upstream refused the credentials."""


class RejectedError(PermanentError):
    """The upstream understood the request and will never accept it."""


class IdempotencyKeyUsedError(PermanentError):
    """The idempotency key was used for another request, whose outcome is unknown."""


class ConflictError(PermanentError):
    """The request does not match the current state, which has changed since the caller saw it."""


class ObjectNotFoundError(PermanentError):
    """No object exists under this key."""


class StorageFullError(TransientError):
    """The storage has no space left."""


class InvalidInputError(PermanentError):
    """Input that a person must correct; `problems` maps each invalid field to its problem."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems


class ConfigurationError(InvalidInputError):
    """Invalid settings, or a machine that does not match them, prevent a process from starting."""


def is_retryable(error: BaseException) -> bool:
    """Whether the work that raised `error` should be tried again."""
    return not isinstance(error, PermanentError)
