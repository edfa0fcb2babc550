"""What a status means: is it polling, sending, draining? One light and one sentence each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import inf

from actors.check import check
from actors.deliver import MAIL
from operations.status import Status
from operations.unread import Unread

SLOW_DELIVERY = timedelta(minutes=10)
SLOW_QUEUE_SECONDS = 60.0
SLOW_CHECKS = timedelta(minutes=5)


class Light(StrEnum):
    """How it is, the worst last."""

    OK = "ok"
    PAUSED = "paused"
    TROUBLE = "trouble"
    UNKNOWN = "unknown"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A light, and why it shines, in a few words."""

    light: Light
    text: str


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The three answers that an operator wants first."""

    polling: Verdict
    sending: Verdict
    draining: Verdict

    @property
    def light(self) -> Light:
        """The worst of the three."""
        worst = list(Light)
        return max((self.polling.light, self.sending.light, self.draining.light), key=worst.index)

    @property
    def health(self) -> str:
        """In the words of `/health`: healthy, degraded or unhealthy."""
        bad = {Light.OK: "healthy", Light.UNKNOWN: "unhealthy", Light.DOWN: "unhealthy"}
        return bad.get(self.light, "degraded")

    @property
    def sentence(self) -> str:
        """All three in one sentence."""
        return f"{self.polling.text}; {self.sending.text}; {self.draining.text}."


def judge(status: Status) -> Verdicts:
    """What `status` means; the worst finding of each kind speaks for it."""
    return Verdicts(
        polling=_worst(_polling(status)), sending=_worst(_sending(status)), draining=_worst(_draining(status))
    )


def _worst(found: Iterator[Verdict]) -> Verdict:
    ranks = list(Light)
    return max(found, key=lambda verdict: ranks.index(verdict.light))  # of equals the first


def _polling(status: Status) -> Iterator[Verdict]:
    yield from _crew(status, "not polling")
    if isinstance(status.sources, Unread) or isinstance(status.runs, Unread):
        yield Verdict(Light.UNKNOWN, "nobody knows whether it polls: the database cannot be read")
        return
    for name, reading in status.sources.items():
        yield from _held(status, name, f"{name} is not polled")
        if reading.silent_since is not None and status.pause(name) is None:
            yield Verdict(Light.TROUBLE, f"{name} has been silent since {_time(reading.silent_since)}")
    if status.runs.times.is_late:
        yield Verdict(Light.TROUBLE, "no run has succeeded in two intervals")
    if status.is_scheduled and status.schedulers == 0:
        yield Verdict(Light.DOWN, "not polling: no scheduler is alive")
    yield Verdict(Light.OK, "Polling")


def _sending(status: Status) -> Iterator[Verdict]:
    yield from _crew(status, "not sending")
    if isinstance(status.outbox, Unread):
        yield Verdict(Light.UNKNOWN, "nobody knows whether mail leaves: the database cannot be read")
        return
    yield from _held(status, MAIL, "mail does not leave")
    oldest = status.outbox.oldest_due_at
    if oldest is not None and status.now - oldest > SLOW_DELIVERY and status.pause(MAIL) is None:
        yield Verdict(Light.TROUBLE, f"{status.outbox.pending} letters wait since {_time(oldest)}")
    waiting = f" ({status.outbox.pending} wait)" if status.outbox.pending else ""
    yield Verdict(Light.OK, f"sending{waiting}")


def _draining(status: Status) -> Iterator[Verdict]:
    yield from _crew(status, "not draining")
    if isinstance(status.queues, Unread):
        yield Verdict(Light.DOWN, "the queues cannot be read")
        return
    ages = {name: reading.oldest_age_seconds or 0.0 for name, reading in status.queues.items()}
    slow = {name: age for name, age in ages.items() if age > _patience_seconds(status, name)}
    if slow:
        slowest = max(slow, key=lambda name: slow[name])
        yield Verdict(Light.TROUBLE, f"{slowest} has waited for {slow[slowest]:.0f} s")
    dead = sum(reading.dead for reading in status.queues.values())
    if dead:
        yield Verdict(Light.TROUBLE, f"{dead} dead letters wait for a person")
    if status.jobs == 0:
        yield Verdict(Light.TROUBLE, "jobs are not carried out: no jobs process is alive")
    unknown = [name for name, reading in status.queues.items() if not reading.is_age_known]
    since = f" (nobody knows how long {', '.join(unknown)} has waited)" if unknown else ""
    yield Verdict(Light.OK, f"draining{since}")


def _patience_seconds(status: Status, queue: str) -> float:
    """How long a message may wait; a run's checks are published at once, and wait while sources answer."""
    if queue != check.queue:
        return SLOW_QUEUE_SECONDS
    sources = {} if isinstance(status.sources, Unread) else status.sources
    heard = [reading.last_success_at for reading in sources.values() if reading.last_success_at is not None]
    is_answered = any(status.now - at < SLOW_CHECKS for at in heard)
    return inf if is_answered else SLOW_CHECKS.total_seconds()


def _crew(status: Status, consequence: str) -> Iterator[Verdict]:
    if isinstance(status.workers, Unread):
        yield Verdict(Light.UNKNOWN, "nobody knows who works: Redis cannot be read")
    elif not status.workers:
        yield Verdict(Light.DOWN, f"{consequence}: no worker is alive")


def _held(status: Status, name: str, consequence: str) -> Iterator[Verdict]:
    pause, breaker = status.pause(name), status.breaker(name)
    if pause is not None:
        yield Verdict(Light.PAUSED, f"{consequence}: paused until {_time(pause.until)} by {pause.by}")
    elif breaker is not None and breaker.state != "closed":
        yield Verdict(Light.TROUBLE, f"{consequence}: its breaker is {breaker.state.replace('_', ' ')}")


def _time(at: datetime) -> str:
    return f"{at:%H:%M} UTC"
