"""E-mail addresses: validation and the normalised form under which each one is stored and compared."""

from __future__ import annotations

import re

from domain.errors import InvalidInputError
from domain.text import invisible

# Addresses are exported to spreadsheets, which treat a cell that begins with =, +, - or @ as a formula.
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LOCAL = rf"[A-Za-z0-9!#$%&'*/?^_`{{|}}~]{_ATOM}*(\.{_ATOM}+)*"
_DOMAIN = r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
ADDRESS = f"{_LOCAL}@{_DOMAIN}"
"""The pattern of a normalised address, whose parts are also limited in length."""
_MAX_LOCAL_LENGTH = 64  # RFC 5321, 4.5.3.1.1
MAX_LENGTH = 254  # RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
NO_ADDRESS = "must be an e-mail address that does not begin with =, +, - or @"
"""The general message for an invalid address."""


def read_address(given: str) -> str:
    """The normalised form of an address: lower case, with an ASCII domain.

    An international domain becomes punycode (IDNA 2008 with the mapping of UTS 46).
    Raises: ValueError with the problem.
    """
    address = given.strip()
    unseen = invisible(address)
    if unseen is not None:
        raise ValueError(unseen)
    local, _, domain = address.rpartition("@")
    if not local.isascii():
        raise ValueError(f"{NO_ADDRESS}, with ASCII letters before its @ (not {_first_other(local)})")
    domain = domain if domain.isascii() else _punycode(domain)
    is_sound = re.fullmatch(ADDRESS, f"{local}@{domain}")
    address = f"{local}@{domain}".lower()
    if not is_sound or len(local) > _MAX_LOCAL_LENGTH or len(address) > MAX_LENGTH:
        raise ValueError(NO_ADDRESS)
    return address


def normal_address(given: str) -> str | None:
    """As `read_address`; None if `given` is not an address."""
    try:
        return read_address(given)
    except ValueError:
        return None


def checked_address(field: str, given: str) -> str:
    """As `read_address`. Raises: InvalidInputError for `field` if `given` is not an address."""
    try:
        return read_address(given)
    except ValueError as error:
        raise InvalidInputError({field: str(error)}) from error


def _punycode(domain: str) -> str:
    import idna  # noqa: PLC0415 - its tables take 3 MB, and few domains need them

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"has a domain that IDNA does not allow ({error})") from error


def _first_other(text: str) -> str:
    other = next(character for character in text if not character.isascii())
    return f"{other}, U+{ord(other):04X}"
