"""Which reading of a column is right: each cell rules out the readings that cannot read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
_MAX_REMEMBERED = 10_000
_EXAMPLES = 3


@dataclass(slots=True)
class Evidence(Generic[K, V]):
    """What the cells of a column say about the possible readings `options`, in constant memory.

    Shape: `readings` returns what a text means under each option that can read it. `examples` are texts on
    which the options disagree, and `marks` the characters of all such texts. `contradiction` is the
    first text that no remaining option reads, with its line.
    """

    options: Sequence[K]
    readings: Callable[[str], Mapping[K, V]]
    remaining: list[K] = field(init=False)
    examples: list[str] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    contradiction: tuple[int, str] | None = None
    read: int = 0
    _seen: set[str] = field(default_factory=set)
    _confusable: set[frozenset[K]] = field(init=False)

    def __post_init__(self) -> None:
        self.remaining = list(self.options)
        self._confusable = {frozenset({a, b}) for a in self.options for b in self.options if a != b}

    def add(self, text: str, line: int) -> None:
        """Take the text of one cell into account; text that no option reads says nothing."""
        if text in self._seen:
            return
        if len(self._seen) < _MAX_REMEMBERED:
            self._seen.add(text)
        if not (found := self.readings(text)):
            return
        self.read += 1
        left = [option for option in self.remaining if option in found]
        if left:
            self.remaining = left
        elif self.contradiction is None:
            self.contradiction = line, text
        if len(left) > 1 and any(found[option] != found[left[0]] for option in left):
            self._note(text, found, left)

    def _note(self, text: str, found: Mapping[K, V], left: list[K]) -> None:
        self._confusable -= {
            pair for pair in self._confusable if pair <= set(left) and len({found[each] for each in pair}) > 1
        }
        self.marks.update(text)
        if len(self.examples) < _EXAMPLES:
            self.examples.append(text)

    @property
    def decided(self) -> K | None:
        """Return the only option, or one of several that agree on every cell; None if there is neither."""
        if self.contradiction is not None:
            return None
        first, *others = self.remaining
        return first if all(frozenset({first, other}) in self._confusable for other in others) else None
