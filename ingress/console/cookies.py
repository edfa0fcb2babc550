"""The console's cookies: never sent to or by other sites, and never readable by a script."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response

from ingress.endpoint import RequestContext

PATH = "/console"


def get(headers: Headers, name: str) -> str:
    """The cookie's value; empty when there is none."""
    return cookie_parser(headers.get("cookie", "")).get(name, "")


def put(call: RequestContext[Any], response: Response, name: str, value: str, lifetime: timedelta) -> None:
    """Give the browser a cookie to keep for `lifetime`."""
    seconds = int(lifetime.total_seconds())
    response.set_cookie(
        name, value, max_age=seconds, path=PATH, secure=_is_secure(call), httponly=True, samesite="strict"
    )


def drop(call: RequestContext[Any], response: Response, name: str) -> None:
    """Have the browser forget a cookie."""
    response.delete_cookie(name, path=PATH, secure=_is_secure(call), httponly=True, samesite="strict")


def _is_secure(call: RequestContext[Any]) -> bool:
    """Whether the browser came by HTTPS; a tunnel's end on the browser's own machine needs none."""
    is_public_https = call.surfaces.public_url.startswith("https://")
    return call.url.scheme == "https" or (is_public_https and not _is_loopback(call.url.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
