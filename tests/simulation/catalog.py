"""The catalog as it truly is, and the scraper through which the hosts see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from domain.errors import (
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.observation import CheckFailure, Details, Missing, Observation, Outcome, instructor, seats
from domain.section import SectionKey
from tests.simulation.faults import Fault, Outage
from tests.simulation.tasks import Task, current

if TYPE_CHECKING:
    from tests.simulation.hosts import Host
    from tests.simulation.world import World

RESERVED = 2
ENDED_TERM = "2257"
PEOPLE = ("Staff", "Curie, Marie", "Noether, Emmy")


@dataclass(slots=True)
class Truth:
    """One section as it is."""

    open_seats: int | None = 0
    instructor: str | None = "Staff"
    exists: bool = True
    is_doomed: bool = False
    is_roomy: bool = False
    is_reserving: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """One answer that the scraper gave for one section."""

    at_ms: int
    key: SectionKey
    outcome: Outcome


@dataclass(eq=False)
class Asking:
    """Sections that are being asked for under a probe's permit."""

    epoch: object
    permit_ms: int
    sections: int


@dataclass
class Catalog:
    """The true state; `asks` is the scraper's own log, and `term_ended_ms` when `ENDED_TERM` was removed."""

    world: World
    name: str = "scraper"
    truth: dict[SectionKey, Truth] = field(default_factory=dict)
    asks: list[Ask] = field(default_factory=list)
    probing: list[Asking] = field(default_factory=list)
    term_ended_ms: int | None = None

    def seen_from(self, host: Host) -> Scraper:
        return Scraper(self, host)

    def move(self, key: SectionKey) -> None:
        """Let something happen to a section, unless it is gone for good."""
        chance, section = self.world.chance, self.truth[key]
        if section.is_doomed:
            return
        kind = chance.random()
        if kind < 0.75:
            section.open_seats = chance.choice(_seats_after(section))
        elif kind < 0.92:
            section.instructor = chance.choice(PEOPLE if section.instructor == "Staff" else ("Staff", None))
        elif kind < 0.95:
            section.open_seats = None
        else:
            section.exists = not section.exists
        self.world.scheduler.log_event(key, f"is {section}")

    def make_known(self) -> None:
        """Let everything be in the database as it is, as if a first run were over; it saves a run a seed."""
        raw = self.world.environment.raw
        for key, section in self.truth.items():
            facts = (self.world.timeline.now_ms - 3_600_000, section.open_seats, 30)
            named = instructor(section.instructor)
            raw.execute(
                "UPDATE sections SET observed_at_ms = ?, open_seats = ?, capacity = ?, instructor = ?"
                " WHERE number = ?",
                (*facts, named, key.number),
            )
            raw.execute(
                "INSERT INTO section_history (section_id, observed_at_ms, open_seats, capacity, instructor)"
                " SELECT id, ?, ?, ?, ? FROM sections WHERE number = ?",
                (*facts, named, key.number),
            )

    def remove(self, key: SectionKey) -> None:
        """Remove a section for good."""
        section = self.truth[key]
        section.exists, section.is_doomed = False, True
        if key.term == ENDED_TERM:
            self.term_ended_ms = self.world.timeline.now_ms
        self.world.scheduler.log_event(key, "is gone")

    def misses(self, number: str, until_ms: int) -> int:
        """How often a section was reported missing by itself: not with its whole term."""
        return sum(
            ask.key.number == number
            and isinstance(ask.outcome, Missing)
            and ask.at_ms <= until_ms
            and not self._shows_ended_term(ask)
            for ask in self.asks
        )

    def _shows_ended_term(self, ask: Ask) -> bool:
        is_over = self.term_ended_ms is not None and ask.at_ms > self.term_ended_ms
        return is_over and ask.key.term == ENDED_TERM


@dataclass(frozen=True, slots=True)
class Scraper:
    """A `domain.ports.Source` over the catalog, as one host reaches it."""

    catalog: Catalog
    host: Host

    @property
    def name(self) -> str:
        return self.catalog.name

    def longest_probe_seconds(self, probes: int) -> float:
        return 0.0

    def plan(self, keys: Iterable[SectionKey]) -> Iterable[Sequence[SectionKey]]:
        ordered, chunk = sorted(keys), self.catalog.world.chunk
        return [ordered[at : at + chunk] for at in range(0, len(ordered), chunk)]

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        world, task = self.catalog.world, current()
        assert task is not None
        world.scheduler.pause(f"ask {', '.join(key.number for key in keys)}")
        probe = self._judge(task, len(keys))
        try:
            if world.weather.strikes(Fault.SOURCE_SLOW):
                world.scheduler.pause("slow", 1000 * 100 ** world.chance.random())
            outcomes = [self._outcome(key) for key in keys]
            now_ms = world.timeline.now_ms
            self.catalog.asks += [Ask(now_ms, outcome.key, outcome) for outcome in outcomes]
            world.chance.shuffle(outcomes)
            world.scheduler.pause(f"answered {', '.join(map(_describe, outcomes))}")
        finally:
            if probe in self.catalog.probing:
                self.catalog.probing.remove(probe)
        return outcomes

    def close(self) -> None:
        """Nothing is open."""

    def _judge(self, task: Task, sections: int) -> Asking | None:
        """Whether the breaker let this request out: while it is open nothing is asked but its probes."""
        world, permit = self.catalog.world, task.permit
        if permit is None or permit[0] == "closed":
            return None
        state, epoch, at_ms = permit
        if state == "open":
            world.scheduler.record_violation("the source was asked although the breaker is open")
        probe = Asking(epoch, at_ms, sections)
        alive_since = world.timeline.now_ms - world.policy.probe_ms
        if at_ms <= alive_since:
            return None
        rivals = [other for other in self.catalog.probing if other.epoch == epoch]
        asked = sections + sum(other.sections for other in rivals if other.permit_ms > alive_since)
        if asked > world.policy.success_threshold:
            world.scheduler.record_violation(f"{asked} probes at once, of {world.policy.success_threshold}")
        self.catalog.probing.append(probe)
        return probe

    def _outcome(self, key: SectionKey) -> Outcome:
        error = self._error()
        now = self.host.clock.now()
        section = self.catalog.truth[key]
        if error is not None:
            return CheckFailure(key, error)
        if not section.exists:
            return Missing(key, now)
        omits_reserved = self.catalog.world.weather.strikes(Fault.SOURCE_UNTOLD)
        return _observation(
            key, section, now, self.catalog.world.timeline.now_ms, omits_reserved=omits_reserved
        )

    def _error(self) -> RollcallError | None:
        weather, chance = self.catalog.world.weather, self.catalog.world.chance
        if weather.lasts(Outage.SOURCE_KEY) or weather.strikes(Fault.SOURCE_UNAUTHORISED):
            return UnauthorisedError("401")
        if weather.lasts(Outage.SOURCE) or weather.strikes(Fault.SOURCE_ERROR):
            return chance.choice((UpstreamError("503"), UpstreamTimeoutError("no answer in time")))
        if weather.strikes(Fault.SOURCE_GARBLED):
            return MalformedResponseError("<html>")
        if weather.strikes(Fault.SOURCE_LIMITED):
            return RateLimitedError("429", retry_after_seconds=chance.choice((None, 3.0, 40.0, 200.0)))
        if weather.strikes(Fault.SOURCE_REJECTS):
            return RejectedError("400")
        return None


def _seats_after(section: Truth) -> tuple[int, ...]:
    if section.is_roomy:
        return (1,) if section.open_seats == 3 else (3,)
    return (0, 0, 0, 2, 3, -1) if section.open_seats else (1, 2, 3)


def _observation(
    key: SectionKey, section: Truth, now: datetime, true_ms: int, *, omits_reserved: bool
) -> Observation:
    """The section now; its location encodes the time. Some reserve seats, and omit them at times."""
    open_seats, named = seats(section.open_seats), instructor(section.instructor)
    unreserved = open_seats if section.is_reserving and not omits_reserved else None
    if section.is_reserving and omits_reserved and open_seats is not None:
        open_seats += RESERVED
    details = Details("CSE 100", "" if omits_reserved else "Advanced Data Structures", str(true_ms))
    return Observation(key, now, open_seats, 30, named, details, unreserved_seats=unreserved)


def _describe(outcome: Outcome) -> str:
    match outcome:
        case CheckFailure():
            return f"{outcome.key.number} {type(outcome.error).__name__}"
        case Missing():
            return f"{outcome.key.number} missing"
        case Observation():
            return f"{outcome.key.number} {outcome.open_seats} {outcome.instructor!r}"
