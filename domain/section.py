"""The identity of a section, and the half of the hour in which it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self
from urllib.parse import quote, unquote

from domain.text import Identifier

_LATIN: Final = "À-ÖØ-öø-ɏ"
_LETTERS: Final = f"0-9A-Za-z{_LATIN}"
_PRINTABLE: Final = f"!-~{_LATIN}"
_PARTS: Final = 3
SOURCE = Identifier("[a-z][a-z0-9_-]{0,31}", "lower-case letters, digits, - and _")
TERM = Identifier(
    f"[{_LETTERS}](?:[ {_PRINTABLE}]{{0,62}}[{_PRINTABLE}])?",
    "1 to 64 printable characters that begin with a letter or digit, such as 2261 or 2026/FA",
)
SECTION_NUMBER = Identifier(
    f"[{_LETTERS}-](?:[ {_PRINTABLE}]{{0,62}}[{_PRINTABLE}])?",
    "1 to 64 printable characters that begin with a letter, digit or -, such as 12431 or CIS-1200-001",
)


class Stagger(StrEnum):
    """Which sections a run covers: by the last digit of their number, or as the check schedule chooses."""

    EVEN = "even"
    ODD = "odd"
    ALL = "all"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, order=True)
class SectionKey:
    """(source, term, number): the identity of a section everywhere.

    As text it is for people: a term such as 2026/FA may contain a slash. `path` is unique.
    """

    source: str
    term: str
    number: str

    def __str__(self) -> str:
        return f"{self.source}/{self.term}/{self.number}"

    @classmethod
    def parse(cls, path: str) -> Self | None:
        """Return the valid key with this `path`; None if there is none."""
        parts = [unquote(part) for part in path.split("/")]
        key = cls(*parts) if len(parts) == _PARTS else None
        return None if key is None or key.problems() else key

    @property
    def path(self) -> str:
        """The key as three segments of a URL path, percent-encoded."""
        return "/".join(quote(part, safe="") for part in (self.source, self.term, self.number))

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
