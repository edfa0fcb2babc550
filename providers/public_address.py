"""Resolves the host of a caller's URL to a public address, against server-side request forgery (SSRF).

A URL from a caller may only reach the public Internet; otherwise it could reach this machine's own ports, its
network or the cloud's metadata service. A name is resolved once, all its addresses are checked, and the
connection uses one of them, so a later DNS change has no effect.
Source: OWASP, "Server-Side Request Forgery Prevention".
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from domain.errors import RejectedError, UnreachableError

# Python's own table is as old as the interpreter and treats parts of 192.0.0.0/24 as public.
# Source: https://www.iana.org/assignments/iana-ipv4-special-registry, including globally routed entries.
_SPECIAL_IPV4 = (
    "0.0.0.0/8",  # this network
    "10.0.0.0/8",  # private use
    "100.64.0.0/10",  # carrier-grade NAT
    "127.0.0.0/8",  # loopback
    "168.63.129.16/32",  # Azure's metadata, at a public address
    "169.254.0.0/16",  # link-local, most clouds' metadata
    "172.16.0.0/12",  # private use
    "192.0.0.0/24",  # protocol assignments; 192.0.0.192 is Oracle's metadata
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # multicast tunnels
    "192.88.99.0/24",  # relays to 6to4
    "192.168.0.0/16",  # private use
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
)
# Source: https://www.iana.org/assignments/iana-ipv6-special-registry. Entries outside 2000::/3 are listed for
# completeness; none of them is allocated.
_SPECIAL_IPV6 = (
    "::/96",  # unspecified, loopback, IPv4-compatible
    "::ffff:0:0/96",  # IPv4-mapped
    "64:ff9b::/96",  # translated IPv4
    "64:ff9b:1::/48",  # translated IPv4, local use
    "100::/64",  # discard
    "100:0:0:1::/64",  # dummy prefix
    "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
    "5f00::/16",  # segment routing
    "fc00::/7",  # private use
    "fe80::/10",  # link-local
    "fec0::/10",  # site-local, deprecated
    "ff00::/8",  # multicast
)
_SPECIAL = tuple(map(ip_network, (*_SPECIAL_IPV4, *_SPECIAL_IPV6)))
_ALLOCATED = ip_network("2000::/3")  # of IPv6; the rest is special or unassigned
_PORTS = {"http": 80, "https": 443}


def resolve_public_address(url: str) -> tuple[str, int]:
    """One IP address and the port of the host in `url`.

    Raises: RejectedError if any of its addresses is not public; UnreachableError if it has none.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    found = _resolved(host, port)
    if not all(is_public(ip_address(each)) for each in found):
        raise RejectedError("the address is not public (WEBHOOK_ALLOW_PRIVATE=1 permits it)")
    return found[0], port


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` is on the public Internet and does not embed an IPv4 address."""
    if isinstance(address, IPv6Address) and address not in _ALLOCATED:
        return False
    return not any(network.version == address.version and address in network for network in _SPECIAL)


def _resolved(host: str, port: int) -> list[str]:
    try:
        found: Iterable[tuple[object, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError("the host name cannot be resolved") from error
    return [str(entry[4][0]).partition("%")[0] for entry in found]  # type: ignore[index]
