"""The requests to Ellucian Colleague Self-Service: its antiforgery token, terms, searches and sections.

Source: public clients of the catalogs of Kishwaukee and Bellarmine (classic interface), and of Guelph,
Suffolk and Texas Woman's University (async interface).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from typing import Final, Literal

import msgspec
from msgspec import Struct

from catalogs.answers import decode
from catalogs.colleague_answers import (
    CoursePage,
    SearchForm,
    SectionsAnswer,
    TermGroups,
    TermItem,
)
from catalogs.family import CatalogRequest, Exchange, FamilyOptions, Session
from catalogs.faults import is_html, refuse, shows_sign_in
from domain.catalog import (
    PartialAnswerError,
    SessionExpiredError,
    WrongTermError,
)
from providers.http import HttpResponse

_TOKEN: Final = "__RequestVerificationToken"  # noqa: S105 - the name of a field
_INPUT: Final = re.compile(rf"<input\b[^>]*\bname=[\"']{_TOKEN}[\"'][^>]*>", re.IGNORECASE)
_VALUE: Final = re.compile(r"\bvalue=[\"']([^\"']+)[\"']", re.IGNORECASE)


class ColleagueOptions(FamilyOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` ends before `Courses`, such as https://selfservice.example.edu/Student/.

    `interface`: "async" for the newer routes SearchAsync and SectionsAsync.
    """

    interface: Literal["classic", "async"] = "classic"


class CourseIds(Struct, frozen=True):
    """The catalog's ids of a course and of its sections in one term."""

    course: str
    sections: list[str]


@dataclass(frozen=True, slots=True)
class ColleagueRequests:
    """Requests to the catalog at `options`; the session keeps the antiforgery token and the terms."""

    options: ColleagueOptions

    def search(
        self, term: str, session: Session, *, subject: str = "", keyword: str | None = None, page: int = 1
    ) -> Exchange[CoursePage]:
        """One page of the courses of `term`, 30 at most."""
        yield from self.require_term(term, session)
        criteria = _criteria(term, [subject] if subject else [], keyword, page)
        if self.options.interface == "async":
            wrapped = {"searchParameters": json_text({**criteria, **_ASYNC})}
            body = yield from self._send("SearchAsync", session, wrapped)
        else:
            body = yield from self._send("PostSearchCriteria", session, {**criteria, **_CLASSIC})
        return decode(body, CoursePage, "Colleague")

    def sections(self, ids: CourseIds, session: Session) -> Exchange[TermGroups]:
        """The sections with `ids`, by term."""
        asked = {"courseId": ids.course, "sectionIds": ids.sections}
        if self.options.interface == "async":
            return decode((yield from self._send("SectionsAsync", session, asked)), TermGroups, "Colleague")
        body = yield from self._send("Sections", session, asked)
        return decode(body, SectionsAnswer, "Colleague").SectionsRetrieved

    def require_term(self, term: str, session: Session, *, is_known: bool = True) -> Exchange[None]:
        """Check that `term` is listed, in the session's list if `is_known`.

        Raises: WrongTermError if it is not: a search then finds nothing, which proves nothing.
        """
        known = session.values.get("terms") if is_known else None
        items = msgspec.json.decode(known, type=list[TermItem]) if known else (yield from self.terms(session))
        if any(item.Item1 == term for item in items):
            return
        session.values.pop("terms", None)
        raise WrongTermError(f"the catalog does not list the term {term}")

    def terms(self, session: Session) -> Exchange[list[TermItem]]:
        """The terms that are open to the public search. Raises: PartialAnswerError if there are none."""
        route = "GetCatalogAdvancedSearch" + ("Async" if self.options.interface == "async" else "")
        items = decode((yield from self._send(route, session)), SearchForm, "Colleague").Terms
        if not items:
            raise PartialAnswerError("Colleague lists no terms")
        session.values["terms"] = json_text(items)
        return items

    def _send(self, route: str, session: Session, payload: object = None) -> Exchange[bytes]:
        """The body of the answer; a stale antiforgery token (400) is renewed once."""
        for _ in range(2):
            token = session.values.get("token") or (yield from self._open(session))
            response = yield CatalogRequest(
                "GET" if payload is None else "POST",
                f"{self._courses}/{route}",
                b"" if payload is None else msgspec.json.encode(payload),
                "application/json; charset=UTF-8",
                {_TOKEN: token, "X-Requested-With": "XMLHttpRequest", "Accept": "application/json"},
            )
            if response.status != HTTPStatus.BAD_REQUEST:
                return _json(response)
            session.values.pop("token", None)
        raise SessionExpiredError(f"Colleague refused {route} with a new antiforgery token")

    def _open(self, session: Session) -> Exchange[str]:
        response = yield CatalogRequest("GET", self._courses)
        field = _INPUT.search(response.body.decode("utf-8", "replace"))
        value = _VALUE.search(field.group()) if field else None
        if response.status != HTTPStatus.OK or value is None or shows_sign_in(response):
            raise refuse(response, f"Colleague's search page with the field {_TOKEN}")
        token = session.values["token"] = unescape(value.group(1))
        return token

    @property
    def _courses(self) -> str:
        return self.options.base_url.rstrip("/") + "/Courses"


def _json(response: HttpResponse) -> bytes:
    """The body of a successful answer. Raises: what any other answer means."""
    if response.status != HTTPStatus.OK or is_html(response) or shows_sign_in(response):
        raise refuse(response, "Colleague")
    return response.body


def _criteria(term: str, subjects: list[str], keyword: str | None, page: int) -> dict[str, object]:
    """The criteria of a search. "" for an unused field makes the catalog refuse all of them."""
    lists = (
        "academicLevels courseLevels synonyms courseTypes topicCodes days locations faculty keywordComponents"
    )
    unused = (
        "courseIds sectionIds onlineCategories requirement subrequirement requirementText subrequirementText "
        "group startTime endTime openSections startDate endDate startsAtTime endsByTime"
    )
    return {
        **{name: [] for name in lists.split()},
        **dict.fromkeys(unused.split()),
        "keyword": keyword,
        "terms": [term],
        "subjects": subjects,
        "pageNumber": page,
    }


_CLASSIC: Final = {"sortOn": 2, "sortDirection": 0}
"""By section name, ascending. The classic interface takes numbers."""
_ASYNC: Final = {
    "sortOn": "None",
    "sortDirection": "Ascending",
    "quantityPerPage": 30,
    "searchResultsView": "CatalogListing",
}


def json_text(value: object) -> str:
    """`value` as JSON, for queries and the session."""
    return msgspec.json.encode(value).decode()
