"""The users: watches, opt-outs, pauses and delivery reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from domain.notification import MAIL
from domain.section import SectionKey
from domain.watch import DEFAULT_KINDS, NotificationKind, Watch

if TYPE_CHECKING:
    from actors.services import Services
    from store.opt_outs import OptOuts
    from tests.simulation.hosts import Host
    from tests.simulation.world import World

Act = Callable[["Services"], object]


class Users:
    """Watchers of a small campus, who act through the real store."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._emails = [f"student{i}@example.edu" for i in range(world.chance.randint(2, 4))]

    def enrol(self) -> None:
        """Insert the initial watches, two for each section, with SQL, which is faster."""
        chance, raw, now_ms = self._world.chance, self._world.environment.raw, self._world.timeline.now_ms
        for row_id, key in enumerate(self._world.catalog.truth, 1):
            raw.execute(
                "INSERT INTO sections (id, source, term, number, is_even) VALUES (?, ?, ?, ?, ?)",
                (row_id, key.source, key.term, key.number, key.is_even),
            )
            for email in chance.sample(self._emails, 2):
                watch = self._watch(email, key)
                raw.execute(
                    "INSERT INTO watches (email, section_id, kinds, min_seats, created_at_ms)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (email, row_id, json.dumps(watch.kinds), watch.min_seats, now_ms),
                )

    def act(self, host: Host) -> tuple[str, Act]:
        """A random action: its name and a function that executes it."""
        chance, clock = self._world.chance, host.clock
        email, key = chance.choice(self._emails), chance.choice(list(self._world.catalog.truth))
        watch, watch_id = self._watch(email, key), chance.randint(1, 8)
        acts: list[tuple[str, Act]] = [
            ("add", lambda services: services.store.watches.add(watch, clock.now())),
            ("end", lambda services: services.store.watches.end(watch_id, "deleted", clock.now())),
            ("opt out or in", lambda services: _change_mind(services.store.opt_outs, email, clock.now())),
            ("webhook", self._report(host)),
            ("pause", self._pause(host)),
        ]
        return chance.choice(acts)

    def _watch(self, email: str, key: SectionKey) -> Watch:
        chance = self._world.chance
        kinds = tuple(kind for kind in DEFAULT_KINDS if chance.random() < 0.85) or DEFAULT_KINDS
        min_seats = chance.choice((1, 1, 1, 2, 3))
        return Watch(email, key, kinds + (NotificationKind.SEAT_FILLED,) * (min_seats > 1), min_seats)

    def _pause(self, host: Host) -> Act:
        """An operator pauses the source or mail."""
        chance, now = self._world.chance, host.clock.now()
        name, until = chance.choice(("scraper", MAIL)), now + timedelta(seconds=chance.choice((5, 60, 900)))
        return lambda services: services.store.pauses.pause(name, until, "works", "operator", now)

    def _report(self, host: Host) -> Act:
        """A delivery report of the provider, possibly a duplicate."""
        chance, book = self._world.chance, self._world.provider.book
        taken = [entry for entry in book if entry.is_accepted]
        if not taken:
            return lambda _: None
        entry, kind = chance.choice(taken), chance.choice(("delivered", "delivered", "bounced", "complained"))

        def report(services: Services) -> None:
            services.store.deliveries.record(
                f"{kind}-{entry.provider_id}",
                kind,
                provider_id=entry.provider_id,
                address=entry.to,
                reason="",
                now=host.clock.now(),
            )

        return report


def _change_mind(opt_outs: OptOuts, email: str, now: datetime) -> int:
    """Stop all mail, or allow it again where it was stopped."""
    if opt_outs.has_stopped_all(email):
        return opt_outs.allow_all(email, now)
    return opt_outs.stop_all(email, now)
