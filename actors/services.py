"""What actors work with: one frozen graph, built by the wiring, given to every actor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from dramatiq import Message

from domain.notice import Letter, Notice
from domain.ports import Clock, Mailer, Source
from domain.section import Stagger
from resilience.breaker import CircuitBreaker
from resilience.claims import Claims
from resilience.lease import Lease
from store.checks import Checks
from store.deliveries import Deliveries
from store.outbox import Outbox
from store.runs import Runs
from store.sections import Sections
from store.watches import Watches


class Timetable(Protocol):
    """When which half of the sections is due."""

    def slot(self, stagger: Stagger, now: datetime) -> datetime:
        """The latest time, not after `now`, at which `stagger` was due."""

    def current(self, now: datetime) -> Stagger:
        """The half that was due last."""


@dataclass(frozen=True, slots=True)
class Store:
    """The repositories of one database."""

    sections: Sections
    watches: Watches
    runs: Runs
    checks: Checks
    outbox: Outbox
    deliveries: Deliveries


@dataclass(frozen=True, slots=True)
class Services:
    """The ports and policies of every actor.

    Shape: `breakers` has one entry a source, by its name, and "mail". `run_lifetime` bounds how long a run
    may hold its sections. `publish` raises UnreachableError when the broker cannot be reached.
    """

    clock: Clock
    timetable: Timetable
    store: Store
    sources: Mapping[str, Source]
    mailer: Mailer
    render: Callable[[Notice], Letter]
    breakers: Mapping[str, CircuitBreaker]
    cron_lease: Lease
    claims: Claims
    publish: Callable[[Message[Any]], None]
    run_lifetime: timedelta
