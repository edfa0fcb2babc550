"""What every response carries, and what becomes of an error that nobody expected."""

from __future__ import annotations

import logging
import re
from http import HTTPStatus
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.problems import problem
from observability.logs import bind_ids

REQUEST_ID = "X-Request-ID"
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_log = logging.getLogger(__name__)


class RequestIdMiddleware:
    """ASGI middleware: a request id and security headers on everything that leaves.

    An unexpected error is logged with the request's id and answered without a word of what it was.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and seal what comes back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seal = _Seal(request_id(Headers(scope=scope)), send)
        scope["request_id"] = seal.request_id
        try:
            with bind_ids(request_id=seal.request_id):
                await self._app(scope, receive, seal)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception:
            where = {"request_id": seal.request_id, "method": scope["method"], "path": scope["path"]}
            _log.exception("a request failed", extra=where)
            if seal.is_broken:
                raise
            detail = f"This is our fault; it is logged under the request id {seal.request_id}."
            await problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)(scope, receive, seal)


class _Seal:
    """Sends a response, with the headers that it still lacks."""

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self.is_broken = False
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.is_broken = True
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            for name, value in _DEFAULTS.items():
                headers.setdefault(name, value)
        await self._send(message)


def request_id(headers: Headers) -> str:
    """The caller's id for the request when it is a sane one, else a new one."""
    given = headers.get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex
