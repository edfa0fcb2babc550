"""Work that must be alone with the state: no role may run meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from domain.errors import PermanentError, UnreachableError
from operations.status import ROLES
from resilience.heartbeats import Heartbeat, Heartbeats
from rollcall.embedded import claim, is_answering
from rollcall.settings import Settings
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, redis_client


class StillRunningError(PermanentError):
    """Somebody is at work."""


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Nobody works on the state of `settings`; with the embedded server down, nobody starts it meanwhile.

    Raises: StillRunningError; UnreachableError when nobody can say.
    """
    if settings.redis_url is None and not is_answering(settings.home):
        with claim(settings.home):  # whoever works needs that server
            yield
        return
    found = _alive(settings)
    if found:
        names = ", ".join(f"{beat.role} {beat.instance_id}" for beat in found)
        raise StillRunningError(
            f"stop every role first: {names}; one that was killed counts for {HEARTBEAT_TTL_SECONDS} s"
        )
    yield


def _alive(settings: Settings) -> list[Heartbeat]:
    with redis_client(settings) as client:
        heartbeats = Heartbeats(client, HEARTBEAT_TTL_SECONDS)
        try:
            return [beat for role in ROLES for beat in heartbeats.alive(role)]
        except UnreachableError as error:
            raise UnreachableError(f"nobody can say whether roles are running: {error}") from error
