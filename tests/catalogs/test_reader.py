from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from catalogs import colleague
from catalogs.active import ActiveCatalog
from catalogs.client import CatalogClient
from catalogs.family import CatalogRequest
from catalogs.profile import Profiles
from catalogs.reader import CatalogReader, Listing
from domain.catalog import CatalogTerm
from domain.errors import InvalidInputError
from domain.ports import HostUsage
from tests.catalogs.test_client import Turns
from tests.catalogs.test_colleague import BASE, CatalogServer
from tests.standins.server import Answer, StandIn
from tests.support.clock import FakeClock

_HEADERS = ("__RequestVerificationToken", "X-Requested-With")
FALL, SPRING = CatalogTerm("FA26", "Fall"), CatalogTerm("SP26", "Spring", is_view_only=True)


class College(StandIn):
    """A Colleague catalog on loopback."""

    def __init__(self) -> None:
        super().__init__()
        self.catalog = CatalogServer(terms=["FA26", "SP26"])

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if path == "/robots.txt":
            return Answer(404, b"")
        named = {name: headers[name.lower()] for name in _HEADERS if name.lower() in headers}
        url = BASE + path.removeprefix("/Student/")
        found = self.catalog(CatalogRequest(method, url, body, headers=named))
        return Answer(found.status, found.body)


@pytest.fixture
def college() -> Iterator[College]:
    with College() as found:
        yield found


@pytest.fixture
def reader(college: College, tmp_path: Path, clock: FakeClock) -> CatalogReader:
    text = (
        f'id = "college"\nname = "College"\nfamily = "colleague"\nbase_url = "{college.url}/Student/"\n'
        'timezone = "UTC"\n'
    )
    profiles = Profiles(["colleague"], lambda _: colleague.FAMILY, tmp_path)
    profile = profiles.decode(text, tmp_path / "college.toml")

    def connect() -> CatalogClient:
        return CatalogClient(
            "college", f"{college.url}/Student/", user_agent="Rollcall/1", gate=Turns(), clock=clock
        )

    return CatalogReader(ActiveCatalog(profile, profile.catalog(), connect, lambda: HostUsage(0, 0.0)), clock)


def test_a_catalog_that_cannot_list_a_term_is_sampled_by_a_search(
    reader: CatalogReader, college: College
) -> None:
    terms = reader.terms()
    listing = reader.sample(reader.term(terms, None).code)
    assert [term.code for term in terms] == ["FA26", "SP26"]
    assert [str(seen.key) for seen in listing.sections] == ["college/FA26/AMT-116-3A01"]
    assert listing.total is None
    assert college.catalog.routes() == [
        "Courses",
        "GetCatalogAdvancedSearch",
        "PostSearchCriteria",
        "Sections",
    ]
    assert reader.client.requests == 5  # and robots.txt


def test_a_catalog_that_cannot_list_a_term_is_not_asked_for_it(
    reader: CatalogReader, college: College
) -> None:
    with pytest.raises(InvalidInputError, match="cannot list a whole term"):
        reader.sections("FA26", lambda done, total: None)
    assert college.catalog.asked == []


def test_the_first_term_that_is_open_is_chosen(reader: CatalogReader) -> None:
    assert reader.term([SPRING, FALL], None) == FALL
    assert reader.term([SPRING], None) == SPRING
    assert reader.term([FALL, SPRING], "SP26") == SPRING


@pytest.mark.parametrize(
    ("terms", "code", "problem"),
    [([FALL], "SU26", "college does not list SU26; it lists FA26"), ([], None, "college lists no terms")],
)
def test_a_term_that_is_not_listed_is_refused(
    reader: CatalogReader, terms: list[CatalogTerm], code: str | None, problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        reader.term(terms, code)


def test_a_listing_is_complete_when_it_has_as_many_sections_as_stated() -> None:
    assert Listing([], 0).is_complete
    assert Listing([]).is_complete
    assert not Listing([], 1).is_complete
