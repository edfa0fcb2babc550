"""Each family from a poll to the mail: a profile, a stand-in on loopback, and the poller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import redis

from actors.poll import poll
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.profile import Profiles, profile_text
from domain.catalog import CatalogFault
from domain.ports import Clock, HostUsage
from domain.section import SectionKey
from domain.watch import Watch
from tests.catalogs.kits import KITS, Kit, kit_of, set_free
from tests.catalogs.test_client import Turns
from tests.standins.banner9 import Banner9Standin
from tests.standins.catalog import EVERY_ROUTE, MAINTENANCE, CampusStandin, CatalogStandin
from tests.support.harness import Harness, harness, sqlite_url

SOURCE = "state"


@dataclass
class School:
    """A polled catalog whose first section is watched; every section is full at first."""

    kit: Kit
    site: CatalogStandin
    rollcall: Harness

    @property
    def number(self) -> str:
        return self.kit.sections[0]

    def poll(self) -> list[str]:
        """Poll after more than a minute; the routes that were asked for."""
        asked = len(self.site.routes)
        self.rollcall.clock.advance(65)
        poll(self.rollcall.services, linger_seconds=0)
        self.rollcall.process_messages()
        return self.site.routes[asked:]

    @property
    def mailed(self) -> list[str]:
        return [event.partition(";")[0] for _, event in self.rollcall.events()]

    @property
    def fault(self) -> CatalogFault | None:
        return self.rollcall.services.store.polls.all()[SOURCE, self.kit.term.code].fault

    def seats(self) -> int | None:
        key = SectionKey(SOURCE, self.kit.term.code, self.number)
        state = self.rollcall.services.store.sections.get(key)
        return None if state is None else state.open_seats


def active(kit: Kit, site: CatalogStandin, clock: Clock) -> ActiveCatalog:
    options = {name: value for name, value in msgspec.structs.asdict(kit.options(site)).items() if value}
    keys = {"id": SOURCE, "name": "State", "family": kit.name, "timezone": "UTC", **options}
    profiles = Profiles([kit.name], lambda _: kit.family, Path())
    profile = profiles.decode(profile_text(keys), Path("state.toml"))

    def connect() -> CatalogClient:
        return CatalogClient(
            SOURCE, site.url, user_agent="Rollcall/1", gate=Turns(), clock=clock, timeout_seconds=5
        )

    return ActiveCatalog(profile, profile.catalog(), connect, lambda: HostUsage(0, 0.0))


@pytest.fixture(params=KITS, ids=lambda kit: kit.name)
def school(
    request: pytest.FixtureRequest, tmp_path: Path, redis_client: redis.Redis, prefix: str
) -> Iterator[School]:
    kit: Kit = request.param
    with (
        kit.campus(free=0) as site,
        harness(
            sqlite_url(tmp_path),
            redis_client,
            prefix,
            catalogs=lambda clock: {SOURCE: active(kit, site, clock)},
        ) as rollcall,
    ):
        found = School(kit, site, rollcall)
        wanted = Watch("ada@example.edu", SectionKey(SOURCE, kit.term.code, found.number))
        rollcall.services.store.watches.add(wanted, rollcall.clock.now())
        yield found


def test_a_seat_that_opens_is_mailed_once(school: School) -> None:
    school.poll()
    assert (school.seats(), school.fault, school.mailed) == (0, None, [])
    set_free(school.site, school.number, 2)
    for _ in range(3):
        school.poll()
    assert (school.seats(), school.fault, school.mailed) == (school.kit.seats(2), None, ["seat_available"])


def test_reserved_seats_are_not_mailed(school: School) -> None:
    if not isinstance(school.site, CampusStandin) or not school.kit.states_reserved:
        pytest.skip("its stand-in has no reserved seats")
    school.poll()
    school.site.section(school.number).reserved = 2
    set_free(school.site, school.number, 2)
    school.poll()
    school.poll()
    assert (school.seats(), school.mailed) == (0, [])
    school.site.section(school.number).reserved = 1
    school.poll()
    school.poll()
    assert (school.seats(), school.mailed) == (1, ["seat_available"])


def test_a_fault_changes_nothing_and_the_next_poll_catches_up(school: School) -> None:
    school.poll()
    set_free(school.site, school.number, 1)
    school.site.failing[EVERY_ROUTE] = MAINTENANCE
    school.poll()
    assert (school.seats(), school.fault, school.mailed) == (0, CatalogFault.MAINTENANCE, [])
    school.site.failing.clear()
    school.rollcall.clock.advance(600)
    school.poll()
    assert (school.seats(), school.fault, school.mailed) == (1, None, ["seat_available"])


def test_a_section_that_is_full_again_can_open_again(school: School) -> None:
    school.poll()
    for seats in (1, 0, 3):
        set_free(school.site, school.number, seats)
        school.poll()
    assert school.mailed == ["seat_available", "seat_available"]


@pytest.mark.parametrize("school", [kit_of(name) for name in ("banner9", "hcx", "asu")], indirect=True)
def test_a_part_of_the_term_that_cannot_be_read_does_not_stop_the_watched_sections(school: School) -> None:
    school.poll()
    if isinstance(school.site, CampusStandin):
        vars(school.site.section(school.kit.sections[2]))["waitlist"] = "many"
    elif isinstance(school.site, Banner9Standin):
        school.site.rows[2]["waitAvailable"] = "many"
    set_free(school.site, school.number, 1)
    school.rollcall.clock.advance(86_400)
    faults = []
    for _ in range(2):
        school.poll()
        faults.append(school.fault)
        school.rollcall.clock.advance(600)
    assert faults == [CatalogFault.SCHEMA, None]
    assert (school.seats(), school.mailed) == (1, ["seat_available"])
