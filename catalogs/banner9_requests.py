"""The requests to Ellucian Banner 9: its terms, the session of a search, and the pages of its results.

Source: the recorded browser session of Hawaii; public clients of UT San Antonio and other catalogs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from catalogs.answers import decode
from catalogs.banner9_answers import Page, Row, TermItem, check_query, total_of
from catalogs.family import CatalogRequest, Exchange, FamilyOptions, Session
from catalogs.faults import is_html, refuse
from domain.catalog import (
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SessionExpiredError,
    SignInRequiredError,
)
from domain.errors import RollcallError

PAGE_ROWS: Final = 500
"""The rows of a page; Banner returns no more."""
TERMS: Final = 100
_IDLE_SECONDS: Final = 1_500
"""A session ends after 1,800 s without requests."""
_WINDOWS: Final = 24
"""The most requests that isolate an unreadable row of a page: 9 halvings of 500 rows take 19."""


class BannerOptions(FamilyOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` ends before `/ssb`, such as https://registration.example.edu/StudentRegistrationSsb.

    `mep_code` selects the institution, and `campus` one campus, on a host that several share.
    """

    mep_code: str = ""
    campus: str = ""


class Criteria(Struct, frozen=True, omit_defaults=True):
    """What a search asks for; all sections of the term by default. `number` matches a prefix."""

    subjects: tuple[str, ...] = ()
    number: str = ""
    title: str = ""

    def parameters(self) -> dict[str, str]:
        """The criteria as the catalog's parameters."""
        named = {
            "txt_subject": ",".join(self.subjects),
            "txt_courseNumber": self.number,
            "txt_courseTitle": self.title,
        }
        return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a window of a search, and the number of rows of the search."""

    rows: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class BannerRequests:
    """Requests to the catalog at `options`; the session keeps its term, its criteria and its last use."""

    options: BannerOptions

    def terms(self) -> Exchange[list[TermItem]]:
        """The terms, newest first. Raises: PartialAnswerError if there are none."""
        asked = {"searchTerm": "", "offset": "1", "max": str(TERMS)}
        body = yield from self._send("GET", "classSearch/getTerms", "the list of terms", asked)
        items = decode(body, list[TermItem], "Banner")
        if not items:
            raise PartialAnswerError("Banner lists no terms")
        return items

    def rows(
        self, term: str, criteria: Criteria, session: Session, at: datetime, window: tuple[int, int]
    ) -> Exchange[Rows]:
        """The rows of `window` (offset, size). A row that the catalog cannot return is left out.

        After any fault the next exchange opens a new session.
        """
        try:
            found = yield from self._windows(term, criteria, session, at, window)
            check_query(found.rows, term, criteria.subjects)
        except RollcallError:
            _forget(session)
            raise
        return found

    def _windows(
        self, term: str, criteria: Criteria, session: Session, at: datetime, window: tuple[int, int]
    ) -> Exchange[Rows]:
        """The rows of `window`, halved while Banner fails: one unreadable row fails its whole page."""
        pending, found, totals = [window], list[Row](), set[int]()
        for _ in range(_WINDOWS):
            if not pending:
                break
            offset, size = pending.pop()
            page = yield from self._page(term, criteria, session, at, (offset, size))
            if page.success:
                totals.add(total_of(page, offset, size))
                found += page.data or []
            elif size > 1:
                half = size // 2
                pending += [(offset + half, size - half), (offset, half)]
        if pending or len(totals) != 1:
            raise PartialAnswerError(f"Banner cannot return the rows from {window[0]} of {term}")
        return Rows(found, totals.pop())

    def _page(
        self, term: str, criteria: Criteria, session: Session, at: datetime, window: tuple[int, int]
    ) -> Exchange[Page]:
        """One page; a session that the catalog has forgotten is opened again once."""
        for _ in range(2):
            yield from self._ready(term, criteria, session, at)
            body = yield from self._send(
                "GET",
                "searchResults/searchResults",
                "a page of sections",
                self._search_parameters(term, criteria, session, window),
            )
            page = decode(body, Page, "Banner")
            if not page.is_sessionless:
                return page
            _forget(session)
        raise SessionExpiredError("Banner answers without search mode in a new session")

    def _search_parameters(
        self, term: str, criteria: Criteria, session: Session, window: tuple[int, int]
    ) -> dict[str, str]:
        offset, size = window
        return {
            **criteria.parameters(),
            **({"txt_campus": self.options.campus} if self.options.campus else {}),
            "txt_term": term,
            "startDatepicker": "",
            "endDatepicker": "",
            "uniqueSessionId": session.values["id"],
            "pageOffset": str(offset),
            "pageMaxSize": str(size),
            "sortColumn": "subjectDescription",
            "sortDirection": "asc",
        }

    def _ready(self, term: str, criteria: Criteria, session: Session, at: datetime) -> Exchange[None]:
        """Choose the term, and clear the form: a search keeps the criteria of the one before."""
        values = session.values
        is_idle = at.timestamp() - float(values.get("used_at", 0)) > _IDLE_SECONDS
        if values.get("term") != term or is_idle:
            yield from self._open(term, session, at)
        asked = msgspec.json.encode(criteria).decode()
        if values.get("criteria", asked) != asked:
            yield from self._reset()
        values.update(criteria=asked, used_at=str(at.timestamp()))

    def _open(self, term: str, session: Session, at: datetime) -> Exchange[None]:
        session.values["id"] = f"rollcall{int(at.timestamp() * 1000)}"
        form = {
            "term": term,
            "studyPath": "",
            "studyPathText": "",
            "startDatepicker": "",
            "endDatepicker": "",
            "uniqueSessionId": session.values["id"],
        }
        yield from self._send("POST", "term/search", "the choice of the term", {"mode": "search"}, form)
        session.values["term"] = term

    def _reset(self) -> Exchange[None]:
        body = yield from self._send("POST", "classSearch/resetDataForm", "the reset of the search")
        if body.strip() != b"true":
            # The next search would keep the earlier criteria, and its rows would pass for the whole term.
            raise SchemaError("Banner did not confirm the reset of the search")

    def _send(
        self,
        method: str,
        route: str,
        what: str,
        query: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
    ) -> Exchange[bytes]:
        """The body of a successful answer. Raises: what any other answer means."""
        asked = {**(query or {}), **({"mepCode": self.options.mep_code} if self.options.mep_code else {})}
        url = f"{self.options.base_url.rstrip('/')}/ssb/{route}" + (f"?{urlencode(asked)}" if asked else "")
        response = yield CatalogRequest(method, url, urlencode(form or {}).encode())
        if response.status == HTTPStatus.OK and not is_html(response):
            return response.body
        error = refuse(response, what)
        if form and response.status in range(300, 400) and isinstance(error, RouteGoneError):
            # A public catalog answers the choice of a term; only one behind a sign-in redirects.
            raise SignInRequiredError(f"{what}: redirected, which asks for a sign-in")
        raise error


def _forget(session: Session) -> None:
    """Open the session again with the next request, and clear the form whatever it holds."""
    session.values.clear()
    session.values["criteria"] = "unknown"
