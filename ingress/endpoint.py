"""How a request reaches a handler: checked, read to its end, and away from the event loop.

A handler is a plain function from a `RequestContext` to a response. `endpoint` declares who may call it, what
it reads and what it answers; `Resource` puts the endpoints of one path together.

What an endpoint's own rules do not tell of it: its answers, and what else of a request it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from starlette.datastructures import URL, Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ingress import auth
from ingress.admission import Admission
from ingress.auth import Secrets
from ingress.bodies import NOTHING, Body
from ingress.context import WebContext
from ingress.forms import Query
from ingress.problems import ProblemError
from ingress.rules import Rule, Schema

JSON, HTML = "application/json", "text/html"


@dataclass(frozen=True, slots=True)
class ResponseDoc:
    """One answer that is no problem; without a `schema` it has no body.

    Shape: `follow` maps an operation that this answer leads to onto the parameter that it takes, and where in
    the body its value is.
    """

    description: str
    schema: Schema | None = None
    media_type: str = JSON
    headers: Mapping[str, Schema] = field(default_factory=dict)
    follow: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointDoc:
    """Shape: `headers` describes those that are read; `eases` tells whose token shows more.

    `problems` are those beside the ones that follow from how the endpoint is declared.
    """

    answers: Mapping[HTTPStatus, ResponseDoc]
    headers: Mapping[str, Schema] = field(default_factory=dict)
    eases: Secrets | None = None
    problems: tuple[HTTPStatus, ...] = ()


Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class RequestContext(Generic[Q]):
    """One request, complete and immutable; `path` holds the values of its path, `query` its form."""

    surfaces: WebContext
    url: URL
    path: Mapping[str, Any]
    query: Q
    headers: Headers
    body: bytes
    client: str


Handler = Callable[[RequestContext[Q]], Response]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Q]):
    """A handler, with what it reads and to whom it answers (None: everybody).

    Shape: a handler that `blocks` works on a thread, another on the event loop.
    """

    handler: Handler[Q]
    query: Query[Q]
    manual: EndpointDoc
    secrets: auth.Secrets | None
    body: Body
    path: Mapping[str, Rule[Any]]
    blocks: bool

    async def answer(self, request: Request) -> Response:
        """Let the caller in, read the body, then do the work, within the limits of its class.

        Raises: ProblemError (503) when too many such requests are in hand.
        """
        surfaces: WebContext = request.app.state.surfaces
        admission: Admission = request.app.state.admission
        lane = admission.lane(request.scope["path"])
        if self.secrets is not None:
            auth.require(request.headers, self.secrets(surfaces))
        call = RequestContext(
            surfaces=surfaces,
            url=request.url,
            path=self._path(request.path_params),
            query=self.query.read(request.scope["query_string"]),
            headers=request.headers,
            body=await lane.read(partial(self.body.read, request)) if self.body.limit_bytes else b"",
            client=request.client.host if request.client else "",
        )
        return await lane.work(partial(self.handler, call)) if self.blocks else self.handler(call)

    def _path(self, given: Mapping[str, object]) -> dict[str, Any]:
        try:
            return {name: rule(given[name]) for name, rule in self.path.items()}
        except ValueError as error:
            raise ProblemError(HTTPStatus.NOT_FOUND, "There can be nothing at this address.") from error


def endpoint(
    query: Query[Q],
    manual: EndpointDoc,
    *,
    secrets: auth.Secrets | None = None,
    body: Body = NOTHING,
    path: Mapping[str, Rule[Any]] | None = None,
    blocks: bool = True,
) -> Callable[[Handler[Q]], Endpoint[Q]]:
    """Declare a handler as an endpoint; its docstring is the summary that the world reads."""
    return lambda handler: Endpoint(handler, query, manual, secrets, body, path or {}, blocks)


class Resource:
    """One path: an endpoint for each method that it knows."""

    def __init__(self, **endpoints: Endpoint[Any]) -> None:
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the request's method. Raises: ProblemError (405) for one that is not for this path."""
        request = Request(scope, receive)
        found = self.endpoints.get(request.method)
        if found is None:
            allowed = {"Allow": ", ".join(sorted(self.endpoints))}
            raise ProblemError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not for this path.", headers=allowed
            )
        response = await found.answer(request)
        await response(scope, receive, send)


def readable(path: str, get: Endpoint[Any], **others: Endpoint[Any]) -> Route:
    """The route of what can be read: HEAD is answered as GET is, without its body."""
    return Route(path, Resource(GET=get, HEAD=get, **others))


def writable(path: str, **endpoints: Endpoint[Any]) -> Route:
    """The route of what acts: it knows only the methods that are named."""
    return Route(path, Resource(**endpoints))
