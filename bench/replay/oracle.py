"""Which mails a season must cause, worked out from the recording alone, and how those sent compare.

Nothing here is shared with the system under test: it is the judge. The rules, for each section as the
checks see it:

- the first sighting is a baseline and mails nobody;
- seats going from none (zero or overdrawn) to some are the next opening, and mail `seat_available`;
- an instructor in place of "Staff" is the next assignment, and mails `instructor_assigned`;
- a section that is yet to come is missing until then, and mails nobody. None goes again in a recorded season.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.replay.season import Check, Reading, Season


class Mail(NamedTuple):
    """What makes two mails the same news: to whom, of which kind, of which section and episode."""

    address: str
    kind: str
    section: str
    episode: int


Mails = Counter[Mail]


Sight = tuple[str, int]
"""A section, and the moment of the season at which it was seen."""


class _Everything(Container[Sight]):
    def __contains__(self, _: object) -> bool:
        return True


EVERYTHING = _Everything()


def expected(
    season: Season,
    checks: Sequence[Check],
    watchers: Mapping[str, Sequence[str]],
    seen: Container[Sight] = EVERYTHING,
) -> Mails:
    """The mails that `checks` must cause; `watchers` gives the addresses by section.

    Only what `seen` holds was seen: where the catalog did not answer, the next check tells the difference.
    """
    return Counter(
        Mail(address, kind, section, episode)
        for section, kind, episode in _news(season, checks, watchers, seen)
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
class Verdict:
    """How the mails sent differ from those expected; all three are empty when every mail is right."""

    missing: Mails
    unexpected: Mails
    doubled: Mails

    @property
    def is_clean(self) -> bool:
        """Whether each expected mail was sent once, and no other."""
        return not (self.missing or self.unexpected or self.doubled)


def judge(wanted: Mails, sent: Mails) -> Verdict:
    """Compare as multisets: a mail that was wanted but came too often is doubled, not unexpected."""
    surplus = sent - wanted
    doubled = Counter({mail: times for mail, times in surplus.items() if mail in wanted})
    return Verdict(missing=wanted - sent, unexpected=surplus - doubled, doubled=doubled)


@dataclass(slots=True)
class _Memory:
    """What the checks so far have seen of one section."""

    last: Reading | None = None
    openings: int = 0
    assignments: int = 0

    def see(self, reading: Reading) -> Iterator[tuple[str, int]]:
        before, self.last = self.last or reading, reading
        if before.seats_available <= 0 < reading.seats_available:
            self.openings += 1
            yield "seat_available", self.openings
        if before.instructor == "Staff" != reading.instructor:
            self.assignments += 1
            yield "instructor_assigned", self.assignments


def _news(
    season: Season, checks: Sequence[Check], sections: Collection[str], seen: Container[Sight]
) -> Iterator[tuple[str, str, int]]:
    memories = {section: _Memory() for section in sections}
    for check in checks:
        for section in filter(check.covers, memories):
            reading = season[section].at(check.time_ms)
            if reading is not None and (section, check.time_ms) in seen:
                yield from ((section, kind, episode) for kind, episode in memories[section].see(reading))
