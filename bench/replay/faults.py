"""How often, and in which way, the replayed catalog fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Literal

Fault = Literal["error", "hang", "cut_off"]
_KINDS: tuple[Fault, ...] = ("error", "hang", "cut_off")
_WEIGHTS = (6, 1, 3)


@dataclass(slots=True)
class Faults:
    """Lets `ratio` of the requests fail, the same ones for the same `seed`.

    Shape: "error" is a 500, "cut_off" half an answer, "hang" no answer within `hang_seconds`.
    """

    ratio: float = 0.0
    seed: int = 0
    hang_seconds: float = 5.0
    _dice: Random = field(init=False)

    def __post_init__(self) -> None:
        self._dice = Random(self.seed)  # noqa: S311 - it decides what fails, not what is secret

    def draw(self) -> Fault | None:
        """How the next request fails, or None."""
        if self._dice.random() >= self.ratio:
            return None
        return self._dice.choices(_KINDS, _WEIGHTS)[0]
