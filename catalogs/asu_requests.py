"""The requests to ASU's class search: its terms, and searches with a cursor.

Source: public clients. A guest sends the token `null`; without a token the answer is 401.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from catalogs.asu_answers import Found, found, terms
from catalogs.family import CatalogRequest, Exchange, FamilyOptions, Session
from catalogs.faults import is_html, refuse
from domain.catalog import CatalogTerm, SessionExpiredError, WrongTermError

_HEADERS: Final = {"Authorization": "Bearer null", "Accept": "application/json"}
_EVERYWHERE: Final = {
    "refine": "Y",
    "campusOrOnlineSelection": "A",
    "honors": "F",
    "promod": "F",
    "searchType": "all",
}
"""Classes of all campuses and kinds."""
_LOST_CURSOR: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


@dataclass(frozen=True, slots=True)
class AsuRequests:
    """Requests to the search at `options.base_url`."""

    options: FamilyOptions

    def terms(self) -> Exchange[list[CatalogTerm]]:
        """The terms, newest first."""
        return terms((yield from self._get("terms", {})))

    def search(self, term: str, criteria: Mapping[str, str]) -> Exchange[Found]:
        """One page of the classes that match `criteria`, 200 at most.

        Raises: SessionExpiredError if the search engine has forgotten the cursor `scrollId`.
        """
        return found((yield from self._get("classes", {**_EVERYWHERE, "term": term, **criteria})))

    def prove(self, term: str, session: Session, at: datetime) -> Exchange[None]:
        """Check, once an hour, that the search has classes in `term`. Raises: WrongTermError if not."""
        name, hour = f"listed {term}", f"{at:%Y-%m-%dT%H}"
        if session.values.get(name) == hour:
            return
        page = yield from self.search(term, {})
        if {str(item.stated.strm) for item in page.items()} != {term}:
            raise WrongTermError(f"ASU has no classes in the term {term}")
        session.values[name] = hour

    def _get(self, route: str, asked: Mapping[str, str]) -> Exchange[bytes]:
        query = f"?{urlencode(asked)}" if asked else ""
        url = f"{self.options.base_url.rstrip('/')}/{route}{query}"
        response = yield CatalogRequest("GET", url, headers=_HEADERS)
        if response.status in _LOST_CURSOR and "scrollId" in asked:
            raise SessionExpiredError(f"ASU has forgotten the pages of a search ({response.status})")
        if response.status != HTTPStatus.OK or is_html(response):
            raise refuse(response, f"ASU's {route}")
        return response.body
