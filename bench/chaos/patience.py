"""An HTTP transport for a server that is killed now and then."""

from __future__ import annotations

import time

import httpx

PAUSE_SECONDS = 0.1
_TRYING_AGAIN = frozenset({500, 502, 503, 504})


class PatientTransport(httpx.BaseTransport):
    """Repeats what may be repeated, GET, for up to `seconds`; then its last answer or error stands."""

    def __init__(self, seconds: float, inner: httpx.BaseTransport | None = None) -> None:
        self._seconds = seconds
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The first good answer."""
        end = time.monotonic() + (self._seconds if request.method == "GET" else 0)
        while True:
            is_last = time.monotonic() >= end
            try:
                response = self._inner.handle_request(request)
                response.read()  # the server may die in the middle of its answer
            except httpx.TransportError:
                if is_last:
                    raise
            else:
                if is_last or response.status_code not in _TRYING_AGAIN:
                    return response
                response.close()
            time.sleep(PAUSE_SECONDS)
