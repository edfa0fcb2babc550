"""The demo campus: thirty sections of a fictional term whose seats and instructors change with time.

The state is a pure function of the section and the time. Each section has a ten-minute cycle: it opens, fills
seat by seat, and stays full. The cycles are spread evenly, so that in any minute three full sections open and
at least one "Staff" gets a name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.check import Result, healthy
from domain.observation import Details, Missing, Observation, Outcome, instructor
from domain.plugin import Plugin, Ports, ProbeContext
from domain.ports import Clock, Source
from domain.section import SectionKey
from domain.setting import SettingsGroup

TERM: Final = "2261"
CYCLE_SECONDS: Final = 600
STAFFING_SECONDS: Final = 1200
_UNSTAFFED_SECONDS = 300
_FIRST_NUMBER, _NUMBER_STEP = 12_401, 31
_MAX_OPEN = 4
# Prime to the number of sections: neighbours in the list do not open one after the other.
_STRIDE = 7

_COURSES = (
    ("ART 112", "Drawing from Life", 24, ("Ines Marchetti", "Oluwaseun Bello", "Greta Lindqvist")),
    ("BIO 181", "General Biology I", 120, ("Amara Okafor", "Tomas Rivera", "Lena Fischer")),
    ("CHM 113", "General Chemistry I", 96, ("Priya Raman", "Walter Haas", "Naomi Sato")),
    ("CSE 110", "Principles of Programming", 60, ("Ada Okoye", "Jonas Weber", "Mei Tanaka")),
    ("CSE 310", "Data Structures and Algorithms", 48, ("Farid Haddad", "Ruth Abrams", "Pavel Novak")),
    ("ECN 211", "Macroeconomic Principles", 150, ("Clara Dubois", "Samuel Mensah", "Yuki Mori")),
    ("ENG 205", "Writing for the Public", 19, ("Hannah Price", "Diego Fuentes", "Aoife Brennan")),
    ("HST 130", "The Atlantic World", 40, ("Marcus Cole", "Leila Nasser", "Erik Dahl")),
    ("MAT 265", "Calculus for Engineers I", 35, ("Sofia Petrova", "Kwame Asante", "Julia Brandt")),
    ("PHY 121", "Mechanics", 72, ("Rohan Mehta", "Elena Costa", "Peter Nyberg")),
)
# Six rooms, five times: no two of the thirty sections meet in one room at one time.
_ROOMS = ("Alder Hall 101", "Alder Hall 214", "Birch 12", "Cedar Science 330", "Maple 7", "Quarry Theatre")
_TIMES = ("MWF 08:00-08:50", "MW 10:30-11:45", "TTh 09:00-10:15", "TTh 13:30-14:45", "F 14:00-16:50")


@dataclass(frozen=True, slots=True)
class _DemoSection:
    index: int
    details: Details
    capacity: int
    instructor: str

    @property
    def rank(self) -> int:
        return self.index * _STRIDE % len(_SECTIONS)


def _section(index: int) -> _DemoSection:
    course, title, capacity, instructors = _COURSES[index // 3]
    room, times = _ROOMS[index % len(_ROOMS)], _TIMES[index % len(_TIMES)]
    return _DemoSection(index, Details(course, title, room, times), capacity, instructors[index % 3])


_SECTIONS = {str(_FIRST_NUMBER + _NUMBER_STEP * index): _section(index) for index in range(3 * len(_COURSES))}


class DemoCampus:
    """`domain.ports.Source` of the demo: needs no network, no key and no state."""

    name = "campus"

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @classmethod
    def sections(cls) -> tuple[SectionKey, ...]:
        """Every section that the campus offers."""
        return tuple(SectionKey(cls.name, TERM, number) for number in _SECTIONS)

    def longest_probe_seconds(self, probes: int) -> float:  # noqa: ARG002 - nothing to wait for
        """Zero: the answer is computed."""
        return 0.0

    def plan(self, keys: Iterable[SectionKey]) -> list[Sequence[SectionKey]]:
        """All of `keys` in one batch."""
        ordered = sorted(keys)
        return [ordered] if ordered else []

    def observe(self, keys: Sequence[SectionKey]) -> list[Outcome]:
        """The current outcome of each of `keys`; unknown terms and numbers are `Missing`."""
        now = self._clock.now()
        return [_observe(key, now) for key in keys]

    def close(self) -> None:
        """Do nothing: it has no resources."""


def _observe(key: SectionKey, now: datetime) -> Outcome:
    section = _SECTIONS.get(key.number) if key.term == TERM else None
    if section is None:
        return Missing(key, now)
    return Observation(
        key=key,
        observed_at=now,
        open_seats=_open_seats(section, now.timestamp()),
        capacity=section.capacity,
        instructor=instructor(_instructor(section, now.timestamp())),
        details=section.details,
    )


def _open_seats(section: _DemoSection, at_seconds: float) -> int:
    """Up to `_MAX_OPEN` seats at the start of a cycle, one fewer after each equal share of its open time."""
    cycle, passed_seconds = _phase(section, at_seconds, CYCLE_SECONDS)
    open_seconds = 240 + 30 * (section.index % 5)
    if passed_seconds >= open_seconds:
        return 0
    initial = 1 + int(section.index * 3 + cycle) % _MAX_OPEN
    return initial - int(initial * passed_seconds / open_seconds)


def _instructor(section: _DemoSection, at_seconds: float) -> str:
    _, passed_seconds = _phase(section, at_seconds, STAFFING_SECONDS)
    is_staffed = passed_seconds < STAFFING_SECONDS - _UNSTAFFED_SECONDS
    return section.instructor if is_staffed else "Staff"


def _phase(section: _DemoSection, at_seconds: float, period_seconds: int) -> tuple[float, float]:
    """The cycle of a section, and its position in it; the sections' starts divide the period evenly."""
    return divmod(at_seconds - section.rank * period_seconds / len(_SECTIONS), period_seconds)


def _build(_settings: SettingsGroup, ports: Ports) -> Source:
    return DemoCampus(ports.clock)


def _probe(_settings: SettingsGroup, _context: ProbeContext) -> Result:
    return healthy(f"demo campus, {len(DemoCampus.sections())} sections")


PLUGIN = Plugin(DemoCampus.name, SettingsGroup, _build, probe=_probe)
