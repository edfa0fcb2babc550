"""Queue `poll`: reads polled catalogs, each at its own pace.

One worker of the fleet holds the lease, and has a thread for each host with a term that is due: a slow or
dead host delays no other. It stays while something is due soon, which keeps sessions. After a crash the next
message takes over when the lease expires; the poll's fence rejects late writes.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

from actors.pauses import pause_or_resume
from actors.registry import actor
from actors.services import Services
from domain.catalog_poll import PollOutcome
from domain.term import Term
from observability.recorders import record_poll
from resilience.breaker import CircuitBreakerError
from resilience.lease import LeaseHeldError, this_process
from store.catalogs.polls import SupersededPollError

if TYPE_CHECKING:
    from catalogs.client import CatalogClient

LINGER_SECONDS: Final = 150.0
"""How soon something must be due for the worker to stay; longer than the usual interval."""
SOON_SECONDS: Final = 5.0
"""As `LINGER_SECONDS`, where an external cron requests each poll: it may be a little early."""
_SPELL_SECONDS: Final = 3_600.0
"""After this time another message continues; sessions and robots.txt are read again then."""
_LIMIT_MS: Final = 2 * 3_600_000
_REFRESH_SECONDS: Final = 2.0
"""How often the due times are read: watches come and go meanwhile."""
_STEP_SECONDS: Final = 0.2  # Dramatiq interrupts a thread between two bytecodes only
_STOP_SECONDS: Final = 10.0  # below the stop timeout of a worker; a late write is rejected by its fence
_AFTER_CRASH: Final = timedelta(seconds=60)
_log = logging.getLogger(__name__)


# A stopping worker does not wait for slow answers: the next poll repeats them.
@actor(name="catalogs.poll", queue="poll", notify_shutdown=True, time_limit=_LIMIT_MS)
def poll(services: Services, linger_seconds: float = LINGER_SECONDS) -> None:
    """Poll what is due, and what is due within `linger_seconds`, until nothing is."""
    if not services.catalogs:
        return
    token, above = uuid4().hex, services.store.polls.newest_fence()
    try:
        with services.poll_lease.holding(token, this_process(work="polls"), above=above) as fence:
            PollLoop(services, fence, linger_seconds).run()
    except LeaseHeldError as held:
        _log.debug("polled by another worker", extra={"holder": str(held.holder)})


def due_times(services: Services) -> dict[Term, datetime]:
    """When each polled term is due; a paused catalog after its pause."""
    times, pauses = services.store.polls.due_times(services.catalogs), services.store.pauses.all()
    return {
        term: max(due_at, pauses[term[0]].until) if term[0] in pauses else due_at
        for term, due_at in times.items()
    }


def due_terms(services: Services, within: timedelta = timedelta(0)) -> list[Term]:
    """The terms that are due now, or `within` that time."""
    if not services.catalogs:
        return []
    soon = services.clock.now() + within
    return [term for term, due_at in due_times(services).items() if due_at <= soon]


def publish_due_polls(services: Services, depths: Mapping[str, int | None]) -> None:
    """Publish a message if a term is due and no worker polls; the scheduler calls it at each tick.

    Shape: `depths` as for `actors.reconcile.reconcile`.
    """
    if not depths.get(poll.queue) and due_terms(services) and services.poll_lease.held() is None:
        services.publish(poll.message())


class PollLoop:
    """Polls due terms under the lease with `fence`: the hosts at once, the terms of a host in sequence."""

    def __init__(self, services: Services, fence: int, linger_seconds: float) -> None:
        self._services = services
        self._fence = fence
        self._linger = timedelta(seconds=linger_seconds)
        self._clients: dict[str, CatalogClient] = {}
        self._busy: set[str] = set()
        self._ended: SimpleQueue[str] = SimpleQueue()
        self._not_before: dict[str, datetime] = {}
        self._stopping = Event()

    def run(self) -> None:
        """Return when nothing is due soon, after an hour, or when another worker polls."""
        ends_at = time.monotonic() + _SPELL_SECONDS
        try:
            while not self._stopping.is_set():
                is_over = time.monotonic() >= ends_at
                is_due_soon = not is_over and self._start_due()
                if not self._busy and not is_due_soon:
                    return
                self._wait()
        finally:
            self._stop()

    def _start_due(self) -> bool:
        """Start a thread for each idle host with due terms; return whether anything else is due soon."""
        now, is_due_soon = self._services.clock.now(), False
        by_host: dict[str, list[Term]] = defaultdict(list)
        for term, due_at in due_times(self._services).items():
            host = self._host(term[0])
            starts_at = max(due_at, self._not_before.get(host, due_at))
            if host not in self._busy and starts_at <= now:
                by_host[host].append(term)
            is_due_soon = is_due_soon or starts_at <= now + self._linger
        for host, terms in by_host.items():
            self._busy.add(host)
            Thread(target=self._poll_host, args=(host, terms), name=f"poll-{host}", daemon=True).start()
        return is_due_soon

    def _wait(self) -> None:
        """Wait until a thread ends, or for a moment."""
        until = time.monotonic() + _REFRESH_SECONDS
        while time.monotonic() < until and not self._stopping.is_set():
            try:
                self._busy.discard(self._ended.get(timeout=_STEP_SECONDS))
            except Empty:
                continue
            return

    def _stop(self) -> None:
        self._stopping.set()
        until = time.monotonic() + _STOP_SECONDS
        while self._busy and time.monotonic() < until:
            try:
                self._busy.discard(self._ended.get(timeout=_STEP_SECONDS))
            except Empty:
                continue

    def _poll_host(self, host: str, terms: list[Term]) -> None:
        try:
            for term in terms:
                if not self._stopping.is_set():
                    self._poll_term(term)
        except SupersededPollError as error:
            _log.warning("polling stops", extra={"error": str(error)})
            self._stopping.set()
        except Exception:  # noqa: BLE001 - logged, and tried again: the database may be unavailable
            _log.exception("a poll failed", extra={"host": host})
            self._not_before[host] = self._services.clock.now() + _AFTER_CRASH
        finally:
            self._ended.put(host)

    def _poll_term(self, term: Term) -> None:
        # Only a worker that polls needs families.
        from actors.catalog_terms import refresh_terms  # noqa: PLC0415
        from actors.term_poller import TermPoller  # noqa: PLC0415

        services, source, now = self._services, term[0], self._services.clock.now()
        active, before = services.catalogs[source], services.store.pauses.find(source)
        if source not in self._clients:
            self._clients[source] = active.connect()
        running = services.store.polls.begin(term, self._fence, now)
        client, is_stopping = self._clients[source], self._stopping.is_set
        this = TermPoller(services, active, client, running, is_stopping, started_at=now)
        try:
            outcome = this.run()
        except CircuitBreakerError as refusal:
            wait = timedelta(seconds=refusal.retry_after_seconds)
            services.store.polls.postpone(running, services.clock.now() + wait)
            return
        errors = [outcome.error] if outcome.error is not None else []
        pause_or_resume(services, source, errors, before, has_answered=outcome.has_answered)
        if outcome.error is None and not self._stopping.is_set():
            refresh_terms(services, active, client)
        _report(services, outcome)

    def _host(self, source: str) -> str:
        return urlsplit(self._services.catalogs[source].profile.options.base_url).netloc.lower()


def _report(services: Services, outcome: PollOutcome) -> None:
    record_poll(services.recorder, outcome)
    caused = {"changed": outcome.changed, "notifications": outcome.notifications}
    asked = {"source": outcome.source, "term": outcome.term, "requests": outcome.requests}
    _log.info("polled", extra=asked | {"rows": outcome.rows} | caused)
