"""Which sections to check next, at a fixed budget of requests. Pure.

The stagger checks each section once an hour. This schedule spends as many requests where an opening is likely
and not yet detected. The priority of a section is its rate of change times a power of the activity since its
last check. With the square, checking the highest priority first spends requests in proportion to the square
root of the rate, which minimises the mean delay (Cho and Garcia-Molina 2003; Azar et al. 2018, "Tractable
near-optimal policies for crawling"). Three facts refine it: only a closed section can open, an open one with
few seats closes sooner, and a catalog has busy hours.

Every estimate uses earlier answers alone. Without any, all closed sections and all hours are equal. Times are
hours since the Unix epoch.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf

MAX_INTERVAL_HOURS = 3.0
"""The longest time between two checks of a section."""
HOURS = 24


@dataclass(slots=True)
class ChangeCount:
    """The changes between open and closed, and the active hours in which they were observed; both decay."""

    changes: float = 0.0
    exposure: float = 0.0


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """How a rate of change follows from observations.

    Shape: observations lose half their weight in `half_life_hours`. `prior_rate` changes per active hour are
    assumed, with the weight of `prior_hours` of observation.
    """

    half_life_hours: float
    prior_rate: float
    prior_hours: float

    def rate(self, count: ChangeCount) -> float:
        """Return the changes per active hour."""
        return (count.changes + self.prior_rate * self.prior_hours) / (count.exposure + self.prior_hours)

    def add(self, count: ChangeCount, *, is_changed: bool, hours: float, active_hours: float) -> None:
        """Add the observation of whether the section has changed in the last `hours`."""
        kept = 0.5 ** (hours / self.half_life_hours)
        count.changes = count.changes * kept + is_changed
        count.exposure = count.exposure * kept + active_hours


@dataclass(frozen=True, slots=True)
class ScheduleParameters:
    """Constants of the estimates; the defaults are tuned on the first half of a season (`bench.detection`).

    Shape: the rate of a section is the mean of a `recent` and a `lasting` estimate. `open_weight` is the
    priority of an open section with one seat relative to a closed one; it falls with the power `seats_power`
    of the seats. `hour_prior` changes are assumed in each hour of the day. `shift` is how far the budget
    follows the activity of the hours: 0 spends the same in each, 1 in proportion. `elapsed_power` is 2 for
    the square-root rule; a lower one favours sections that change often.
    """

    recent: RateEstimate = RateEstimate(half_life_hours=2.0, prior_rate=0.08, prior_hours=3.0)
    lasting: RateEstimate = RateEstimate(half_life_hours=400.0, prior_rate=0.005, prior_hours=48.0)
    open_weight: float = 0.2
    seats_power: float = 0.5
    shift: float = 0.7
    hour_prior: float = 2.0
    elapsed_power: float = 2.0


DEFAULT_PARAMETERS = ScheduleParameters()


@dataclass(slots=True)
class HourlyActivity:
    """How many changes each hour of the day (UTC) has, relative to the mean hour.

    Shape: `prior` is the number of changes assumed in each hour, above 0.
    """

    prior: float
    _changes: list[float] = field(default_factory=lambda: [0.0] * HOURS)
    _sums: list[float] = field(default_factory=lambda: [float(hour) for hour in range(HOURS + 1)])

    def add(self, since: float, until: float) -> None:
        """Count one change that happened between the two times."""
        middle = int((since + until) / 2)
        for offset, part in ((-1, 0.25), (0, 0.5), (1, 0.25)):
            self._changes[(middle + offset) % HOURS] += part
        total = sum(self._changes) + HOURS * self.prior
        self._sums = [0.0, *accumulate(HOURS * (each + self.prior) / total for each in self._changes)]

    def at(self, now: float) -> float:
        """Return the activity of the hour of `now`; its mean over the day is 1."""
        hour = int(now) % HOURS
        return self._sums[hour + 1] - self._sums[hour]

    def until(self, now: float) -> float:
        """Return the active hours from the epoch to `now`: a clock that runs faster in busy hours."""
        whole = int(now)
        return whole // HOURS * HOURS + self._sums[whole % HOURS] + (now - whole) * self.at(now)


@dataclass(slots=True)
class SectionActivity:
    """What the checks of one section have shown.

    Shape: `open_seats` is None before the first answer that states them.
    """

    open_seats: int | None = None
    checked_at: float | None = None
    recent: ChangeCount = field(default_factory=ChangeCount)
    lasting: ChangeCount = field(default_factory=ChangeCount)


class CheckSchedule:
    """The schedule of the sections of one source."""

    def __init__(self, parameters: ScheduleParameters = DEFAULT_PARAMETERS) -> None:
        self._parameters = parameters
        self.hours = HourlyActivity(parameters.hour_prior)

    def budget(self, sections: int, since: float, until: float) -> float:
        """Return the requests to spend between two times of one hour: over a day, 24 for each section."""
        shift = self._parameters.shift
        return sections * (until - since) * (1 - shift + shift * self.hours.at(since))

    def record(self, section: SectionActivity, open_seats: int | None, now: float) -> None:
        """Record the answer of a check; None if it states no seats."""
        since, before = section.checked_at, section.open_seats
        section.checked_at = now
        if open_seats is None:
            return
        section.open_seats = open_seats
        if since is None or before is None:
            return
        is_changed = (before > 0) != (open_seats > 0)
        hours, active = now - since, self.hours.until(now) - self.hours.until(since)
        p = self._parameters
        for estimate, count in ((p.recent, section.recent), (p.lasting, section.lasting)):
            estimate.add(count, is_changed=is_changed, hours=hours, active_hours=active)
        if is_changed:
            self.hours.add(since, now)

    def choose(
        self, sections: Iterable[SectionActivity], requests: int, now: float, next_choice: float
    ) -> list[SectionActivity]:
        """Return the sections to check at `now`, the most urgent first.

        These are all that would exceed `MAX_INTERVAL_HOURS` before `next_choice`, even if they are more than
        `requests`: the caller subtracts them from later ones. Then come sections that were never checked, and
        the others by priority.
        """
        overdue: list[SectionActivity] = []
        others: list[tuple[float, int, SectionActivity]] = []
        clock = self.hours.until(now)
        for place, section in enumerate(sections):
            checked_at = section.checked_at
            if checked_at is None:
                others.append((inf, -place, section))
            elif checked_at <= next_choice - MAX_INTERVAL_HOURS:
                overdue.append(section)
            else:
                others.append(
                    (self._priority(section, clock - self.hours.until(checked_at)), -place, section)
                )
        most_urgent = heapq.nlargest(requests - len(overdue), others)
        return [*overdue, *(section for _, _, section in most_urgent)]

    def _priority(self, section: SectionActivity, active_hours: float) -> float:
        """Return the priority of a section whose last check was so many active hours ago."""
        p = self._parameters
        rate = (p.recent.rate(section.recent) + p.lasting.rate(section.lasting)) / 2
        weight = p.open_weight / section.open_seats**p.seats_power if section.open_seats else 1.0
        return float(weight * rate * max(0.0, active_hours) ** p.elapsed_power)
