"""One sentence for the next page: what was just done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.responses import Response

from ingress.console import cookies
from ingress.console.seal import seal, unseal
from ingress.endpoint import RequestContext

COOKIE = "rollcall_flash"
_PURPOSE = "flash"
_LIFETIME = timedelta(minutes=1)
_MAX_LENGTH = 1000  # of a cookie's 4 kB


def set_flash(call: RequestContext[Any], response: Response, sentence: str) -> None:
    """Have the next page say `sentence`."""
    sealed = seal(call.surfaces.api_token, _PURPOSE, sentence[:_MAX_LENGTH])
    cookies.put(call, response, COOKIE, sealed, _LIFETIME)


def read_flash(call: RequestContext[Any]) -> str | None:
    """What this page is to say, if anything."""
    return unseal(call.surfaces.api_token, _PURPOSE, cookies.get(call.headers, COOKIE)) or None


def clear(call: RequestContext[Any], response: Response) -> None:
    """It is said."""
    cookies.drop(call, response, COOKIE)
