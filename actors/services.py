"""The services of every actor: one frozen graph, built by the wiring."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from dramatiq import Message

from domain.alert import AlertNotification
from domain.errors import UnreachableError
from domain.job import JobRecord
from domain.money import Prices
from domain.notification import Notification, OutboundMessage
from domain.ports import Clock, Mailer, Source
from domain.section import Stagger
from domain.text import describe
from observability.recorders import Recorder
from resilience.breaker import CircuitBreaker
from resilience.claims import Claims
from resilience.lease import Lease
from store.repositories import Store
from workflows.kind import JobKinds
from workflows.kinds import KINDS

if TYPE_CHECKING:
    from catalogs.active import ActiveCatalog
    from catalogs.samples import Sample

_log = logging.getLogger(__name__)


class Timetable(Protocol):
    """When each half of the sections is due."""

    def slot(self, stagger: Stagger, now: datetime) -> datetime:
        """Return the latest time, not after `now`, at which `stagger` was due."""

    def slot_before(self, stagger: Stagger, now: datetime, intervals: int) -> datetime:
        """As `slot`, that many slots earlier."""

    def next_slot(self, now: datetime) -> datetime:
        """Return the first time after `now` at which either half is due."""

    def current(self, now: datetime) -> Stagger:
        """Return the half that was due last."""


@dataclass(frozen=True, slots=True)
class OperatorChannels:
    """How the operator is reached.

    Shape: `channels` has one entry per channel, by its name in the store; each sends one alert notification
    within `longest_send_seconds`, and raises RollcallError on failure. `ping` reports a finished run to an
    external monitor, or is None where none is configured; it raises RollcallError.
    """

    channels: Mapping[str, Callable[[AlertNotification], None]] = field(default_factory=dict)
    ping: Callable[[], None] | None = None
    longest_send_seconds: float = 60.0


class JobEngine(Protocol):
    """Executes jobs, in the role `rollcall jobs`."""

    def start(self, job: JobRecord) -> None:
        """Enqueue the job's phase in order of submission. Idempotent."""

    def start_now(self, workflow: str) -> None:
        """Run the phase with this workflow id now, if it is still queued."""


@dataclass(frozen=True, slots=True)
class JobRuntime:
    """What jobs need besides the store.

    Shape: `engine` and `post` are None where no jobs are executed; `post` sends a callback (url, job id,
    body) about an ended job, and raises RollcallError.
    """

    kinds: JobKinds = field(default_factory=lambda: KINDS)
    engine: JobEngine | None = None
    post: Callable[[str, str, str], None] | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """The ports and policies of every actor.

    Shape: `sources` are checked section by section, `catalogs` are polled; both by name. `breakers` has one
    entry for each of them, for "mail" and for each provider. `run_lifetime` bounds how long a run
    may claim its sections. `publish` raises UnreachableError when the broker is unreachable. `recorder`
    records metrics. `save_sample` keeps a doubtful answer of a catalog, and returns its file, None if it
    cannot be kept. `describe` formats an error for people: one line without secrets. `wait` sleeps for some
    seconds between attempts to write. The price of a report is checked where `prices` are set. In a budgeted
    system the check schedule chooses the sections of a run, instead of the halves of the timetable.
    """

    clock: Clock
    timetable: Timetable
    store: Store
    sources: Mapping[str, Source]
    mailer: Mailer
    render: Callable[[Notification, datetime], OutboundMessage]
    breakers: Mapping[str, CircuitBreaker]
    cron_lease: Lease
    poll_lease: Lease
    claims: Claims
    publish: Callable[[Message[Any]], None]
    run_lifetime: timedelta
    operator: OperatorChannels = OperatorChannels()
    recorder: Recorder = field(default_factory=Recorder)
    jobs: JobRuntime = field(default_factory=JobRuntime)
    describe: Callable[[BaseException], str] = describe
    wait: Callable[[float], object] = time.sleep
    prices: Prices | None = None
    catalogs: Mapping[str, ActiveCatalog] = field(default_factory=dict)
    is_budgeted: bool = False
    save_sample: Callable[[str, Sample, str, datetime], str | None] = lambda *_: None

    @property
    def source_names(self) -> tuple[str, ...]:
        """Every source of a section: those that are checked section by section, then the polled catalogs."""
        return (*self.sources, *self.catalogs)

    def publish_or_defer(self, message: Message[Any], **ids: object) -> None:
        """Publish, or leave that to the reconciler while the broker is unreachable; `ids` are logged then."""
        try:
            self.publish(message)
        except UnreachableError as error:
            _log.warning(
                "broker unreachable, the reconciler will publish", extra={**ids, "error": str(error)}
            )
