from __future__ import annotations

import pytest

from domain import errors
from domain.errors import (
    InvalidInputError,
    MalformedResponseError,
    PermanentError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    TransientError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
    is_retryable,
)

TRANSIENT = [MalformedResponseError, RateLimitedError, UnreachableError, UpstreamError, UpstreamTimeoutError]
PERMANENT = [RejectedError, UnauthorisedError]


@pytest.mark.parametrize("error", TRANSIENT)
def test_what_may_pass_is_tried_again(error: type[TransientError]) -> None:
    assert is_retryable(error("a reason"))
    assert error("a reason").retry_after_seconds is None
    assert error("a reason", retry_after_seconds=2.5).retry_after_seconds == 2.5


@pytest.mark.parametrize("error", PERMANENT)
def test_what_stays_as_it_is_is_not_tried_again(error: type[PermanentError]) -> None:
    assert not is_retryable(error("a reason"))


def test_bad_input_names_each_field_and_is_not_tried_again() -> None:
    error = InvalidInputError({"email": "is missing", "term": "is too long"})
    assert error.problems == {"email": "is missing", "term": "is too long"}
    assert str(error) == "email: is missing; term: is too long"
    assert not is_retryable(error)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("no disk"), RollcallError("plain")])
def test_what_no_one_classified_is_tried_again(error: BaseException) -> None:
    assert is_retryable(error)


def test_every_failure_is_either_transient_or_permanent() -> None:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    leaves = [error for error in found if issubclass(error, RollcallError) and error is not RollcallError]
    assert set(leaves) >= {*TRANSIENT, *PERMANENT, InvalidInputError}
    assert all(issubclass(error, TransientError) != issubclass(error, PermanentError) for error in leaves)
