"""The doctor's probe of a public catalog: its terms and one query, and what to do about each fault."""

from __future__ import annotations

from typing import Final

from catalogs.assessment import unusual
from catalogs.profile import Profile
from catalogs.reader import CatalogReader
from domain.catalog import CatalogFault, NoTurnError, fault_of
from domain.check import Result, degraded, healthy, unhealthy
from domain.errors import InvalidInputError, RollcallError
from domain.text import one_line

_PASSING: Final = frozenset({CatalogFault.RATE_LIMITED, CatalogFault.MAINTENANCE, CatalogFault.SESSION})
_HINTS: Final = {
    CatalogFault.SESSION: "repeat it; if it persists, its platform has changed: rollcall catalog test {id}",
    CatalogFault.SIGN_IN: "remove {id} from CATALOGS: the catalog is not public any more",
    CatalogFault.BLOCKED: "ask the catalog's operator for access; set PUBLIC_URL, which the requests name",
    CatalogFault.RATE_LIMITED: "wait, and lower polling.requests_per_minute in {path}",
    CatalogFault.MAINTENANCE: "wait until the maintenance is over",
    CatalogFault.ROUTE_GONE: "correct base_url in {path}: the catalog has moved, or its platform has changed",
    CatalogFault.SCHEMA: "report the message: the platform has changed",
    CatalogFault.WRONG_TERM: "report the message: the platform has changed",
    CatalogFault.PARTIAL: "repeat it; if it persists, report the message",
    CatalogFault.UNAVAILABLE: "make the catalog reachable from here, or correct base_url in {path}",
}


def probe_catalog(reader: CatalogReader) -> Result:
    """Return whether the catalog lists its terms and answers one query, through the host gate."""
    profile = reader.profile
    try:
        terms = reader.terms()
        term = reader.term(terms, None)
        listing = reader.sample(term.code)
    except InvalidInputError as error:
        return unhealthy(one_line(str(error)), f"rollcall catalog test {profile.id}")
    except NoTurnError as error:
        return degraded(one_line(str(error)), f"repeat it later; rollcall catalog show {profile.id}")
    except RollcallError as error:
        return _faulty(profile, error)
    remarks = unusual(terms, term, listing.sections, reader.catalog.capabilities)
    read = f"{len(terms)} terms; {len(listing.sections)} sections of {term.code} read"
    return healthy(" ".join((f"{profile.options.base_url}: {read}.", *remarks)))


def _faulty(profile: Profile, error: RollcallError) -> Result:
    fault = fault_of(error)
    hint = _HINTS[fault].format(id=profile.id, path=profile.path)
    make = degraded if fault in _PASSING else unhealthy
    return make(f"{fault}: {one_line(str(error))}", hint)
