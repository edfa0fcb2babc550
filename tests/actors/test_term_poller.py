"""Polls of a catalog whose rows state only a status, and whose counts take one more request each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from actors.poll import poll
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.family import (
    Answer,
    CatalogIdentity,
    CatalogRequest,
    Exchange,
    Family,
    FamilyOptions,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.profile import Profiles
from domain.availability import SeatFacts, observation
from domain.catalog import (
    Capabilities,
    CatalogFault,
    CatalogTerm,
    PartialAnswerError,
    SectionReference,
    SessionExpiredError,
)
from domain.observation import Observation, SectionStatus
from domain.ports import Clock, HostUsage
from domain.section import SectionKey
from domain.watch import Watch
from tests.catalogs.test_client import Turns
from tests.standins import server
from tests.support.harness import Harness, harness, sqlite_url

TERM = ("boulder", "2261")
COSTLY = "2264"
"""A term that takes 100 requests."""
OPEN = "open"


@dataclass(frozen=True, slots=True)
class StatusCatalog:
    """A catalog of one request for a term, and one for the count of a section; 410 is an expired session."""

    identity: CatalogIdentity
    options: FamilyOptions

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(counts=True, status=True)

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        raise NotImplementedError

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        if watched is None:
            return [Unit(term, "", term, requests=100 if term == COSTLY else 1)]
        return [Unit(term, "", term, frozenset(each.key for each in watched))] if watched else []

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        response = yield CatalogRequest("GET", f"{self.options.base_url}/{unit.term}/{unit.query}")
        if response.status == 410:
            raise SessionExpiredError("the session has expired")
        if response.status != 200:
            raise PartialAnswerError(f"status {response.status}")
        found = msgspec.json.decode(response.body)
        key = SectionKey(self.identity.id, unit.term, unit.query)
        if unit.query:
            return Answer([observation(key, at, SeatFacts(own=found, status=SectionStatus.OPEN))])
        rows = [
            observation(
                SectionKey(self.identity.id, unit.term, number), at, SeatFacts(status=SectionStatus(status))
            )
            for number, status in found.items()
        ]
        return Answer(rows, total=len(rows))

    def details(self, seen: Observation) -> Unit | None:
        if seen.is_counted or not seen.open_seats:
            return None
        return Unit(seen.key.term, seen.key.number, f"{seen.key}", frozenset({seen.key}))

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        raise NotImplementedError

    def parse_link(self, text: str) -> SectionReference | None:
        raise NotImplementedError


FAMILY = Family("status", "Status", FamilyOptions, StatusCatalog, lambda _: None)


class StatusSite(server.StandIn):
    """`rows` maps each section to its status, `counts` to its seats; `failing` are answers of paths."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.failing: dict[str, list[server.Answer]] = {}
        self.asked: list[str] = []

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> server.Answer:
        if path == "/robots.txt":
            return server.Answer(404, b"")
        number = path.rpartition("/")[2]
        self.asked.append(number)
        if self.failing.get(number):
            return self.failing[number].pop(0)
        found: Any = self.counts[number] if number else self.rows
        return server.Answer(200, msgspec.json.encode(found))


@dataclass
class Boulder:
    rollcall: Harness
    site: StatusSite

    def watch(self, number: str) -> None:
        wanted = Watch("ada@example.edu", SectionKey(*TERM, number))
        self.rollcall.services.store.watches.add(wanted, self.rollcall.clock.now())

    def poll(self, seconds: float = 65) -> list[str]:
        """Poll after `seconds`; what the site was asked, "" for the term."""
        self.site.asked.clear()
        self.rollcall.clock.advance(seconds)
        poll(self.rollcall.services, linger_seconds=0)
        self.rollcall.process_messages()
        return list(self.site.asked)

    def seats(self, number: str) -> int | None:
        state = self.rollcall.services.store.sections.get(SectionKey(*TERM, number))
        return None if state is None else state.open_seats

    @property
    def fault(self) -> CatalogFault | None:
        return self.rollcall.services.store.polls.all()[TERM].fault


def catalog(site: StatusSite, clock: Clock) -> ActiveCatalog:
    text = f'id = "boulder"\nname = "B"\nfamily = "status"\nbase_url = "{site.url}"\ntimezone = "UTC"\n'
    profile = Profiles(["status"], lambda _: FAMILY, Path()).decode(text, Path("boulder.toml"))

    def connect() -> CatalogClient:
        return CatalogClient(
            "boulder", site.url, user_agent="Rollcall/1", gate=Turns(), clock=clock, timeout_seconds=5
        )

    return ActiveCatalog(profile, profile.catalog(), connect, lambda: HostUsage(0, 0.0))


@pytest.fixture
def boulder(tmp_path: Path, redis_client: redis.Redis, prefix: str) -> Iterator[Boulder]:
    with (
        StatusSite() as site,
        harness(
            sqlite_url(tmp_path),
            redis_client,
            prefix,
            catalogs=lambda clock: {"boulder": catalog(site, clock)},
        ) as found,
    ):
        yield Boulder(found, site)


def begin(boulder: Boulder) -> None:
    """Watch section 1 of two that are full."""
    boulder.site.rows = {"1": "closed", "2": "closed"}
    boulder.watch("1")
    boulder.poll()


def test_the_counts_of_a_watched_section_are_read_before_it_is_announced(boulder: Boulder) -> None:
    begin(boulder)
    boulder.site.rows, boulder.site.counts = {"1": OPEN, "2": OPEN}, {"1": 7}
    assert boulder.poll() == ["", "1"]
    (mail,) = boulder.rollcall.mailer.sent
    assert "7" in mail.subject + mail.text
    assert (boulder.seats("1"), boulder.seats("2")) == (7, 1)
    assert boulder.poll() == [""]


def test_an_open_status_without_a_seat_is_announced_when_its_details_have_one(boulder: Boulder) -> None:
    begin(boulder)
    boulder.site.rows, boulder.site.counts = {"1": OPEN, "2": OPEN}, {"1": 0}
    boulder.poll()
    assert (boulder.seats("1"), boulder.rollcall.mailer.sent) == (0, [])
    boulder.site.counts["1"] = 2
    assert boulder.poll() == ["", "1"]
    assert (boulder.seats("1"), len(boulder.rollcall.mailer.sent)) == (2, 1)


def test_without_its_details_a_section_stays_as_it_was_and_the_next_poll_tries_again(
    boulder: Boulder,
) -> None:
    begin(boulder)
    boulder.site.rows, boulder.site.counts = {"1": OPEN, "2": OPEN}, {"1": 7}
    boulder.site.failing["1"] = [server.Answer(500, b"")]
    boulder.poll()
    assert (boulder.seats("1"), boulder.seats("2"), boulder.fault) == (0, 1, None)
    boulder.poll()
    assert (boulder.seats("1"), len(boulder.rollcall.mailer.sent)) == (7, 1)


def test_a_refusal_of_details_ends_the_poll(boulder: Boulder) -> None:
    begin(boulder)
    boulder.site.rows, boulder.site.counts = {"1": OPEN, "2": OPEN}, {"1": 7}
    boulder.site.failing["1"] = [server.Answer(403, b"")]
    boulder.poll()
    assert (boulder.seats("1"), boulder.fault) == (0, CatalogFault.BLOCKED)


def test_a_session_that_expires_is_opened_again_once(boulder: Boulder) -> None:
    begin(boulder)
    boulder.site.failing[""] = [server.Answer(410, b"")]
    assert boulder.poll() == ["", ""]
    assert boulder.fault is None
    boulder.site.failing[""] = [server.Answer(410, b""), server.Answer(410, b"")]
    assert boulder.poll() == ["", ""]
    assert boulder.fault is CatalogFault.SESSION


def test_an_error_of_a_family_is_a_fault_of_the_answer(boulder: Boulder) -> None:
    begin(boulder)
    boulder.site.failing[""] = [server.Answer(200, b"no JSON")]
    boulder.poll()
    assert boulder.fault is CatalogFault.SCHEMA


@pytest.mark.parametrize(("term", "sweeps"), [("2261", 2), (COSTLY, 1)])
def test_the_whole_term_is_read_in_each_poll_only_where_it_takes_no_more_requests(
    boulder: Boulder, term: str, sweeps: int
) -> None:
    boulder.site.rows = {"1": "closed"}
    store, key = boulder.rollcall.services.store, SectionKey("boulder", term, "1")
    store.watches.add(Watch("ada@example.edu", key), boulder.rollcall.clock.now())
    swept = set()
    for _ in range(2):
        boulder.poll()
        swept.add(store.polls.all()["boulder", term].swept_at)
    assert len(swept) == sweeps
