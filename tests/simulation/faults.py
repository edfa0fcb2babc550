"""What goes wrong: each seed has a weather of its own, in which some faults are frequent and most never come.

Source: Groce et al., "Swarm Testing" (ISSTA 2012): leaving features out finds more than mixing them all.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum, auto
from random import Random


class Fault(StrEnum):
    """Something that happens at one moment, by chance."""

    CRASH = auto()
    PAUSE = auto()
    INTERRUPT = auto()
    SLOW = auto()
    DATABASE_ERROR = auto()
    DATABASE_ANSWER_LOST = auto()
    REDIS_ERROR = auto()
    REDIS_ANSWER_LOST = auto()
    PUBLISH_ERROR = auto()
    MESSAGE_LOST = auto()
    MESSAGE_TWICE = auto()
    MESSAGE_LATE = auto()
    MAIL_ERROR = auto()
    MAIL_ANSWER_LOST = auto()
    MAIL_LIMITED = auto()
    MAIL_LETTER_REFUSED = auto()
    MAIL_REJECTED = auto()
    SOURCE_ERROR = auto()
    SOURCE_GARBLED = auto()
    SOURCE_LIMITED = auto()
    SOURCE_UNAUTHORISED = auto()
    SOURCE_REJECTS = auto()
    SOURCE_SLOW = auto()
    SOURCE_UNTOLD = auto()


class Outage(StrEnum):
    """Something that is away for a while."""

    DATABASE = auto()
    REDIS = auto()
    BROKER = auto()
    MAIL = auto()
    MAIL_KEY = auto()
    SOURCE = auto()
    SOURCE_KEY = auto()


HIGHEST_RATE = {
    Fault.CRASH: 0.03,
    Fault.PAUSE: 0.02,
    Fault.INTERRUPT: 0.02,
    Fault.SLOW: 0.1,
    Fault.DATABASE_ERROR: 0.05,
    Fault.DATABASE_ANSWER_LOST: 0.1,
    Fault.REDIS_ERROR: 0.1,
    Fault.REDIS_ANSWER_LOST: 0.1,
    Fault.PUBLISH_ERROR: 0.3,
    Fault.MESSAGE_LOST: 0.3,
    Fault.MESSAGE_TWICE: 0.3,
    Fault.MESSAGE_LATE: 0.5,
    Fault.MAIL_ERROR: 0.6,
    Fault.MAIL_ANSWER_LOST: 0.6,
    Fault.MAIL_LIMITED: 0.5,
    Fault.MAIL_LETTER_REFUSED: 0.3,
    Fault.MAIL_REJECTED: 0.2,
    Fault.SOURCE_ERROR: 0.9,
    Fault.SOURCE_GARBLED: 0.5,
    Fault.SOURCE_LIMITED: 0.5,
    Fault.SOURCE_UNAUTHORISED: 0.1,
    Fault.SOURCE_REJECTS: 0.2,
    Fault.SOURCE_SLOW: 0.5,
    Fault.SOURCE_UNTOLD: 0.7,
}
LONGEST_SECONDS = {
    Outage.DATABASE: 400,
    Outage.REDIS: 1800,
    Outage.BROKER: 1000,
    Outage.MAIL: 1500,
    Outage.MAIL_KEY: 1500,
    Outage.SOURCE: 1800,
    Outage.SOURCE_KEY: 600,
}


class Weather:
    """Which faults this seed knows, and which outages last at the moment."""

    def __init__(self, chance: Random, now_ms: Callable[[], int]) -> None:
        self._chance = chance
        self._now_ms = now_ms
        self._rates = {
            fault: _rate(chance, HIGHEST_RATE[fault]) for fault in Fault if chance.random() < _known(fault)
        }
        self.outages = [outage for outage in Outage if chance.random() < 0.15]
        self._until_ms: dict[Outage, int] = {}
        self.is_calm = False

    def strikes(self, fault: Fault) -> bool:
        rate = self._rates.get(fault)
        return rate is not None and not self.is_calm and self._chance.random() < rate

    def lasts(self, outage: Outage) -> bool:
        return not self.is_calm and self._now_ms() < self._until_ms.get(outage, 0)

    def begin(self, outage: Outage) -> int:
        """Begin an outage; how long it lasts, in milliseconds."""
        lasts_ms = round(1000 * float(LONGEST_SECONDS[outage] ** self._chance.random()))
        self.set_in(outage, lasts_ms)
        return lasts_ms

    def set_in(self, outage: Outage, lasts_ms: int) -> None:
        """Let an outage last that long from now on, and one that lasts longer go on."""
        self._until_ms[outage] = max(self._until_ms.get(outage, 0), self._now_ms() + lasts_ms)

    def __str__(self) -> str:
        rates = [f"{fault.name} {rate:.3f}" for fault, rate in self._rates.items()]
        return ", ".join([*rates, *(outage.name for outage in self.outages)]) or "fair"


def _known(fault: Fault) -> float:
    """How many seeds know it: letters are few, so that their faults have to be more common."""
    return 0.25 if fault.name.startswith("MAIL") else 0.15


def _rate(chance: Random, highest: float) -> float:
    return float(highest * 10 ** -chance.uniform(0, 1.2))
