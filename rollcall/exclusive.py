"""Exclusive access to the state, for changes that no role may see half done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import PermanentError, UnreachableError
from operations.status import ROLES
from resilience.heartbeats import Heartbeat, Heartbeats
from rollcall.embedded_valkey import claim, is_answering
from rollcall.settings import Settings
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, redis_client

_POLL_SECONDS = 0.5


class StillRunningError(PermanentError):
    """A role is running."""


@contextmanager
def exclusive(settings: Settings, patience_seconds: float = 0) -> Iterator[None]:
    """Hold exclusive access to the state; while the embedded server is down, no role can start.

    Waits for running roles, on whichever machine, for `patience_seconds`. Raises: StillRunningError;
    UnreachableError when running roles cannot be determined.
    """
    if settings.redis_url is None and not is_answering(settings.home):
        with claim(settings.home):  # every role needs that server
            yield
        return
    deadline = time.monotonic() + patience_seconds
    while found := _alive(settings):
        if time.monotonic() >= deadline:
            raise StillRunningError(_described(found))
        time.sleep(_POLL_SECONDS)
    yield


def _described(found: list[Heartbeat]) -> str:
    names = ", ".join(f"{beat.role} {beat.instance_id}" for beat in found)
    return f"stop every role first: {names}; one that was killed counts for {HEARTBEAT_TTL_SECONDS} s"


def _alive(settings: Settings) -> list[Heartbeat]:
    with redis_client(settings) as client:
        heartbeats = Heartbeats(client, HEARTBEAT_TTL_SECONDS)
        try:
            return [beat for role in ROLES for beat in heartbeats.alive(role)]
        except UnreachableError as error:
            raise UnreachableError(f"running roles cannot be determined: {error}") from error
