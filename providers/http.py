"""HTTP to external services: one bounded POST with typed transport errors, and the address filter (SSRF).

A URL from a caller may only reach the public Internet; otherwise it could reach this machine's own ports, its
network or the cloud's metadata service. A name is resolved once, all its addresses are checked, and the
connection uses one of them, so a later DNS change has no effect. Redirects are not followed (`http_call`).
Source: OWASP, "Server-Side Request Forgery Prevention".
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from domain.errors import RejectedError, TransientError, UnreachableError, UpstreamTimeoutError

if TYPE_CHECKING:
    import requests

_CHUNK_BYTES = 65_536
_CONNECT_SECONDS = 5.0
_MIB = 1_048_576


def longest_call_seconds(timeout_seconds: float) -> float:
    """The maximum duration of one call: connect, wait for the headers, and a last read."""
    return _CONNECT_SECONDS + 2 * timeout_seconds


@dataclass(frozen=True)
class HttpClient:
    """Client of the service `name`, which has `timeout_seconds` for its whole answer.

    A call ends within `longest_call_seconds(timeout_seconds)`.
    """

    name: str
    timeout_seconds: float
    max_mib: int

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], auth: tuple[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Post the JSON `body`; return status and body of the answer.

        Raises: UnreachableError, UpstreamTimeoutError; RejectedError if the answer is too large.
        """
        import requests  # noqa: PLC0415 - heavy

        deadline = time.monotonic() + self.timeout_seconds
        try:
            with self._session.post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                auth=auth,
                timeout=(_CONNECT_SECONDS, self.timeout_seconds),
                allow_redirects=False,
                stream=True,
            ) as answer:
                return answer.status_code, self._read(answer, deadline)
        except requests.RequestException as error:
            raise self._lost(error) from error

    @cached_property
    def _session(self) -> requests.Session:
        import requests  # noqa: PLC0415

        session = requests.Session()
        session.trust_env = False  # no proxy, no `.netrc`
        return session

    def _read(self, answer: requests.Response, deadline: float) -> bytes:
        content = bytearray()
        for chunk in answer.iter_content(_CHUNK_BYTES):
            content += chunk
            if len(content) > self.max_mib * _MIB:
                raise RejectedError(f"{self.name}'s answer is larger than {self.max_mib} MiB")
            if time.monotonic() > deadline:
                raise UpstreamTimeoutError(f"{self.name} did not answer in time")
        return bytes(content)

    def _lost(self, error: requests.RequestException) -> TransientError:
        import requests  # noqa: PLC0415

        if isinstance(error, requests.ConnectTimeout):
            return UnreachableError(f"no connection to {self.name}")
        if isinstance(error, requests.Timeout):
            return UpstreamTimeoutError(f"{self.name} did not answer in time")
        return UnreachableError(f"{self.name} cannot be reached ({type(error).__name__})")


# Python's own table ages with the interpreter, and treats parts of 192.0.0.0/24 as public.
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
_GIVEN_OUT = ip_network("2000::/3")  # of IPv6; the rest is special or unassigned
_PORTS = {"http": 80, "https": 443}


def resolve_public_address(url: str) -> tuple[str, int]:
    """One IP address and the port of the host in `url`.

    Raises: RejectedError if any of its addresses is not public; UnreachableError if it has none.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    found = _resolved(host, port)
    if not all(is_public(ip_address(each)) for each in found):
        raise RejectedError("the address is not public (WEBHOOK_ALLOW_PRIVATE=1 lets it be)")
    return found[0], port


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether `address` is on the public Internet and does not embed an IPv4 address."""
    if isinstance(address, IPv6Address) and address not in _GIVEN_OUT:
        return False
    return not any(network.version == address.version and address in network for network in _SPECIAL)


def _resolved(host: str, port: int) -> list[str]:
    try:
        found: Iterable[tuple[object, ...]] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError("the host's name is not known") from error
    return [str(entry[4][0]).partition("%")[0] for entry in found]  # type: ignore[index]


MAX_BODY_BYTES: Final = 1 << 20


@dataclass(slots=True)
class HttpResponse:
    """One HTTP answer; `flaw` says why `body` is incomplete, None if it is complete.

    Shape: `location` is the target of a redirect, None for other answers. `took_seconds` is the time from the
    start of the request to the last byte of the answer.
    """

    status: int
    body: bytes
    flaw: str | None = None
    retry_after: str | None = None
    location: str | None = None
    took_seconds: float = 0
