"""The contract of a catalog family: one module that plans, reads and searches the catalogs of one platform.

A family does no I/O. Its methods are *exchanges*: generators that yield requests, receive responses and
return a result. `catalogs.client` drives them with cookies, spacing and time-outs; tests drive them by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct

from domain.catalog import Capabilities, CatalogTerm, SectionReference
from domain.observation import Observation
from domain.section import SectionKey
from providers.http import HttpResponse

T = TypeVar("T")
O = TypeVar("O", bound="FamilyOptions")  # noqa: E741 - options

PAGE_BYTES = 48 * 1_048_576
"""The default limit of one response: a whole term of the largest recorded catalog is 21 MB."""


@dataclass(frozen=True, slots=True)
class CatalogRequest:
    """One request to the catalog.

    Shape: `url` is absolute, on the profile's host. A `body` is sent as `content_type`. `is_conditional`: a
    repeated GET may receive the last response again, while that is fresh (max-age) or unchanged (304).
    """

    method: str
    url: str
    body: bytes = b""
    content_type: str = "application/x-www-form-urlencoded"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_conditional: bool = False
    max_bytes: int = PAGE_BYTES


Exchange: TypeAlias = Generator[CatalogRequest, HttpResponse, T]
"""Yields requests, receives the response to each, and returns a result or raises a RollcallError."""


def run_exchange(exchange: Exchange[T], send: Callable[[CatalogRequest], HttpResponse]) -> T:
    """The result of `exchange` over `send`. Raises: as `send` and the exchange."""
    try:
        request = next(exchange)
        while True:
            try:
                response = send(request)
            except Exception as error:  # noqa: BLE001 - the exchange may clean up, and decides what it means
                request = exchange.throw(error)
            else:
                request = exchange.send(response)
    except StopIteration as ended:
        result: T = ended.value
        return result


@dataclass(slots=True)
class Session:
    """What an exchange remembers for the next one of the same cookie jar, such as the session's term."""

    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WatchedSection:
    """A watched section as planning needs it; `course` is empty if it was never seen."""

    key: SectionKey
    course: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """One request of a poll, besides what opens a session.

    Shape: `query` is opaque to all but the family. The units of one `scope` cover a set of sections
    together: when all have answered and no row is missing, the keys in `covers` that were not seen do not
    exist. `requests` is how many it takes with the units that continue it, as far as planning knows.
    """

    term: str
    query: str
    scope: str
    covers: frozenset[SectionKey] = frozenset()
    requests: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one unit: valid rows with distinct keys.

    Shape: `total` is the number of rows of the unit's scope, None if the catalog does not state it: the
    answer is complete by itself then. `continuation` is one more unit that the scope turned out to need.
    `as_of` is the time of the catalog's data. `proof` says why an answer without rows is complete.
    """

    observations: Sequence[Observation]
    total: int | None = None
    continuation: Unit | None = None
    as_of: datetime | None = None
    proof: str = ""


class Catalog(Protocol):
    """One catalog of a family: a family's code with the options of a profile."""

    @property
    def capabilities(self) -> Capabilities:
        """What the catalog states."""

    def terms(self, session: Session) -> Exchange[list[CatalogTerm]]:
        """The terms that the catalog lists, newest first where it orders them."""

    def plan(
        self, term: str, watched: Sequence[WatchedSection] | None, known_rows: int | None = None
    ) -> list[Unit]:
        """The units that observe `watched`, or the whole term if None.

        Shape: `known_rows` is the number of rows of the term in the last complete answer, None if unknown.
        """

    def fetch(self, unit: Unit, session: Session, at: datetime) -> Exchange[Answer]:
        """Read one unit; `at` is the time of the observations.

        Raises: an error of `domain.catalog`; an answer that is empty without proof is one.
        """

    def details(self, seen: Observation) -> Unit | None:
        """The unit that adds what the row `seen` does not state, None if it states everything."""

    def search(self, term: str, text: str, session: Session, at: datetime) -> Exchange[list[Observation]]:
        """The sections of `term` that match `text`, a course, title or number."""

    def parse_link(self, text: str) -> SectionReference | None:
        """The section that a link to this catalog names, None if it names none."""


class FamilyOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a profile that belong to its family; a family adds its own."""

    base_url: str


@dataclass(frozen=True, slots=True)
class CatalogIdentity:
    """What every catalog knows about itself: the source in its keys, and its local time."""

    id: str
    timezone: tzinfo


@dataclass(frozen=True, slots=True)
class Family(Generic[O]):
    """A family: its name in profiles, its options, and what builds a catalog of it.

    Shape: `recognises` returns the options for a URL of such a catalog, None if it does not look like one.
    """

    name: str
    title: str
    options: type[O]
    build: Callable[[CatalogIdentity, O], Catalog]
    recognises: Callable[[str], O | None]
    every_seconds: int = 60
