"""Metric definitions and their in-memory recorder, by Prometheus' conventions (docs/metrics.md).

Recording costs a few dictionary look-ups and no round trip; `CounterTotals` flushes to the metrics store. A
count's name joins the metric's name and its labels with tabs; a histogram has one count per bucket and one
for the sum. All counts are integers (durations in microseconds), so that sums stay exact.

The label `outcome` classifies each check and each delivery in one word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock

from domain.catalog import CatalogFault, fault_of
from domain.catalog_poll import PollOutcome
from domain.errors import (
    InsecureConnectionError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnknownHostError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, DeliveryResult, Notification
from domain.observation import CheckFailure, Missing, Outcome

_SUM = "sum"
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class CounterDefinition:
    """A counter; `name` is without its `_total`. A counter of seconds counts in microseconds.

    Shape: counts under the `former` name, stored by an earlier release, are added.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    is_seconds: bool = False
    former: str = ""

    def key(self, *values: str) -> str:
        """Return the count's name for these labels."""
        return "\t".join((self.name, *values))

    def value(self, counts: Mapping[str, int], *values: str) -> float:
        """Return the value for these labels, in the metric's unit."""
        count = _sum(counts, (self.name, self.former), values)
        return count / _MICRO if self.is_seconds else float(count)


@dataclass(frozen=True)
class HistogramDefinition:
    """A histogram of durations; `bounds_seconds` are the buckets' upper bounds, without infinity.

    Shape: counts under the `former` name, stored by an earlier release, are added.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    bounds_seconds: tuple[float, ...]
    former: str = ""

    @cached_property
    def ends(self) -> tuple[str, ...]:
        """Return the buckets' upper bounds, as Prometheus writes them."""
        return (*map(repr, self.bounds_seconds), "+Inf")

    def key(self, *values: str, part: str) -> str:
        """Return the name of one bucket's count, or of the sum's."""
        return "\t".join((self.name, *values, part))

    def buckets(self, counts: Mapping[str, int], *values: str) -> list[tuple[str, float]]:
        """Return each bucket's bound, and how many durations did not exceed it."""
        found, total = [], 0
        for end in self.ends:
            total += _sum(counts, (self.name, self.former), (*values, end))
            found.append((end, float(total)))
        return found

    def sum_seconds(self, counts: Mapping[str, int], *values: str) -> float:
        """Return the sum of all durations."""
        return _sum(counts, (self.name, self.former), (*values, _SUM)) / _MICRO


def _sum(counts: Mapping[str, int], names: Iterable[str], labels: Sequence[str]) -> int:
    return sum(counts.get("\t".join((name, *labels)), 0) for name in names if name)


class Recorder:
    """Records what this process counts between two calls of `take`. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, int] = {}

    def add(self, counter: CounterDefinition, *labels: str, n: int = 1) -> None:
        """Count `n` events."""
        self._add({counter.key(*labels): n})

    def add_seconds(self, counter: CounterDefinition, *labels: str, seconds: float) -> None:
        """Add a duration."""
        self._add({counter.key(*labels): round(seconds * _MICRO)})

    def observe(self, histogram: HistogramDefinition, *labels: str, seconds: float) -> None:
        """Count one duration; a negative one, as from diverging clocks, counts as zero."""
        self.observe_all(histogram, *labels, seconds=[seconds])

    def observe_all(self, histogram: HistogramDefinition, *labels: str, seconds: Iterable[float]) -> None:
        """As `observe`, for many at once."""
        buckets: dict[str, int] = {}
        total_seconds = 0.0
        for each in seconds:
            end = histogram.ends[bisect_left(histogram.bounds_seconds, each)]
            buckets[end] = buckets.get(end, 0) + 1
            total_seconds += max(0.0, each)
        counts = {histogram.key(*labels, part=end): n for end, n in buckets.items()}
        self._add({**counts, histogram.key(*labels, part=_SUM): round(total_seconds * _MICRO)})

    def take(self) -> dict[str, int]:
        """Return the counts by name, and reset them."""
        with self._lock:
            taken, self._counts = self._counts, {}
        return taken

    def _add(self, increments: Mapping[str, int]) -> None:
        with self._lock:
            for key, n in increments.items():
                self._counts[key] = self._counts.get(key, 0) + n


class CounterTotals:
    """Flushes a recorder exactly once: a failed entry is retried unchanged before the next is made.

    One thread at a time flushes; others wait for it.
    """

    def __init__(self, recorder: Recorder, enter: Callable[[int, Mapping[str, int]], None]) -> None:
        self._recorder = recorder
        self._enter = enter
        self._lock = Lock()
        self._number = 0
        self._pending: dict[str, int] = {}

    def flush(self) -> None:
        """Flush the counts, if there are any. Raises what `enter` does; call it again later."""
        with self._lock:
            if not self._pending:
                self._pending = self._recorder.take()
                self._number += 1
            if self._pending:
                self._enter(self._number, self._pending)
                self._pending = {}


_WORK_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_WAIT_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0)
_MAIL_SECONDS = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)

MESSAGES = CounterDefinition("rollcall_messages", "Processed messages; each attempt counts", ("actor",))
ERRORS = CounterDefinition("rollcall_message_errors", "Attempts that ended with an exception", ("actor",))
RETRIES = CounterDefinition(
    "rollcall_message_retries", "Failed messages that were scheduled for another attempt", ("actor",)
)
REJECTED = CounterDefinition("rollcall_messages_rejected", "Messages that became dead letters", ("actor",))
DURATION = HistogramDefinition(
    "rollcall_message_duration_seconds", "Duration of an attempt", ("actor",), _WORK_SECONDS
)
WAIT = HistogramDefinition(
    "rollcall_message_wait_seconds",
    "From when a message was due to the start of its processing",
    ("queue",),
    _WAIT_SECONDS,
)
CHECKS = CounterDefinition("rollcall_checks", "Section checks by outcome", ("source", "outcome"))
SOURCE_RESPONSE = HistogramDefinition(
    "rollcall_source_response_seconds",
    "How long a source took to answer for a section",
    ("source",),
    _WORK_SECONDS,
    former="rollcall_source_answer_seconds",
)
SECTION_EVENTS = CounterDefinition(
    "rollcall_section_events", "Sections that changed", ("source",), former="rollcall_changes"
)
POLLS = CounterDefinition(
    "rollcall_catalog_polls", "Polls of catalogs by their first fault", ("source", "fault")
)
POLL_REQUESTS = CounterDefinition("rollcall_catalog_requests", "Requests that polls sent", ("source",))
POLL_ROWS = CounterDefinition("rollcall_catalog_rows", "Sections in the answers to polls", ("source",))
POLL_SECONDS = HistogramDefinition(
    "rollcall_catalog_poll_seconds", "How long a catalog took to answer a poll", ("source",), _WORK_SECONDS
)
DELIVERIES = CounterDefinition(
    "rollcall_deliveries", "Messages to people by outcome", ("outcome",), former="rollcall_mails"
)
NOTIFICATION_LATENCY = HistogramDefinition(
    "rollcall_notification_latency_seconds",
    "From the observation of a change to the transport accepting its message",
    (),
    _MAIL_SECONDS,
    former="rollcall_detect_to_mail_seconds",
)
TRANSITIONS = CounterDefinition(
    "rollcall_breaker_transitions", "Changes of a breaker's state", ("breaker", "to")
)
REFUSED = CounterDefinition(
    "rollcall_requests_refused",
    "HTTP requests refused because too many of their class were active",
    ("class",),
)
STARTS = CounterDefinition("rollcall_process_starts", "Processes that were started", ("role",))
CPU = CounterDefinition(
    "rollcall_process_cpu_seconds", "CPU time of all processes of a role", ("role",), is_seconds=True
)

COUNTERS = (
    MESSAGES, ERRORS, RETRIES, REJECTED, CHECKS, SECTION_EVENTS, POLLS, POLL_REQUESTS, POLL_ROWS, DELIVERIES,
    TRANSITIONS, REFUSED, STARTS, CPU,
)  # fmt: skip
HISTOGRAMS = (DURATION, WAIT, SOURCE_RESPONSE, POLL_SECONDS, NOTIFICATION_LATENCY)
BREAKER_STATES = ("closed", "half_open", "open")
UNKNOWN_ACTOR = "unknown"  # unknown to this release: arbitrary text must not become a label


_OBSERVED, _MISSING, _OTHER = "observed", "missing", "other"
_FAILURES: dict[type[RollcallError], str] = {
    UpstreamTimeoutError: "timeout",
    UnreachableError: "unreachable",
    UnknownHostError: "unreachable",
    InsecureConnectionError: "unreachable",
    UpstreamError: "upstream",
    MalformedResponseError: "malformed",
    RateLimitedError: "rate_limited",
    UnauthorisedError: "unauthorised",
    RejectedError: "rejected",
}

CHECK_OUTCOMES = (_OBSERVED, _MISSING, *dict.fromkeys(_FAILURES.values()), _OTHER)

NO_FAULT = "none"
POLL_FAULTS = (NO_FAULT, *CatalogFault)

SENT, DEAD = "sent", "dead"
REPORTED = (
    "delivered", "delayed", "bounced", "soft_bounced", "complained", "failed", "unsent", "suppressed",
)  # fmt: skip
"""What the mail provider reports afterwards, by its events' kinds."""

DELIVERY_OUTCOMES = (SENT, DEAD, *REPORTED)


def of_check(outcome: Outcome) -> str:
    """Return one of `CHECK_OUTCOMES`."""
    if isinstance(outcome, CheckFailure):
        return _FAILURES.get(type(outcome.error), _OTHER)
    return _MISSING if isinstance(outcome, Missing) else _OBSERVED


def record_checks(recorder: Recorder, source: str, outcomes: Sequence[Outcome], changed: int) -> None:
    """Record the outcomes of `source`, their durations, and how many sections changed."""
    for outcome, n in Counter(map(of_check, outcomes)).items():
        recorder.add(CHECKS, source, outcome, n=n)
    answers = [outcome.took_seconds for outcome in outcomes if not isinstance(outcome, CheckFailure)]
    measured = [seconds for seconds in answers if seconds is not None]
    recorder.observe_all(SOURCE_RESPONSE, source, seconds=measured)
    recorder.add(SECTION_EVENTS, source, n=changed)


def record_poll(recorder: Recorder, outcome: PollOutcome) -> None:
    """Record a poll: its first fault, its duration, and what it read."""
    name, error = outcome.source, outcome.error
    recorder.add(POLLS, name, NO_FAULT if error is None else fault_of(error))
    recorder.add(POLL_REQUESTS, name, n=outcome.requests)
    recorder.add(POLL_ROWS, name, n=outcome.rows)
    recorder.add(SECTION_EVENTS, name, n=outcome.changed)
    recorder.observe(POLL_SECONDS, name, seconds=outcome.seconds)


def record_deliveries(
    recorder: Recorder,
    notifications: Sequence[Notification],
    results: Sequence[DeliveryResult],
    now: datetime,
) -> None:
    """Record the transport's results for the messages of `notifications`, in order."""
    pairs = zip(notifications, results, strict=True)
    accepted = [notification for notification, result in pairs if isinstance(result, Accepted)]
    ages_seconds = [(now - notification.observed_at).total_seconds() for notification in accepted]
    recorder.observe_all(NOTIFICATION_LATENCY, seconds=ages_seconds)
    recorder.add(DELIVERIES, SENT, n=len(accepted))
    record_dead(recorder, len(notifications) - len(accepted))


def record_dead(recorder: Recorder, notifications: int) -> None:
    """Record notifications that were given up."""
    recorder.add(DELIVERIES, DEAD, n=notifications)
