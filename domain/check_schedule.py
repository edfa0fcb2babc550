"""Which sections to check next, at a fixed budget of requests. Pure.

The stagger checks each section once an hour. This schedule spends as many requests where a change is likely
and not yet detected. If changes arrive at a rate λ and an undetected one costs its delay, a check is due once
Λ²/2λ reaches a threshold, where Λ is the number of changes expected since the last check (the first-order
condition of the mean delay; with a constant rate it is the square-root rule of Cho and Garcia-Molina 2003).
The sections with the highest Λ²/λ are checked first, and the threshold follows from the budget.

Openings and closings have a rhythm each: seats open in busy hours, and a catalog may close sections in a
nightly job. An open section is checked only to see that it has closed, and a section that the catalog does
not list cannot open. Every estimate uses earlier answers alone. Times are hours since the Unix epoch.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass, field
from math import inf, log, sqrt

from domain.rhythm import Rhythm

MAX_INTERVAL_HOURS = 3.0
"""The longest time between two checks of a section."""
MAX_PACE = 3.0
"""The most requests in an hour, per section."""
LONGEST_ACCRUAL_HOURS = 1.0
"""How long the budget grows after a choice: a stopped scheduler, or a clock set forward, saves no more."""
_RETRY_HOURS = 0.5  # after a check without an answer, once the last answer is too old
_HALF_LIFE_HOURS = 336.0  # of the observations of a section


@dataclass(frozen=True, slots=True)
class ScheduleParameters:
    """Constants of the estimates; the defaults are tuned on the first half of a season (`bench.detection`).

    Shape: a section starts with the mean rate of its source, with the weight of `prior_changes`. Right after
    a change the rate of the next is 1 + `echo` times as high; that excess halves in `echo_hours`. Openings
    of the source within `burst_hours` show a burst. `open_weight` is the priority of an open section with one
    seat relative to a closed one; it falls with the power `seats_power` of the seats. `closing_risk` raises
    the priority of closed sections before hours in which sections close, because an opening may then be over
    before the next check. `reserve_hours` of the budget are saved, and a deviation from them is corrected
    over `correction_hours`.
    """

    prior_rate: float = 0.006
    prior_openings: float = 5.0
    prior_changes: float = 3.0
    echo: float = 5.0
    echo_hours: float = 0.5
    burst_hours: float = 0.5
    open_weight: float = 1.0
    seats_power: float = 1.5
    closing_risk: float = 0.3
    risk_hours: float = 0.5
    reserve_hours: float = 4.0
    correction_hours: float = 72.0


DEFAULT_PARAMETERS = ScheduleParameters()


@dataclass(slots=True)
class SectionActivity:
    """What the checks of one section have shown.

    Shape: `open_seats` is None while the catalog does not list the section. `checked_at` is the time of the
    last check, `answered_at` of the last answer. `openings` were observed in `exposure` active hours while it
    was closed; both decay.
    """

    open_seats: int | None = None
    checked_at: float | None = None
    answered_at: float | None = None
    changed_at: float | None = None
    openings: float = 0.0
    exposure: float = 0.0


@dataclass(slots=True)
class SourceActivity:
    """What the checks of one source have shown, and the requests that it may spend.

    Shape: `burst` is the decaying number of recent openings at `burst_at`. `allowance` is how many requests
    may be spent at once, below 0 after overdue sections exceeded it. `saved` is how many fewer were spent
    than one an hour for each section. `planned_at` is None before the first choice.
    """

    openings: Rhythm = field(default_factory=Rhythm.daily)
    closings: Rhythm = field(default_factory=Rhythm.daily)
    weekdays: Rhythm = field(default_factory=Rhythm.weekly)
    burst: float = 0.0
    burst_at: float = 0.0
    allowance: float = 0.0
    saved: float = 0.0
    planned_at: float | None = None


class CheckSchedule:
    """The schedule of the sections of one source; it updates `source`."""

    def __init__(
        self, source: SourceActivity | None = None, parameters: ScheduleParameters = DEFAULT_PARAMETERS
    ) -> None:
        self.source = source or SourceActivity()
        self._parameters = parameters

    def record(self, section: SectionActivity, open_seats: int | None, now: float) -> None:
        """Record an answer that was given at `now`; None if the catalog does not list the section."""
        since, before = section.answered_at, section.open_seats
        section.answered_at, section.open_seats = now, open_seats
        if since is None or before is None or open_seats is None or now <= since:
            return
        openings = self.source.openings
        kept = 0.5 ** ((now - since) / _HALF_LIFE_HOURS)
        is_changed = (before > 0) != (open_seats > 0)
        section.openings *= kept
        section.exposure *= kept
        if before == 0:
            section.openings += is_changed
            section.exposure += openings.clock(now) - openings.clock(since)
        if is_changed:
            section.changed_at = now
            self._record_change(since, now, is_opening=before == 0)

    def choose(
        self, sections: Collection[SectionActivity], now: float, next_choice: float
    ) -> list[SectionActivity]:
        """Return the sections to check at `now`, the most urgent first, and spend their requests.

        These are all that were never checked or would exceed `MAX_INTERVAL_HOURS` before `next_choice`, even
        beyond the allowance: later choices pay. Then come the others by priority.
        """
        mean = self._mean_rate(sections)
        self._accrue(sections, mean, now)
        overdue: list[SectionActivity] = []
        others: list[tuple[float, int, SectionActivity]] = []
        for place, section in enumerate(sections):
            if _is_overdue(section, now, next_choice):
                overdue.append(section)
            else:
                others.append((self._priority(section, mean, now), -place, section))
        most_urgent = heapq.nlargest(int(self.source.allowance) - len(overdue), others)
        chosen = [*overdue, *(section for _, _, section in most_urgent)]
        for section in chosen:
            section.checked_at = now
        self.source.allowance -= len(chosen)
        self.source.saved -= len(chosen)
        return chosen

    def next_choice(self, sections: Collection[SectionActivity], now: float) -> float:
        """Return when a request can be spent, or a section is nearly overdue; at most an hour after `now`."""
        first = min(map(_deadline, sections), default=inf)
        pace = self._pace(sections, self._mean_rate(sections), now)
        missing = max(0.0, 1.0 - self.source.allowance)
        affordable = now + missing / pace if pace else inf
        return max(now, min(affordable, first, now + LONGEST_ACCRUAL_HOURS))

    def _record_change(self, since: float, now: float, *, is_opening: bool) -> None:
        if not is_opening:
            self.source.closings.add(since, now)
            return
        self.source.openings.add(since, now)
        self.source.weekdays.add(since, now)
        self.source.burst, self.source.burst_at = self._burst(now) + 1, now

    def _burst(self, now: float) -> float:
        """Return the number of recent openings."""
        elapsed = max(0.0, now - self.source.burst_at)
        return float(self.source.burst * 0.5 ** (elapsed / self._parameters.burst_hours))

    def _mean_rate(self, sections: Collection[SectionActivity]) -> float:
        """Return the openings per active hour of a closed section."""
        p = self._parameters
        openings = sum(section.openings for section in sections) + p.prior_openings
        return openings / (sum(s.exposure for s in sections) + p.prior_openings / p.prior_rate)

    def _accrue(self, sections: Collection[SectionActivity], mean: float, now: float) -> None:
        """Add the budget since the last choice to the allowance."""
        since = self.source.planned_at
        elapsed = 0.0 if since is None else min(max(0.0, now - since), LONGEST_ACCRUAL_HOURS)
        self.source.planned_at = now
        self.source.saved += len(sections) * elapsed
        self.source.allowance += self._pace(sections, mean, now) * elapsed

    def _pace(self, sections: Collection[SectionActivity], mean: float, now: float) -> float:
        """Return the requests per hour to spend at `now`."""
        if not sections:
            return 0.0
        p, source, size = self._parameters, self.source, len(sections)
        closed = sum(section.open_seats == 0 for section in sections)
        expected = mean * closed * source.openings.at(now) * p.burst_hours / log(2)
        burst = sqrt((self._burst(now) + 1) / (expected + 1))
        risk = sqrt(self._risk(now) / (1 + p.closing_risk))
        rhythm = source.openings.pace(now) * source.weekdays.pace(now)
        correction = 1 + (source.saved / size - p.reserve_hours) / p.correction_hours
        return size * min(MAX_PACE, rhythm * burst * risk * max(0.0, correction))

    def _risk(self, now: float) -> float:
        p = self._parameters
        return 1 + p.closing_risk * self.source.closings.at(now + p.risk_hours)

    def _priority(self, section: SectionActivity, mean: float, now: float) -> float:
        """Return Λ²/λ in units of the mean rate, weighted by what a change is worth."""
        p, seats, since = self._parameters, section.open_seats, section.checked_at or now
        if seats is None:
            return 0.0
        rhythm = self.source.closings if seats else self.source.openings
        active = rhythm.clock(now) - rhythm.clock(since)
        urgency = active**2 / rhythm.at(now)
        if seats:
            return float(p.open_weight * seats**-p.seats_power * urgency)
        rate = (section.openings + p.prior_changes) / (section.exposure + p.prior_changes / mean) / mean
        if section.changed_at is not None:
            rate *= 1 + p.echo * 0.5 ** (max(0.0, now - section.changed_at) / p.echo_hours)
        return float(rate * self._risk(now) * urgency)


def _is_overdue(section: SectionActivity, now: float, next_choice: float) -> bool:
    """Return whether a section must be checked at `now`; also one whose last check is ahead of the clock."""
    return _deadline(section) <= next_choice or (section.checked_at or 0.0) > now


def _deadline(section: SectionActivity) -> float:
    """Return when a section must be checked again. One that did not answer is tried again sooner."""
    if section.checked_at is None:
        return 0.0
    answered_at = section.answered_at or 0.0
    retry = max(answered_at + MAX_INTERVAL_HOURS, section.checked_at + _RETRY_HOURS)
    return min(section.checked_at + MAX_INTERVAL_HOURS, retry)
