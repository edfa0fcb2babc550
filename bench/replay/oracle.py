"""The test oracle: the mails that a season must cause, computed from the recording alone.

It shares no code with the system under test. The rules, for each section as observed by the checks:

- the first observation is a baseline and sends no mail;
- seats that rise from none (zero or overdrawn) are the next opening, and send `seat_available`;
- an instructor who replaces "Staff" is the next assignment, and sends `instructor_assigned`;
- a section is missing until its first row, and sends no mail. No section disappears in a recorded season.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.replay.season import Check, Reading, Season

SHOWN = 10


class Mail(NamedTuple):
    """The identity of a mail: two mails with equal fields are duplicates."""

    address: str
    kind: str
    section: str
    episode: int


Mails = Counter[Mail]


ObservationPoint = tuple[str, int]
"""A section, and the moment of the season at which it was observed."""


class _Everything(Container[ObservationPoint]):
    def __contains__(self, _: object) -> bool:
        return True


EVERYTHING = _Everything()


def expected(
    season: Season,
    checks: Sequence[Check],
    watchers: Mapping[str, Sequence[str]],
    observed: Container[ObservationPoint] = EVERYTHING,
) -> Mails:
    """The mails that `checks` must cause; `watchers` gives the addresses by section.

    Only the points in `observed` were observed: after a failed check, the next one shows the difference.
    """
    return Counter(
        Mail(address, kind, section, episode)
        for section, kind, episode in _events(season, checks, watchers, observed)
        for address in watchers[section]
    )


def read_event(address: str, event: str) -> Mail:
    """The mail to `address` whose `X-Rollcall-Event` is `event`.

    Shape: `<kind>; source=<s>; term=<t>; section=<n>; episode=<k>`.
    Raises: KeyError or ValueError for any other.
    """
    kind, *pairs = (part.strip() for part in event.split(";"))
    fields = dict(pair.split("=", 1) for pair in pairs)
    return Mail(address, kind, fields["section"], int(fields["episode"]))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the sent mails differ from the expected ones; all three are empty when there is no difference."""

    missing: Mails
    unexpected: Mails
    doubled: Mails

    @property
    def is_clean(self) -> bool:
        """Whether each expected mail was sent once, and no other."""
        return not (self.missing or self.unexpected or self.doubled)

    def violations(self) -> list[str]:
        """The most frequent differences of each category in words."""
        categories = {"missing": self.missing, "unexpected": self.unexpected, "doubled": self.doubled}
        return [
            f"{category} {times} x: {' '.join(map(str, mail))}"
            for category, mails in categories.items()
            for mail, times in mails.most_common(SHOWN)
        ]


def compare(wanted: Mails, sent: Mails) -> Comparison:
    """Compare as multisets: an expected mail that was sent too often is doubled, not unexpected."""
    surplus = sent - wanted
    doubled = Counter({mail: times for mail, times in surplus.items() if mail in wanted})
    return Comparison(missing=wanted - sent, unexpected=surplus - doubled, doubled=doubled)


@dataclass(slots=True)
class _SectionState:
    """The state of one section after the checks so far."""

    last: Reading | None = None
    openings: int = 0
    assignments: int = 0

    def observe(self, reading: Reading) -> Iterator[tuple[str, int]]:
        before, self.last = self.last or reading, reading
        if before.seats_available <= 0 < reading.seats_available:
            self.openings += 1
            yield "seat_available", self.openings
        if before.instructor == "Staff" != reading.instructor:
            self.assignments += 1
            yield "instructor_assigned", self.assignments


def _events(
    season: Season, checks: Sequence[Check], sections: Collection[str], observed: Container[ObservationPoint]
) -> Iterator[tuple[str, str, int]]:
    states = {section: _SectionState() for section in sections}
    for check in checks:
        for section in filter(check.covers, states):
            reading = season[section].at(check.time_ms)
            if reading is not None and (section, check.time_ms) in observed:
                yield from ((section, kind, episode) for kind, episode in states[section].observe(reading))
