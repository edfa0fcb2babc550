"""Why a message died, written into its body while it dies.

Dramatiq moves the body to the dead letters as it was enqueued: the last failure, its traceback and its
count are in the worker's memory alone, and what never failed (expired, unknown actor) has no word at all.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from contextlib import suppress

import redis
from dramatiq import Broker, MessageProxy, Middleware
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import SkipMessage

from resilience.scripts import UNREACHABLE, Scripts

CAUSE = "rollcall_cause"
EXPIRED = "expired"
_SKIPS = {"Message age limit exceeded": EXPIRED}  # as dramatiq/middleware/age_limit.py says it
_FRAMES = 30


class DeadLetterCause(Middleware):
    """Writes cause, traceback and retries into a rejected message, just before Redis moves it.

    `packages` are the top-level packages that are ours, whose frames tell causes apart. A message that
    ends well costs nothing, one that dies one round trip; when that cannot be made the message dies
    without a word. For Dramatiq's Redis broker alone.
    """

    def __init__(self, client: redis.Redis, packages: Iterable[str], *, namespace: str = "dramatiq") -> None:
        self._scripts = Scripts(client)
        self._packages = frozenset(packages)
        self._namespace = namespace

    def before_nack(self, _broker: Broker, message: MessageProxy) -> None:
        """Write the last word. Called again, with the same outcome, when the rejection must be repeated."""
        error = message._exception  # noqa: SLF001 - kept there for middleware; it has no other name
        if error is None:
            return
        told: dict[str, str] = {CAUSE: cause_of(error, message.actor_name, self._packages)}
        if not isinstance(error, SkipMessage | ActorNotFound):
            told["traceback"] = "".join(traceback.format_exception(error, limit=-_FRAMES))
        body = message.copy(options=told).encode()
        with suppress(*UNREACHABLE):  # the rejection fails as well then, and is repeated
            self._scripts.dead_letters_explain(
                [f"{self._namespace}:{message.queue_name}.msgs"], [message.options["redis_message_id"], body]
            )


def cause_of(error: BaseException, actor: str, packages: frozenset[str]) -> str:
    """The fingerprint by which deaths are alike.

    Shape: `{exception} in {module}:{function}` of the last frame of ours, without line and message, which
    differ from release to release and from case to case; else "expired", "unknown actor {name}", or the
    reason for which the message was skipped.
    """
    if isinstance(error, ActorNotFound):
        return f"unknown actor {actor}"
    if isinstance(error, SkipMessage):
        return _SKIPS.get(str(error), str(error) or "skipped")
    place = _place(error, packages)
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def _place(error: BaseException, packages: frozenset[str]) -> str | None:
    """Where it happened: the last frame of ours, or the last of all when none is."""
    frames = [
        (str(frame.f_globals.get("__name__", "?")), frame.f_code.co_name)
        for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    ours = [frame for frame in frames if frame[0].partition(".")[0] in packages]
    return ":".join((ours or frames)[-1]) if frames else None
