"""Pause and resume a source, or all mail."""

from __future__ import annotations

from datetime import timedelta

from actors.deliver import MAIL
from actors.services import Services
from domain.errors import InvalidInputError
from operations.operation import entry
from store.pauses import Pause


def names(services: Services) -> tuple[str, ...]:
    """Return what can be paused: the sources, and mail."""
    return (*services.sources, MAIL)


def pause(services: Services, name: str, length: timedelta, reason: str, by: str) -> Pause:
    """Pause `name` for `length`: due work waits. Raises: InvalidInputError for an unknown name."""
    subject = _subject(services, name)
    if not reason.strip():
        raise InvalidInputError({"reason": "must say why"})
    now = services.clock.now()
    told = entry(services, by, "source.pause", subject, seconds=length.total_seconds(), reason=reason)
    return services.store.pauses.pause(name, now + length, reason, by, now, told)


def resume(services: Services, name: str, by: str) -> bool:
    """End the pause of `name`, whatever set it; return whether there was one."""
    subject = _subject(services, name)
    return services.store.pauses.resume(name, entry(services, by, "source.resume", subject))


def _subject(services: Services, name: str) -> str:
    if name not in names(services):
        raise InvalidInputError({"name": f"must be one of {', '.join(names(services))}"})
    return MAIL if name == MAIL else f"source/{name}"
