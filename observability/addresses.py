"""Which addresses a caller may have us connect to: those of the open Internet.

A caller's URL could else reach what trusts this machine: its own ports, the network behind it, the cloud's
metadata. A name is resolved once, every address it has is judged, and the connection goes to one of these.
Source: OWASP, "Server-Side Request Forgery Prevention".
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from domain.errors import RejectedError, UnreachableError

_Address = IPv4Address | IPv6Address
_EMBEDDING = ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")  # IPv4 in other clothes
_AZURE = "168.63.129.16/32"  # a cloud's metadata, at a public address
_RELAY = "192.88.99.0/24"  # to IPv6 in other clothes
_SPECIAL = tuple(map(ip_network, (*_EMBEDDING, _AZURE, _RELAY)))
_GIVEN_OUT = ip_network("2000::/3")  # of IPv6; the rest is special or nobody's
_PORTS = {"http": 80, "https": 443}


def public_address(url: str) -> tuple[str, int]:
    """An address, and the port, of the host in `url`.

    Raises: RejectedError when any of its addresses is not public; UnreachableError when it has none.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    found = _resolved(host, port)
    if not all(map(_is_public, map(ip_address, found))):
        raise RejectedError("the address is not public (WEBHOOK_ALLOW_PRIVATE=1 lets it be)")
    return found[0], port


def _resolved(host: str, port: int) -> list[str]:
    try:
        found: Iterable[tuple[object, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError("the host's name is not known") from error
    return [str(entry[4][0]).partition("%")[0] for entry in found]  # type: ignore[index]


def _is_public(address: _Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if isinstance(address, IPv6Address) and address not in _GIVEN_OUT:
        return False
    is_special = any(address in network for network in _SPECIAL if network.version == address.version)
    return address.is_global and not address.is_multicast and not is_special
