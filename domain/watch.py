"""Who wants to know what of a section."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from domain.changes import Change, InstructorAssigned, SeatsRose, SectionRetired
from domain.errors import InvalidInputError
from domain.section import SectionKey

# A spreadsheet takes what begins with =, +, - or @ for a formula, and addresses go out in sheets.
_LOCAL = re.compile(r"(?![=+-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(
    r"(?=.{4,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
MAX_LOCAL_LENGTH = 64  # RFC 5321, 4.5.3.1.1
MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
MAX_SEATS = 10_000
NO_ADDRESS = "must be an e-mail address that does not begin with =, +, - or @"
"""What is wrong with a field in which `normal_address` finds no address."""


class Kind(StrEnum):
    """What a mail can be about; the names are part of its `X-Rollcall-Event` header."""

    SEAT_AVAILABLE = "seat_available"
    INSTRUCTOR_ASSIGNED = "instructor_assigned"
    SECTION_RETIRED = "section_retired"


ALL_KINDS = tuple(Kind)


@dataclass(frozen=True, slots=True)
class Watch:
    """One person's interest in one section: the kinds of news, and how many seats make news."""

    email: str
    key: SectionKey
    kinds: tuple[Kind, ...] = ALL_KINDS
    min_seats: int = 1


def kind_of(change: Change) -> Kind:
    """The kind of mail that tells of `change`."""
    match change:
        case SeatsRose():
            return Kind.SEAT_AVAILABLE
        case InstructorAssigned():
            return Kind.INSTRUCTOR_ASSIGNED
        case SectionRetired():
            return Kind.SECTION_RETIRED


def checked_address(field: str, given: str) -> str:
    """As `normal_address`. Raises: InvalidInputError that names `field` when `given` is no address."""
    address = normal_address(given)
    if address is None:
        raise InvalidInputError({field: NO_ADDRESS})
    return address


def normal_address(address: str) -> str | None:
    """The one spelling under which an address is kept and compared, or None when it is not one."""
    address = address.strip()
    local, at, domain = address.rpartition("@")
    fits = bool(at) and len(local) <= MAX_LOCAL_LENGTH and len(address) <= MAX_LENGTH
    return address.lower() if fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) else None
