"""The mail provider, with a book of what it accepted; it keeps idempotency keys as Resend's contract says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from domain.errors import (
    RateLimitedError,
    RejectedError,
    UnauthorisedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from domain.notification import Accepted, Deferred, DeliveryResult, OutboundMessage, Rejected
from domain.ports import unconditionally
from domain.retry import MAX_DEFERRALS
from notifications.unsubscribe_links import StopWatch
from tests.simulation.faults import Fault, Outage
from tests.support.harness import LINKS

if TYPE_CHECKING:
    from tests.simulation.world import World

_BUSY = 0.1
# Hosts whose clocks are hours apart repeat a deferred letter without its back-off (docs/reliability.md), so a
# mailbox that stays busy could use up all its tries; it takes mail after this many.
_MOST_DEFERRALS = MAX_DEFERRALS // 2
KEY_LIFETIME_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One letter in the book, by what it says of itself; not `is_accepted` when it was refused."""

    watch_id: int
    to: str
    kind: str
    number: str
    episode: int
    provider_id: str
    at_ms: int
    is_accepted: bool


@dataclass
class Provider:
    """A `domain.ports.Mailer`.

    Shape: `keeps_keys` unless each repetition is another letter. `lost_answers` counts the calls whose answer
    was lost.
    """

    world: World
    name: str = "resend"
    batch_size: int = 100
    is_idempotent: bool = True
    longest_send_seconds: float = 60.0
    book: list[Entry] = field(default_factory=list)
    keeps_keys: bool = True
    lost_answers: int = 0
    _deferrals: Counter[str] = field(default_factory=Counter)
    _rejected: set[str] = field(default_factory=set)
    _keys: dict[str, tuple[int, list[OutboundMessage], list[DeliveryResult]]] = field(default_factory=dict)

    @classmethod
    def without_keys(cls, world: World) -> Provider:
        """One that takes each letter as often as it comes, as SMTP does."""
        return cls(world, name="smtp", batch_size=1, is_idempotent=False, keeps_keys=False)

    def send(
        self,
        messages: Sequence[OutboundMessage],
        idempotency_key: str,
        before_handover: Callable[[], None] = unconditionally,
    ) -> list[DeliveryResult]:
        weather, scheduler = self.world.weather, self.world.scheduler
        before_handover()
        scheduler.pause(f"mail {len(messages)}")
        self._trouble()
        receipts = self._accept(list(messages), idempotency_key)
        scheduler.pause(f"mailed {', '.join(type(receipt).__name__ for receipt in receipts)}")
        self._perhaps_lock_database()
        if weather.strikes(Fault.MAIL_ANSWER_LOST):
            self.lost_answers += 1
            raise UpstreamTimeoutError("no answer")
        return receipts

    def _perhaps_lock_database(self) -> None:
        """At the worst moment: after the acceptance, and for less long than a claim lasts."""
        if not self.world.weather.is_calm and self.world.character.random() < 0.1:
            lasts_ms = self.world.character.randint(1_000, 30_000)
            self.world.weather.set_in(Outage.DATABASE, lasts_ms)
            self.world.scheduler.log_event("database", f"is locked for {lasts_ms / 1000:.0f} s")

    def _trouble(self) -> None:
        weather, chance = self.world.weather, self.world.chance
        if weather.lasts(Outage.MAIL_KEY):
            raise UnauthorisedError("401")
        if weather.lasts(Outage.MAIL):
            raise UnreachableError("refused")
        if weather.strikes(Fault.MAIL_ERROR):
            raise chance.choice((UpstreamError("500"), UnreachableError("refused")))
        if weather.strikes(Fault.MAIL_LIMITED):
            raise RateLimitedError("429", retry_after_seconds=chance.choice((None, 2.0, 60.0, 900.0)))

    def _accept(self, messages: list[OutboundMessage], key: str) -> list[DeliveryResult]:
        now_ms = self.world.timeline.now_ms
        known = self._keys.get(key)
        if self.keeps_keys and known is not None and now_ms - known[0] < KEY_LIFETIME_MS:
            if known[1] != messages:
                self.world.scheduler.record_violation(f"the key {key} came again with other letters")
            return known[2]
        if key in self._rejected or self.world.weather.strikes(Fault.MAIL_REJECTED):
            self._rejected |= {key} if self.keeps_keys else set()
            self.book += [self._entry(message, "", is_accepted=False) for message in messages]
            raise RejectedError("422")
        receipts = [self._receipt(message) for message in messages]
        self._keys[key] = (now_ms, messages, receipts)
        return receipts

    def _puts_off(self, address: str) -> bool:
        """Whether the mailbox takes nothing for now, as some do while there are faults."""
        mood = Random(f"{self.world.seed} {address}").random()  # noqa: S311 - the same in each life
        is_busy = (
            mood < _BUSY and not self.world.weather.is_calm and self._deferrals[address] < _MOST_DEFERRALS
        )
        self._deferrals[address] += is_busy
        return is_busy

    def _receipt(self, message: OutboundMessage) -> DeliveryResult:
        if self._puts_off(message.to):
            return Deferred("450 4.2.1 busy")
        refused = self.world.weather.strikes(Fault.MAIL_LETTER_REFUSED)
        provider_id = f"re_{len(self.book)}"
        self.book.append(self._entry(message, provider_id, is_accepted=not refused))
        return Rejected("no such mailbox") if refused else Accepted(provider_id)

    def _entry(self, message: OutboundMessage, provider_id: str, *, is_accepted: bool) -> Entry:
        kind, *rest = message.headers["X-Rollcall-Event"].split("; ")
        facts = dict(part.split("=") for part in rest)
        link = message.headers["List-Unsubscribe"].strip("<>")
        stop = LINKS.read(link.partition("token=")[2])
        assert isinstance(stop, StopWatch)
        return Entry(
            watch_id=stop.watch_id,
            to=message.to,
            kind=kind,
            number=facts["section"],
            episode=int(facts["episode"]),
            provider_id=provider_id,
            at_ms=self.world.timeline.now_ms,
            is_accepted=is_accepted,
        )
