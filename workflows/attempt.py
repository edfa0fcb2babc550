"""One attempt at a step: what it returned or how it failed, and the part of it that a breaker guards."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from domain.errors import PermanentError, RollcallError, TransientError
from domain.retry import verdict_on
from resilience.breaker import CircuitBreaker
from store.persistence import OUTAGES

T = TypeVar("T")
_log = logging.getLogger(__name__)


class BreakerRefusedError(TransientError):
    """A breaker lets nothing out at the moment: the attempt was not made."""


class StepError(PermanentError):
    """The step failed in a way that nobody foresaw: the fault is Rollcall's."""


def call_with_breaker(guard: CircuitBreaker, call: Callable[[], T]) -> T:
    """What `call` returns, which asks an upstream and does nothing else: `guard` judges by it.

    Raises: BreakerRefusedError before the call; what the call raises.
    """
    permit = guard.permit(1)
    if permit.granted == 0:
        raise BreakerRefusedError(
            f"{guard.name} is out of order", retry_after_seconds=permit.retry_after_seconds
        )
    verdict: bool | None = None
    try:
        answer = call()
        verdict = True
    except RollcallError as error:
        guard.note_error(error)
        verdict = verdict_on(error)
        raise
    else:
        return answer
    finally:
        guard.record(permit, [verdict])


def attempt_step(work: Callable[[], object]) -> Any:
    """What `work` returns, as a repetition would be given it: it has been through JSON.

    Raises: TransientError; PermanentError for everything else.
    """
    try:
        return json.loads(json.dumps(work(), allow_nan=False))
    except RollcallError:
        raise
    except OUTAGES as error:
        raise TransientError("the database is away") from error
    except Exception as error:
        _log.exception("a step broke")
        raise StepError(f"an error in Rollcall itself ({type(error).__name__}: {error})") from error
