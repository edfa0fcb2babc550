"""The client of a request: its address as the reverse proxy reports it, and the network that limits count.

Only the proxy is trusted, and it authenticates by a secret: every local process can connect to the web role's
port, and could otherwise choose the client address of its guesses.
"""

from __future__ import annotations

import hmac
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

PROXY_HEADER = "X-Rollcall-Proxy"
_FORWARDED = ("x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-real-ip", "forwarded", "via")
_IPV6_NETWORK = 64
_SCHEMES = {"http", "https"}


class Forwarded:
    """ASGI middleware: takes client and scheme only from the proxy that knows `secret`.

    The client of any other forwarded request is unknown, and never counts as local. Shape: the last address
    of `X-Forwarded-For`, which the proxy itself has added.
    """

    def __init__(self, app: ASGIApp, secret: str | None) -> None:
        self._app = app
        self._secret = secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if self._is_proxy(headers):
                scope = {**scope, **_forwarded_scope(scope, headers)}
            elif any(name in headers for name in _FORWARDED):
                scope = {**scope, "client": None}
        await self._app(scope, receive, send)

    def _is_proxy(self, headers: Headers) -> bool:
        given = headers.get(PROXY_HEADER, "")
        return self._secret is not None and hmac.compare_digest(given.encode(), self._secret.encode())


def _forwarded_scope(scope: Scope, headers: Headers) -> Scope:
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
    """Return the unit of per-client limits: an IPv4 address, or the /64 of an IPv6 customer.

    Unknown clients share one count.
    """
    try:
        address = ip_address(client)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ip_network((int(address), _IPV6_NETWORK), strict=False))
    return str(address)
