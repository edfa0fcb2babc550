"""A lease whose holder is superseded immediately."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from actors.services import Services
from domain.section import Stagger
from resilience.lease import Lease


class SupersededLease(Lease):
    """`services.cron_lease`; another dispatcher starts a run with a higher fence as soon as it is held."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lease = services.cron_lease

    @contextmanager
    def holding(self, token: str, holder: Mapping[str, str], *, above: int = 0) -> Iterator[int]:
        runs, now = self._services.store.runs, self._services.clock.now()
        with self._lease.holding(token, holder, above=above) as fence:
            newer, _ = runs.create("test", Stagger.ALL, now, now, force=True)
            lifetime = self._services.run_lifetime
            runs.start(newer.id, [], fence=fence + 1, deferred=0, lifetime=lifetime, now=now)
            yield fence


def superseded(services: Services) -> Services:
    """`services` whose dispatchers lose their lease before they write."""
    return replace(services, cron_lease=SupersededLease(services))
