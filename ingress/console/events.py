"""`/console/events`: what changes on a page, as server-sent events.

Source: the HTML standard, 9.2. An empty event goes out when nothing has changed for a while: whoever stands
between does not take the stream for dead, the page knows that it hears us, and we notice when nobody listens.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from ingress.console import session
from ingress.console.live import Fragments, LiveUpdates
from ingress.console.session import Session
from ingress.problems import ProblemError

_BUSY_SECONDS = 30
_MAX_WANTED = 20


async def listen(request: Request) -> StreamingResponse:
    """The stream of the fragments that `show` names, as long as the session lasts.

    Raises: ProblemError (401) for a stranger, (503) when too many listen.
    """
    live: LiveUpdates = request.app.state.live
    if await _session(request) is None:
        raise ProblemError(HTTPStatus.UNAUTHORIZED, "Sign in to the console first.")
    if live.is_full:
        wait = {"Retry-After": str(_BUSY_SECONDS)}
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "Too many pages listen already.", headers=wait)
    wanted = request.query_params.get("show", "").split(",")[:_MAX_WANTED]
    return StreamingResponse(_events(request, wanted), media_type="text/event-stream")


async def _session(request: Request) -> Session | None:
    return await run_in_threadpool(session.of, request.app.state.surfaces, request.headers)


async def _events(request: Request, wanted: list[str]) -> AsyncIterator[str]:
    async with aclosing(request.app.state.live.changes(wanted)) as changes:
        async for fragments in changes:
            if await _session(request) is None:
                return
            yield _event(fragments)


def _event(fragments: Fragments) -> str:
    return f"data: {json.dumps(dict(fragments))}\n\n"


ROUTES = (Route("/events", listen),)
