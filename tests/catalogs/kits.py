"""A kit for each family: a small campus on its stand-in, polled as Rollcall does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from catalogs import asu, banner9, colleague, fose, hcx, rutgers, testudo
from catalogs.banner9_requests import BannerOptions
from catalogs.colleague_requests import ColleagueOptions
from catalogs.family import (
    Answer,
    Catalog,
    CatalogIdentity,
    Family,
    FamilyOptions,
    Session,
    Unit,
    WatchedSection,
)
from catalogs.fose import FoseOptions
from catalogs.hcx_requests import HcxOptions
from catalogs.rutgers import RutgersOptions
from domain.catalog import CatalogFault, CatalogTerm, PartialAnswerError
from domain.catalog_poll import ScopeProgress
from domain.section import SectionKey
from tests.catalogs.driving import AT, Run
from tests.standins import banner9 as banner
from tests.standins.asu import AsuStandin
from tests.standins.catalog import CampusSection, CampusStandin, CatalogStandin
from tests.standins.colleague import ColleagueStandin
from tests.standins.fose import EXPIRED, FoseStandin
from tests.standins.hcx import INSTITUTION, NODE, SITE, HcxStandin
from tests.standins.rutgers import RutgersStandin
from tests.standins.server import Answer as HttpAnswer
from tests.standins.testudo import TestudoStandin


@dataclass(frozen=True)
class Kit:
    """A family and its stand-in: two sections of `course` and one of another, with 3 free seats each.

    Shape: `rows` is the route of the rows, `lost` what it answers to a session that it does not know,
    `terms` the route of the list of terms. `by_course` and `by_title` find the first two sections and the
    last, whose subject is `subject`; `absent` is no section. `states_term` if the rows name their term,
    `states_total` if a row that is left out can be noticed. What `is_counted` has numbers of seats.
    """

    name: str
    family: Family[Any]
    open: Callable[[Sequence[str]], CatalogStandin]
    options: Callable[[CatalogStandin], FamilyOptions]
    term: CatalogTerm
    course: str
    sections: tuple[str, str, str]
    rows: str
    lost: HttpAnswer | None
    lost_fault: CatalogFault = CatalogFault.SESSION
    terms: str = ""
    lists_term: bool = True
    is_counted: bool = True
    states_reserved: bool = True
    states_term: bool = True
    states_total: bool = True
    by_course: str = "CS 1110"
    by_title: str = "drawing"
    subject: str = "art"
    absent: str = "99999"

    def seats(self, free: int) -> int:
        """The open seats of an observation of a section with `free` ones."""
        return max(0, free if self.is_counted else min(1, free))

    def catalog(self, standin: CatalogStandin) -> Catalog:
        return self.family.build(CatalogIdentity("campus", UTC), self.options(standin))

    def key(self, number: str) -> SectionKey:
        return SectionKey("campus", self.term.code, number)

    def watched(self, *numbers: str) -> list[WatchedSection]:
        return [WatchedSection(self.key(each), self.course) for each in numbers or self.sections[:2]]

    def campus(self, free: int = 3) -> CatalogStandin:
        standin = self.open(self.sections)
        for number in self.sections:
            set_free(standin, number, free)
        return standin


def set_free(standin: CatalogStandin, number: str, seats: int) -> None:
    if isinstance(standin, CampusStandin):
        section = standin.section(number)
        section.enrolled = section.capacity - seats
    elif isinstance(standin, banner.Banner9Standin):
        (row,) = (each for each in standin.rows if each["courseReferenceNumber"] == number)
        row["seatsAvailable"] = seats


def open_banner(numbers: Sequence[str]) -> CatalogStandin:
    first, second, other = numbers
    return banner.Banner9Standin(
        banner.row(first, "CS 1110"), banner.row(second, "CS 1110"), banner.row(other, "ART 100")
    )


def campus(
    numbers: Sequence[str], course: str = "CS 1110", other_course: str = "ART 100"
) -> list[CampusSection]:
    first, second, other = numbers
    both = [CampusSection(number, course) for number in (first, second)]
    return [*both, CampusSection(other, other_course, "Drawing")]


def open_rutgers(numbers: Sequence[str]) -> CatalogStandin:
    standin = RutgersStandin(*campus(numbers, "01:198:111", "01:080:100"))
    standin.max_ages = dict.fromkeys(standin.max_ages, 0)  # the clock of a test stands
    return standin


def base_url(standin: Any) -> FamilyOptions:
    return FamilyOptions(base_url=standin.base_url)


def hcx_options(standin: CatalogStandin) -> FamilyOptions:
    return HcxOptions(base_url=standin.url, site=SITE, node=NODE, institution=INSTITUTION)


SESSIONLESS = HttpAnswer(200, b'{"success":true,"totalCount":0,"data":null,"pathMode":null}')
TO_LOGIN = HttpAnswer(302, b"", headers={"Location": "/psp/ihprd/?cmd=login"})
KITS = [
    Kit(
        "banner9", banner9.FAMILY, open_banner,
        lambda standin: BannerOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("202710", "Fall 2026"), "CS 1110", ("10001", "10002", "10003"),
        "searchResults/searchResults", SESSIONLESS, terms="classSearch/getTerms",
    ),
    Kit(
        "hcx", hcx.FAMILY, lambda numbers: HcxStandin(*campus(numbers)), hcx_options,
        CatalogTerm("1268", "2026 Fall"), "CS 1110", ("10001", "10002", "10003"),
        "ClassSearch", TO_LOGIN, CatalogFault.SIGN_IN, terms="ClassSearchOptions",
    ),
    Kit(
        "colleague", colleague.FAMILY, lambda numbers: ColleagueStandin(*campus(numbers)),
        lambda standin: ColleagueOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("26/FA", "Fall 2026"), "CS-1110", ("CS-1110-01", "CS-1110-02", "ART-100-01"),
        "Sections", HttpAnswer(400, b"token"), terms="GetCatalogAdvancedSearch",
        lists_term=False, states_reserved=False, absent="CS-1110-99",
    ),
    Kit(
        "asu", asu.FAMILY, lambda numbers: AsuStandin(*campus(numbers)), base_url,
        CatalogTerm("2267", "Fall 2026"), "CS 1110", ("10001", "10002", "10003"),
        "classes", None, terms="terms",
    ),
    Kit(
        "fose", fose.FAMILY, lambda numbers: FoseStandin(*campus(numbers)),
        lambda standin: FoseOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("2267", "Fall 2026"), "CS 1110", ("10001", "10002", "10003"),
        "search", EXPIRED, states_reserved=False,
    ),
    Kit(
        "rutgers", rutgers.FAMILY, open_rutgers,
        lambda standin: RutgersOptions(base_url=standin.base_url),  # type: ignore[attr-defined]
        CatalogTerm("92026", "Fall 2026"), "01:198:111", ("09212", "09214", "09216"),
        "openSections", None, is_counted=False, states_reserved=False, states_term=False, states_total=False,
        by_course="01:198:111", subject="080",
    ),
    Kit(
        "testudo", testudo.FAMILY,
        lambda numbers: TestudoStandin(*campus(numbers, "CMSC111", "ARTT100")), base_url,
        CatalogTerm("202608", "Fall 2026"), "CMSC111", ("CMSC111-0101", "CMSC111-0102", "ARTT100-0101"),
        "202608/sections", None, lists_term=False, states_reserved=False, states_term=False,
        by_course="CMSC111", by_title="artt drawing", absent="CMSC111-0199",
    ),
]  # fmt: skip


def kit_of(name: str) -> Kit:
    return next(each for each in KITS if each.name == name)


def read(catalog: Catalog, units: Sequence[Unit], session: Session, run: Run) -> list[Answer]:
    """The answers to `units`, to what continues them, and to the details of watched sections.

    Raises: PartialAnswerError if rows are missing.
    """
    waiting, found, scopes = deque(units), list[Answer](), {each.scope: ScopeProgress() for each in units}
    watched = frozenset[SectionKey]().union(*(unit.covers for unit in units))
    for unit in units:
        scopes[unit.scope].pending += 1
    while waiting:
        unit = waiting.popleft()
        answer = run(catalog.fetch(unit, session, AT))
        numbers = [seen.key.number for seen in answer.observations]
        scopes[unit.scope].add(numbers, answer.total, continues=answer.continuation is not None)
        waiting.extend(filter(None, [answer.continuation]))
        details = [catalog.details(seen) for seen in answer.observations if seen.key in watched]
        found.append(answer)
        found += [run(catalog.fetch(each, session, AT)) for each in details if each is not None]
    if not all(scope.is_complete for scope in scopes.values()):
        raise PartialAnswerError("rows are missing")
    return found
