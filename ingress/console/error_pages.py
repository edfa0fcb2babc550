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
from ingress.problems import ProblemError
from ingress.request import RequestContext

_KEPT = ("allow", "retry-after")


async def show(request: Request, error: Exception) -> Response:
    """Return the page for an error that ends a request; a script gets the problem document."""
    if isinstance(error, PermanentError) and not isinstance(error, InvalidInputError):
        error = ProblemError(HTTPStatus.CONFLICT, str(error))
    document = await problems.answer(request, error)
    if "text/html" not in request.headers.get("accept", "text/html"):
        return document
    shown = {"errors": [], **json.loads(bytes(document.body))}
    status = HTTPStatus(document.status_code)
    context = RequestContext(request.app.state.context, request.url, request.headers)
    response = page(context, "failure.html", status, problem=shown, here=HOME)
    response.headers.update({name: document.headers[name] for name in _KEPT if name in document.headers})
    return response


HANDLERS = dict.fromkeys((*problems.HANDLERS, PermanentError), show)
