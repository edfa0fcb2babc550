"""Broken builds: each takes one safeguard away, and the simulation has to notice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import uuid4

import redis
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError

import resilience
from domain.errors import TransientError
from domain.notification import Accepted, DeliveryResult
from domain.observation import CheckFailure, Outcome
from domain.section import SectionKey
from resilience.breaker import CircuitBreaker
from resilience.breaker_model import Permit
from resilience.breaker_storage import RedisStorage
from resilience.lease import Lease
from store.check_plans import CheckPlan
from store.clock_bounds import ClockBounds
from store.notifications.outbox import LostBatchError, MailBatch, Outbox
from store.repositories import Store
from store.runs.batches import Batches
from store.runs.runs import Runs
from store.schema import mail_batches, notifications
from store.sections.observations import Recorded
from store.sections.states import load
from tests.simulation.hosts import Parts
from tests.simulation.provider import Provider

if TYPE_CHECKING:
    from tests.simulation.world import World

_LUA = Path(resilience.__file__).parent / "lua"


class MarksFirst(Outbox):
    """Marks notifications sent, and then sends them."""

    _claimed: MailBatch | None = None

    def claim(
        self, now: datetime, *, limit: int, lease: timedelta, is_probe: bool = False
    ) -> MailBatch | None:
        self._claimed = super().claim(now, limit=limit, lease=lease, is_probe=is_probe)
        return self._claimed

    def hand_over(self, batch: MailBatch, now: datetime, *, lease: timedelta) -> None:
        super().hand_over(batch, now, lease=lease)
        assert self._claimed is not None
        self.complete(self._claimed, [Accepted("early")] * len(self._claimed.notifications), now)


class ForgetsKeys(Outbox):
    """Sends every attempt under a key of its own."""

    def claim(
        self, now: datetime, *, limit: int, lease: timedelta, is_probe: bool = False
    ) -> MailBatch | None:
        batch = super().claim(now, limit=limit, lease=lease, is_probe=is_probe)
        return None if batch is None else replace(batch, key=uuid4().hex)


class HandsOverUnclaimed(Outbox):
    """Hands messages over regardless of a newer claim."""

    def hand_over(self, batch: MailBatch, now: datetime, *, lease: timedelta) -> None:
        this = mail_batches.c.id == batch.id
        with self._database.read() as connection:
            fence = connection.execute(select(mail_batches.c.fence).where(this)).scalar()
        with suppress(LostBatchError):
            super().hand_over(replace(batch, fence=fence or batch.fence), now, lease=lease)


class ForgetsReceipts(Outbox):
    """Writes what was accepted once, and takes no for an answer."""

    def complete(self, batch: MailBatch, receipts: Sequence[DeliveryResult], now: datetime) -> None:
        try:
            super().complete(batch, receipts, now)
        except OperationalError as error:
            raise TransientError("not written") from error


class BelievesInKeys(Provider):
    """Takes every transport for one that honours keys."""

    @classmethod
    def without_keys(cls, world: World) -> Provider:
        return cls(world, name="smtp", batch_size=1, keeps_keys=False)


class _NeverStale(int):
    """A fence that says of itself that none is higher."""

    def __lt__(self, other: object) -> bool:
        return False


class IgnoresFences(Runs):
    """Starts a run for a former holder of the lease."""

    def start(  # noqa: PLR0913 - as its base
        self,
        run_id: str,
        batches: Any,
        *,
        suspects: Collection[SectionKey] = (),
        fence: int,
        deferred: int,
        lifetime: timedelta,
        now: datetime,
        plans: Iterable[CheckPlan] = (),
    ) -> list[int]:
        return super().start(
            run_id,
            batches,
            suspects=suspects,
            fence=_NeverStale(fence),
            deferred=deferred,
            lifetime=lifetime,
            now=now,
            plans=plans,
        )


class ReleasesAnyLease(Lease):
    """Releases the lease of any holder."""

    def release(self, token: str, fence: int) -> bool:
        return super().force_release(f"{token} {fence}") is not None


class ProbesWithoutLease(CircuitBreaker):
    """Lets everybody probe at once."""

    def permit(self, n: int) -> Permit:
        permit = super().permit(n)
        if permit.granted == n or self.snapshot().state != "half_open":
            return permit
        return replace(permit, granted=n)


class NotifiesEveryRise(Batches):
    """Forgets which episodes were notified."""

    def _record(
        self,
        connection: Connection,
        outcomes: Sequence[Outcome],
        revisions: Mapping[SectionKey, int],
        now: datetime,
    ) -> Recorded:
        columns = notifications.c
        text = update(notifications).where(columns.state == "sent", columns.episode >= 0)
        connection.execute(text.values(episode=-1 - columns.id))
        return super()._record(connection, outcomes, revisions, now)


class TrustsClocks(Batches):
    """Takes for newer what bears the later time."""

    def _record(
        self,
        connection: Connection,
        outcomes: Sequence[Outcome],
        revisions: Mapping[SectionKey, int],
        now: datetime,
    ) -> Recorded:
        answers = [outcome for outcome in outcomes if not isinstance(outcome, CheckFailure)]
        states = {key: state for key, (_, state) in load(connection, [each.key for each in answers]).items()}
        newer = [each for each in answers if _is_later(each.observed_at, states[each.key].observed_at)]
        current = {each.key: states[each.key].revision for each in newer}
        return super()._record(connection, newer, current, now)


def _is_later(at: datetime, before: datetime | None) -> bool:
    return before is None or at > before


class LeavesTimesAhead(ClockBounds):
    """Leaves what a clock that ran ahead has stamped as it is."""

    def enforce(self, now: datetime, *, run_lifetime: timedelta) -> dict[str, int]:
        return {}


class TrustsStamps(CircuitBreaker):
    """Keeps the breaker open until its recovery after the stamp, wherever that lies."""

    @classmethod
    def shared(cls, name: str, client: redis.Redis, *args: Any, **options: Any) -> Self:
        breaker = super().shared(name, client, *args, **options)
        parts = [(_LUA / f"{part}.lua").read_text() for part in ("clock", "breaker_shared", "breaker_permit")]
        trusting = "".join(parts).replace("math.min(stamped, now)", "stamped")
        scenario, storage = client.register_script(trusting), cast("RedisStorage", breaker._state_storage)
        storage._scripts.breaker_permit = lambda keys, args: scenario(keys=keys, args=args)
        return breaker


class ForgetsFences(Runs):
    """Does not report the observed fences to Redis."""

    def newest_fence(self) -> int:
        return 0


def _outbox(kind: type[Outbox]) -> Parts:
    return Parts(
        store=lambda store, world: replace(
            store, outbox=kind(world.environment.database, daily_cap=world.daily_cap)
        )
    )


def _checks(kind: type[Batches]) -> Parts:
    def put(store: Store, world: World) -> Store:
        return replace(store, batches=kind(world.environment.database, cooldown=world.cooldown))

    return Parts(store=put)


def _runs(kind: type[Runs]) -> Parts:
    return Parts(store=lambda store, world: replace(store, runs=kind(world.environment.database)))


def _bounds(kind: type[ClockBounds]) -> Parts:
    def put(store: Store, world: World) -> Store:
        return replace(store, clock_bounds=kind(world.environment.database, cooldown=world.cooldown))

    return Parts(store=put)


@dataclass(frozen=True)
class Mutant:
    """A broken build: what is broken in it, how the simulation complains, and seeds that have shown it."""

    flaw: str
    parts: Parts
    complaint: str
    seeds: tuple[int, ...]


MUTANTS = (
    Mutant("marks mail sent before it sends it", _outbox(MarksFirst), "was mailed 0 times", (1, 5, 9)),
    Mutant("sends each attempt under a new key", _outbox(ForgetsKeys), "was mailed 2 times", (52, 88, 113)),
    Mutant(
        "hands over what it has not claimed",
        _outbox(HandsOverUnclaimed),
        "was mailed 2 times",
        (22, 189, 197),
    ),
    Mutant("forgets what was accepted", _outbox(ForgetsReceipts), "unknown whether", (42,)),
    Mutant("believes in keys", Parts(provider=BelievesInKeys), "was mailed 2 times", (40, 42, 48)),
    Mutant("starts a run under a stale fence", _runs(IgnoresFences), "under the fence", (199, 229, 288)),
    Mutant(
        "releases the lease of another",
        Parts(lease=ReleasesAnyLease),
        "while somebody held it",
        (7, 82, 122),
    ),
    Mutant(
        "lets every half-open request out",
        Parts(breaker=ProbesWithoutLease),
        "probes at once",
        (96, 120, 137),
    ),
    Mutant(
        "leaves stored times ahead of the clock",
        _bounds(LeavesTimesAhead),
        "does not come to rest",
        (249, 376, 450),
    ),
    Mutant("trusts the stamp of a breaker", Parts(breaker=TrustsStamps), "after the faults", (120,)),
    Mutant("forgets the fences that it has seen", _runs(ForgetsFences), "after the faults", (1276, 1328)),
    Mutant("orders observations by their clocks", _checks(TrustsClocks), "after the faults", (442,)),
    Mutant("notifies an episode again", _checks(NotifiesEveryRise), "was mailed 2 times", (38, 134, 148)),
)
