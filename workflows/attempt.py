"""One attempt at a step: what it returned, or which kind of failure it was; and the breaker is told."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from domain.errors import PermanentError, RateLimitedError, RollcallError, TransientError
from resilience.breaker import CircuitBreaker
from resilience.permit import CircuitBreakerError
from workflows.persistence import OUTAGES

_log = logging.getLogger(__name__)


class BreakerRefusedError(TransientError):
    """A breaker lets nothing out at the moment: the attempt was not made."""


class BrokenStepError(PermanentError):
    """The step failed in a way that nobody foresaw: the fault is Rollcall's."""


def attempted(work: Callable[[], object], guard: CircuitBreaker | None, begin: Callable[[], None]) -> Any:
    """What `work` returns, as JSON gives it back; `begin` is called when the attempt may be made.

    Raises: BreakerRefusedError before `begin`; TransientError; PermanentError for everything else.
    """
    if guard is None:
        begin()
        return _result(work)
    permit = guard.permit(1)
    if permit.granted == 0:
        raise BreakerRefusedError(
            f"{guard.name} is out of order", retry_after_seconds=permit.retry_after_seconds
        )
    verdict: bool | None = None
    try:
        begin()
        value = _result(work)
        verdict = True
    except TransientError as error:
        is_away = not isinstance(error, RateLimitedError | BreakerRefusedError)
        verdict = False if is_away else None
        raise
    else:
        return value
    finally:
        guard.record(permit, [verdict])


def _result(work: Callable[[], object]) -> Any:
    """The same value that a repetition would be given: what has been through JSON."""
    try:
        return json.loads(json.dumps(work(), allow_nan=False))
    except CircuitBreakerError as error:
        wait = error.retry_after_seconds
        raise BreakerRefusedError(str(error), retry_after_seconds=wait) from error
    except RollcallError:
        raise
    except OUTAGES as error:
        raise TransientError("the database is away") from error
    except Exception as error:
        _log.exception("a step broke")
        raise BrokenStepError(f"an error in Rollcall itself ({type(error).__name__}: {error})") from error
