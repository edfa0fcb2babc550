"""Who calls: the address that the reverse proxy tells, and the network that a limit counts.

Only the proxy is believed, and it is known by a secret: every process of this machine can connect to the web
role's port, and would else choose the address under which it guesses.
"""

from __future__ import annotations

import hmac
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

PROXY_HEADER = "X-Rollcall-Proxy"
_TELLING = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via")
_IPV6_NETWORK = 64
_SCHEMES = {"http", "https"}


class Forwarded:
    """ASGI middleware: takes client and scheme from the proxy that knows `secret`, and from nobody else.

    The client of a request that was forwarded by somebody else is unknown, and so never a local one. Shape:
    the last address of `X-Forwarded-For`, which is the one that the proxy itself has seen.
    """

    def __init__(self, app: ASGIApp, secret: str | None) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self._is_proxy(headers):
                scope = {**scope, **_told(scope, headers)}
            elif any(name in headers for name in _TELLING):
                scope = {**scope, "client": None}
        await self._app(scope, receive, send)

    def _is_proxy(self, headers: Headers) -> bool:
        given = headers.get(PROXY_HEADER, "")
        return self._secret is not None and hmac.compare_digest(given.encode(), self._secret.encode())


def _told(scope: Scope, headers: Headers) -> Scope:
    last = ",".join(headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
    scheme = headers.get("x-forwarded-proto", "")
    return {
        "client": (last, 0) if _is_address(last) else None,
        "scheme": scheme if scheme in _SCHEMES else scope["scheme"],
    }


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def network_of(client: str) -> str:
    """What a limit for one client counts: an IPv4 address, or the /64 that one IPv6 customer has to itself.

    A client that is unknown shares its count with all of these.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((int(address), _IPV6_NETWORK), strict=False))
    return str(address)
