"""Catalogs: what they can say, their terms, references to sections, and the faults of their answers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from domain.errors import (
    InsecureConnectionError,
    MalformedResponseError,
    RateLimitedError,
    RejectedError,
    RollcallError,
    UnauthorisedError,
    UnknownHostError,
    UpstreamError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a catalog states.

    Shape: `counts` of open seats, a `status`, a `waitlist` with places, `reserved` seats, a `shared_pool` of
    cross-listed sections, a `source_stamp` of its data. `name_search` finds sections by name upstream.
    `lists_term`: a whole term can be read. `absence` says what a missing section means, as a sentence.
    """

    counts: bool = False
    status: bool = False
    waitlist: bool = False
    reserved: bool = False
    shared_pool: bool = False
    name_search: bool = False
    source_stamp: bool = False
    lists_term: bool = True
    absence: str = "The section is no longer listed."


@dataclass(frozen=True, slots=True)
class CatalogTerm:
    """A term as its catalog lists it; `is_view_only` if registration is over."""

    code: str
    label: str
    is_view_only: bool = False


@dataclass(frozen=True, slots=True)
class SectionReference:
    """A section that a link names; None if the link does not state the term."""

    number: str
    term: str | None = None


class CatalogFault(StrEnum):
    """Why an answer of a catalog cannot be used."""

    SESSION = "session"
    SIGN_IN = "sign_in"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    MAINTENANCE = "maintenance"
    ROUTE_GONE = "route_gone"
    SCHEMA = "schema"
    WRONG_TERM = "wrong_term"
    PARTIAL = "partial"
    DOUBTFUL = "doubtful"
    TERM_GONE = "term_gone"
    DNS = "dns"
    TLS = "tls"
    UNAVAILABLE = "unavailable"


class SessionExpiredError(UpstreamError):
    """The catalog has forgotten the session; a new one may be opened."""


class SignInRequiredError(UnauthorisedError):
    """The catalog asks for a sign-in: it is no longer public."""


class BlockedError(UnauthorisedError):
    """The catalog refuses us: 401, 403, a captcha, or robots.txt."""


class NoTurnError(RateLimitedError):
    """Our own limits admit no request to the host now, or they cannot be read."""


class MaintenanceError(UpstreamError):
    """The catalog shows a maintenance page."""


class RouteGoneError(RejectedError):
    """The catalog no longer has this route: it has moved, or its platform has changed."""


class SchemaError(MalformedResponseError):
    """The answer is not of the expected shape."""


class WrongTermError(MalformedResponseError):
    """The answer is about another term than the one asked for."""


class PartialAnswerError(MalformedResponseError):
    """The answer is incomplete: rows are missing or repeated, or it is an empty answer without proof."""


class DoubtfulAnswerError(MalformedResponseError):
    """The answer can be read, and is not credible by what the catalog has shown before."""


class TermGoneError(RejectedError):
    """The catalog no longer lists the term."""


_FAULTS: tuple[tuple[type[RollcallError], CatalogFault], ...] = (
    (SessionExpiredError, CatalogFault.SESSION),
    (SignInRequiredError, CatalogFault.SIGN_IN),
    (MaintenanceError, CatalogFault.MAINTENANCE),
    (WrongTermError, CatalogFault.WRONG_TERM),
    (PartialAnswerError, CatalogFault.PARTIAL),
    (DoubtfulAnswerError, CatalogFault.DOUBTFUL),
    (MalformedResponseError, CatalogFault.SCHEMA),
    (RateLimitedError, CatalogFault.RATE_LIMITED),
    (UnauthorisedError, CatalogFault.BLOCKED),
    (TermGoneError, CatalogFault.TERM_GONE),
    (RejectedError, CatalogFault.ROUTE_GONE),
    (UnknownHostError, CatalogFault.DNS),
    (InsecureConnectionError, CatalogFault.TLS),
)


def fault_of(error: RollcallError) -> CatalogFault:
    """The fault that `error` means; UNAVAILABLE if the catalog could not be reached or did not answer.

    A catalog whose robots.txt cannot be read counts as refusing us; its fault is why it cannot.
    """
    cause = error.__cause__
    if isinstance(error, BlockedError) and isinstance(cause, RollcallError):
        return fault_of(cause)
    return next((fault for kind, fault in _FAULTS if isinstance(error, kind)), CatalogFault.UNAVAILABLE)
