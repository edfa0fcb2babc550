"""A harness with catalogs that are polled: Banner 9 stand-ins on loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from actors.poll import poll
from catalogs import banner9
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.profile import Profiles
from domain.catalog_poll import TermPoll
from domain.ports import Clock, HostUsage
from domain.section import SectionKey
from domain.watch import Watch
from store.watches import StoredWatch
from tests.catalogs.test_client import Turns
from tests.standins.banner9 import Banner9Standin, row
from tests.support.harness import Harness, harness

TERM = "202710"


class Site(Banner9Standin):
    """A stand-in whose pages from the row `cut_at` on lack a section, and which calls `before_page`."""

    def __init__(self) -> None:
        super().__init__()
        self.cut_at: int | None = None
        self.before_page: Callable[[int], None] = lambda _: None

    def _page(self, session: dict[str, str] | None, asked: Mapping[str, str]) -> dict[str, Any]:
        page, offset = super()._page(session, asked), int(asked["pageOffset"])
        self.before_page(offset)
        if self.cut_at is not None and offset >= self.cut_at and page["data"]:
            page["data"] = page["data"][:-1]
        return page

    def forget_sessions(self) -> None:
        self._sessions.clear()


@dataclass
class School:
    """One polled catalog of a harness: its stand-in, and what Rollcall knows of it."""

    name: str
    site: Site
    rollcall: Harness

    def show(self, **seats: int) -> None:
        """Show `seats` in sections (n101=3), which are listed if they are new."""
        for crn, open_seats in ((name.removeprefix("n"), count) for name, count in seats.items()):
            for each in self.site.rows:
                if each["courseReferenceNumber"] == crn:
                    each["seatsAvailable"] = open_seats
                    break
            else:
                self.site.rows.append(row(crn, seatsAvailable=open_seats))

    def hide(self, crn: str) -> None:
        self.site.rows[:] = [each for each in self.site.rows if each["courseReferenceNumber"] != crn]

    def watch(self, crn: str, email: str = "ada@example.edu") -> StoredWatch:
        wanted, now = Watch(email, SectionKey(self.name, TERM, crn)), self.rollcall.clock.now()
        return self.rollcall.services.store.watches.add(wanted, now)[0]

    def seats(self, crn: str) -> int | None:
        state = self.rollcall.services.store.sections.get(SectionKey(self.name, TERM, crn))
        return None if state is None else state.open_seats

    @property
    def state(self) -> TermPoll:
        return self.rollcall.services.store.polls.all()[self.name, TERM]


@dataclass
class Polling:
    """A harness and its schools, in the order of their names."""

    rollcall: Harness
    schools: list[School]

    @property
    def mailed(self) -> list[tuple[str, str]]:
        """The recipient and the kind of each mail."""
        return [(to, event.partition(";")[0]) for to, event in self.rollcall.events()]

    def poll(self, seconds: float = 65) -> None:
        """Let time pass, poll what is due, and process the messages."""
        self.rollcall.clock.advance(seconds)
        poll(self.rollcall.services, linger_seconds=0)
        self.rollcall.process_messages()


def banner_catalog(name: str, base_url: str, clock: Clock, **keys: Any) -> ActiveCatalog:
    polling = "".join(f"{key} = {value}\n" for key, value in keys.items())
    text = (
        f'id = "{name}"\nname = "{name}"\nfamily = "banner9"\nbase_url = "{base_url}"\n'
        f'timezone = "UTC"\n[polling]\n{polling}'
    )
    profiles = Profiles(["banner9"], lambda _: banner9.FAMILY, Path())
    profile = profiles.decode(text, Path(f"{name}.toml"))

    def connect() -> CatalogClient:
        return CatalogClient(
            name, base_url, user_agent="Rollcall/1", gate=Turns(), clock=clock, timeout_seconds=5
        )

    return ActiveCatalog(profile, profile.catalog(), connect, lambda: HostUsage(0, 0.0))


@contextmanager
def polling(
    database_url: str, client: redis.Redis, prefix: str, *names: str, **options: Any
) -> Iterator[Polling]:
    sites = {name: Site() for name in names}

    def catalogs(clock: Clock) -> Mapping[str, ActiveCatalog]:
        return {name: banner_catalog(name, site.base_url, clock) for name, site in sites.items()}

    with ExitStack() as stack:
        for site in sites.values():
            stack.enter_context(site)
        found = stack.enter_context(harness(database_url, client, prefix, catalogs=catalogs, **options))
        yield Polling(found, [School(name, site, found) for name, site in sites.items()])
