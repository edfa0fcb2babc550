"""What a workflow is given: its steps, and a way to tell how far it is.

A workflow is a plain function `run(job, given) -> result`. After a crash it is called again from its first
line; each step whose result was kept gives that result at once. So whatever is not the same at every call
(time, chance, the world) belongs into a step, and the steps come in the same order each time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from domain.errors import PermanentError, RollcallError
from workflows.services import JobContext

T = TypeVar("T")
MAX_ATTEMPTS = 5


class StepFailedError(PermanentError):
    """A step failed at every attempt that it had; the message is that of the last failure."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


class CancelledError(RollcallError):
    """Somebody asked for the job to be cancelled: let it through, so that the job ends."""


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job ends without a result: `reason` is for people."""

    reason: str
    is_cancelled: bool = False


class Job(Protocol):
    """The job in hand, as its workflow sees it."""

    @property
    def id(self) -> str:
        """The job's id, which is the same for every repetition."""

    @property
    def services(self) -> JobContext:
        """The ports to the world."""

    def step(
        self,
        name: str,
        work: Callable[[], T],
        *,
        attempts: int = MAX_ATTEMPTS,
        must_finish: bool = False,
    ) -> T:
        """What `work` returns, durably: it is kept, and a repetition takes what was kept.

        Shape: `name` is unique within the job; the result is None, bool, int, float, str, list or dict of
        these. `work` may run more than once, but never after its result was kept: make it idempotent under
        `job.id` and the step's name. A TransientError is tried again, `attempts` times at most, after the
        time that it names or a growing pause; meanwhile the job is `waiting`. What
        `workflows.attempt.guarded` refuses while an upstream's breaker is open costs no attempt.
        A step that `must_finish` is not cancelled once it was attempted: an attempt whose answer is lost may
        have had its effect.

        Raises: PermanentError of the work at once; StepFailedError when the attempts are spent;
        CancelledError between attempts and before the step begins.
        """

    def tell(self, done: int, total: int, message: str) -> None:
        """Say how far the job is, for people."""

    def is_changed(self, change: str) -> bool:
        """Whether a workflow that was changed is to take its new way; `change` is a name for good.

        A job that had passed this place before the change keeps to the old way, also after a crash:

            if job.is_changed("sign-the-report"):
                job.step("sign", …)
        """
