"""Declares and dispatches endpoints: authorization, body, then the handler off the event loop.

A handler is a plain function from a `RequestContext` to a response. `endpoint` declares its callers, its
input and its responses; `Resource` combines the endpoints of one path. `EndpointDoc` and `ResponseDoc`
document what the declaration does not imply.
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
    """One successful response; without a `schema` it has no body.

    Shape: `follow` maps an operation to the parameter that it takes from this response, and the value's
    location in the body.
    """

    description: str
    schema: Schema | None = None
    media_type: str = JSON
    headers: Mapping[str, Schema] = field(default_factory=dict)
    follow: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EndpointDoc:
    """Documentation beyond the declaration. Shape: `headers` are those read; `eases`, whose token shows more.

    `problems` are those beside the ones that follow from the endpoint's declaration.
    """

    answers: Mapping[HTTPStatus, ResponseDoc]
    headers: Mapping[str, Schema] = field(default_factory=dict)
    eases: Secrets | None = None
    problems: tuple[HTTPStatus, ...] = ()


Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class RequestContext(Generic[Q]):
    """One request, complete and immutable; `path` holds its path parameters, `query` its form."""

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
    """A handler, with its input and its authorized callers (None: everyone).

    Shape: a handler that `blocks` runs on a thread, others on the event loop.
    """

    handler: Handler[Q]
    query: Query[Q]
    manual: EndpointDoc
    secrets: auth.Secrets | None
    body: Body
    path: Mapping[str, Rule[Any]]
    blocks: bool

    async def answer(self, request: Request) -> Response:
        """Authorize the caller, read the body, then run the handler, within the limits of its class.

        Raises: ProblemError (503) when too many such requests are in progress.
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
    """Declare a handler as an endpoint; its docstring is the public summary."""
    return lambda handler: Endpoint(handler, query, manual, secrets, body, path or {}, blocks)


class Resource:
    """One path: an endpoint for each of its methods."""

    def __init__(self, **endpoints: Endpoint[Any]) -> None:
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch by method. Raises: ProblemError (405) for a method that the path does not support."""
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
    """Return a readable route: HEAD is answered as GET is, without the body."""
    return Route(path, Resource(GET=get, HEAD=get, **others))


def writable(path: str, **endpoints: Endpoint[Any]) -> Route:
    """Return a route of actions, with only the given methods."""
    return Route(path, Resource(**endpoints))
