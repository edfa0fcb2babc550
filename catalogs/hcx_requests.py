"""The requests to HighPoint CX on PeopleSoft: the cookies of a guest, the search form, searches and details.

Source: public clients of the catalogs of Virginia, Boston University, Pittsburgh and Southern Mississippi.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode

from catalogs.answers import decode
from catalogs.family import CatalogRequest, Exchange, FamilyOptions, Session
from catalogs.faults import is_html, refuse
from catalogs.hcx_shapes import ClassDetails, Page, Row, SearchOptions
from domain.catalog import (
    PartialAnswerError,
    RouteGoneError,
    SchemaError,
    SignInRequiredError,
    WrongTermError,
)
from domain.errors import RollcallError
from providers.http import HttpResponse

_PLATFORM: Final = "HighPoint"
_PROBED_SUBJECTS: Final = 4
_OPEN: Final = "open"
_EXPIRED: Final = (SignInRequiredError, RouteGoneError, SchemaError)
"""What a guest's old cookies lead to: a sign-in page, a redirect or another page. New cookies decide."""


class HcxOptions(FamilyOptions, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`base_url` is the host, such as https://sisuva.admin.virginia.edu.

    Shape: `site` and `node` follow /psc/ in the catalog's addresses (ihprd and UVSS); `node` is the portal.
    `institution` is the code of the university or college (UVA01).
    """

    site: str
    node: str = "EMPLOYEE"
    institution: str


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of a search; `count` is the number of pages, 0 if the answer does not state it."""

    rows: list[Row]
    count: int


@dataclass(frozen=True, slots=True)
class HcxRequests:
    """Requests to the catalog at `options`; the session remembers that its cookies are set."""

    options: HcxOptions

    def search_options(self, session: Session, term: str = "") -> Exchange[SearchOptions]:
        """The search form, with the subjects of `term`. Raises: PartialAnswerError if it lists no terms."""
        asked = {"term": term} if term else {}
        body = yield from self._get("ClassSearchOptions", session, asked)
        found = decode(body, SearchOptions, _PLATFORM)
        if not found.terms:
            raise PartialAnswerError("ClassSearchOptions lists no terms")
        return found

    def subjects(self, term: str, session: Session) -> Exchange[list[str]]:
        """The subjects of `term`. Raises: WrongTermError if the term is not listed."""
        found = yield from self.search_options(session, term)
        if term not in {item.strm for item in found.terms}:
            raise WrongTermError(f"the catalog does not list the term {term}")
        return list(dict.fromkeys(item.subject for item in found.subjects))

    def prove(self, term: str, session: Session, at: datetime) -> Exchange[None]:
        """Check, once an hour, that a search finds classes of `term`: only then an empty one is true.

        Raises: WrongTermError if the term is not listed; PartialAnswerError if no search finds any.
        """
        name, hour = f"searched {term}", f"{at:%Y-%m-%dT%H}"
        if session.values.get(name) == hour:
            return
        for subject in (yield from self.subjects(term, session))[:_PROBED_SUBJECTS]:
            found = yield from self.search(term, session, {"subject": subject})
            if any(row.strm == term for row in found.rows):
                session.values[name] = hour
                return
        raise PartialAnswerError(f"no search of {term} finds a class")

    def search(
        self, term: str, session: Session, criteria: Mapping[str, str], page: int = 1
    ) -> Exchange[FoundPage]:
        """One page of the classes that match `criteria`, such as {"subject": "CS"}."""
        asked = {"term": term, **criteria, "page": str(page)}
        body = yield from self._get("ClassSearch", session, asked)
        if body.lstrip()[:1] == b"[":
            return FoundPage(decode(body, list[Row], _PLATFORM), 0)
        found = decode(body, Page, _PLATFORM)
        return FoundPage(found.classes, found.page_count)

    def details(self, term: str, number: str, session: Session) -> Exchange[ClassDetails]:
        """The details of one class.

        Raises: PartialAnswerError for another institution: shared hosts answer an unknown code so.
        """
        asked = {"term": term, "class_nbr": number}
        found = decode((yield from self._get("ClassDetails", session, asked)), ClassDetails, _PLATFORM)
        stated = found.section_info.class_details.institution
        if stated not in {"", self.options.institution}:
            raise PartialAnswerError(f"the details of class {number} are those of {stated[:16]}")
        return found

    def _get(self, route: str, session: Session, asked: Mapping[str, str]) -> Exchange[bytes]:
        """The body of the answer. Cookies that have expired are renewed once."""
        query = urlencode({"institution": self.options.institution, **asked})
        request = CatalogRequest("GET", self._script("psc", "H_CLASS_SEARCH", route) + "?" + query)
        while True:
            is_new = _OPEN not in session.values
            if is_new:
                yield from self._open(session)
            response = yield request
            if response.status == HTTPStatus.OK and not is_html(response):
                return response.body
            session.values.pop(_OPEN, None)
            error = _fault(response, route)
            if is_new or not isinstance(error, _EXPIRED):
                raise error

    def _open(self, session: Session) -> Exchange[None]:
        response = yield CatalogRequest("GET", self._script("psp", "H_BROWSE_CLASSES", "Main"))
        error = _fault(response, "Main")
        # A page is expected here: that it is one is no fault.
        if response.status != HTTPStatus.OK or not isinstance(error, SchemaError):
            raise error
        session.values[_OPEN] = "yes"

    def _script(self, servlet: str, record: str, name: str) -> str:
        base, site, node = self.options.base_url.rstrip("/"), self.options.site, self.options.node
        path = f"{servlet}/{quote(site, safe='')}/{quote(node, safe='')}/SA/s"
        return f"{base}/{path}/WEBLIB_HCX_CM.{record}.FieldFormula.IScript_{name}"


def _fault(response: HttpResponse, route: str) -> RollcallError:
    # PeopleSoft redirects to /psp/SITE/?cmd=login: the path does not say that it is a sign-in page.
    if "cmd=login" in (response.header("location") or "").casefold():
        return SignInRequiredError(f"{route}: redirected to PeopleSoft's sign-in page")
    return refuse(response, route)
