"""Error pages: a problem document rendered as a page."""

from __future__ import annotations

import json
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from domain.errors import InvalidInputError, PermanentError
from ingress import problems
from ingress.console.guard import HOME
from ingress.console.layout import page
from ingress.endpoint import RequestContext
from ingress.problems import ProblemError

_KEPT = ("allow", "retry-after")


async def show(request: Request, error: Exception) -> Response:
    """Return the page for an error that ends a request; a script gets the problem document."""
    if isinstance(error, PermanentError) and not isinstance(error, InvalidInputError):
        error = ProblemError(HTTPStatus.CONFLICT, str(error))
    document = await problems.answer(request, error)
    if "text/html" not in request.headers.get("accept", "text/html"):
        return document
    told = {"errors": [], **json.loads(bytes(document.body))}
    status = HTTPStatus(document.status_code)
    response = page(_call(request), "failure.html", status, problem=told, here=HOME)
    response.headers.update({name: document.headers[name] for name in _KEPT if name in document.headers})
    return response


def _call(request: Request) -> RequestContext[None]:
    return RequestContext(
        surfaces=request.app.state.surfaces,
        url=request.url,
        path={},
        query=None,
        headers=request.headers,
        body=b"",
        client="",
    )


HANDLERS = dict.fromkeys((*problems.HANDLERS, PermanentError), show)
