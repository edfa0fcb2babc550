"""The identity of a section, and the half of the hour in which it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.text import Identifier

SOURCE = Identifier("[a-z][a-z0-9_-]{0,31}", "lower-case letters, digits, - and _")
TERM = Identifier("[A-Za-z0-9]{1,16}", "1 to 16 letters or digits, such as 2261")
SECTION_NUMBER = Identifier("[A-Za-z0-9-]{1,32}", "1 to 32 letters, digits or -, such as 12431")


class Stagger(StrEnum):
    """Which sections a run covers: by the last digit of their number, or as the check schedule chooses."""

    EVEN = "even"
    ODD = "odd"
    ALL = "all"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, order=True)
class SectionKey:
    """(source, term, number): the identity of a section everywhere."""

    source: str
    term: str
    number: str

    def __str__(self) -> str:
        return f"{self.source}/{self.term}/{self.number}"

    @property
    def is_even(self) -> bool:
        """Whether the last digit is even; a number without digits counts as even."""
        digits = [character for character in self.number if character.isdecimal()]
        return not digits or int(digits[-1]) % 2 == 0

    @property
    def stagger(self) -> Stagger:
        """The half of the sections to which it belongs."""
        return Stagger.EVEN if self.is_even else Stagger.ODD

    def problems(self) -> dict[str, str]:
        """The problem with each invalid field, by field name; empty if the key is valid."""
        checked = {
            "source": SOURCE.problem(self.source),
            "term": TERM.problem(self.term),
            "section": SECTION_NUMBER.problem(self.number),
        }
        return {field: problem for field, problem in checked.items() if problem is not None}
