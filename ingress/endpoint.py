"""Declares endpoints: path, authorized callers, responses, and a handler whose signature is the input.

    routes = Routes()

    @routes.post("/watches/{id}/pause", secrets=api_token)
    def pause_watch(request: RequestContext, path: WatchPath, body: PauseWatch) -> Watch:
        '''Pause a watch.'''

A handler may take `path`, `query`, `body` (JSON) and `form` (URL-encoded), each annotated with an input model
(`operations.inputs`). Without `query`, parameters are rejected. Its docstring is the public summary. It runs
on a thread unless it does not block. It returns a response, or a model that becomes one of status 200.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from inspect import getdoc
from tempfile import TemporaryFile
from typing import Any, BinaryIO, TypeVar, cast, get_origin, get_type_hints

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from domain.errors import InvalidInputError
from ingress import auth
from ingress.admission import Admission, Lane
from ingress.context import WebContext
from ingress.middleware import segments
from ingress.problems import ProblemError
from ingress.request import FORM_BODY, JSON_BODY, NO_BODY, Body, RequestContext, json_object, parameters
from operations.inputs import decode, decode_text

JSON, HTML = "application/json", "text/html"
Handler = Callable[..., Response | Struct]
H = TypeVar("H", bound=Handler)
_INPUTS = ("path", "query", "body", "form")
_encode = msgspec.json.Encoder().encode


def json_response(
    model: Struct, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> Response:
    """Return `model` as a JSON document."""
    return Response(_encode(model), status, headers, JSON)


class Nothing(Struct, frozen=True):
    """The input without fields."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A documented response; without a `model` it has no body.

    Shape: `headers` are types by name; `follow` maps an operation to the parameter that it takes from this
    response, and the value's location in the body.
    """

    description: str
    model: Any = None
    media_type: str = JSON
    headers: Mapping[str, Any] = field(default_factory=dict)
    follow: Mapping[str, tuple[str, str]] = field(default_factory=dict)


PAGE = {HTTPStatus.OK: Answer("An HTML page.", str, HTML)}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A handler with its declaration.

    Shape: `secrets` are those of the authorized callers, None for everyone; `optional_secrets` those of
    callers who get more. `inputs` are the models of the handler's parameters by name. `accepts` is the body,
    and `headers` are the types of the headers that are read. `lenient_query` documents a query string that
    may hold anything, and that only the handler reads. `problems` are those that do not follow from the rest.
    With `is_upload` the handler gets the body as a file.
    """

    handler: Handler
    answers: Mapping[HTTPStatus, Answer]
    inputs: Mapping[str, type[Struct]]
    accepts: Body
    secrets: auth.Secrets | None = None
    optional_secrets: auth.Secrets | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    lenient_query: type[Struct] | None = None
    problems: tuple[HTTPStatus, ...] = ()
    blocks: bool = True
    is_upload: bool = False

    async def respond(self, request: Request) -> Response:
        """Authorize the caller, read the input, then run the handler, within the limits of its class.

        Raises: ProblemError (503) when too many such requests are in progress.
        """
        state = request.app.state
        context: WebContext = state.context
        admission: Admission = state.admission
        lane = admission.lane(request.scope["path"])
        if self.secrets is not None:
            auth.require(request.headers, self.secrets(context))
        inputs = self._inputs(request)
        if self.is_upload:
            return await self._receive(request, context, lane, inputs)
        body = await lane.read(partial(self.accepts.read, request)) if self.accepts.limit_bytes else b""
        call = partial(self._call, _request_context(request, context, body), inputs)
        return await lane.work(call) if self.blocks else call()

    async def _receive(
        self, request: Request, context: WebContext, lane: Lane, inputs: dict[str, Struct]
    ) -> Response:
        """Receive the body into a file without a name, which disappears with its last descriptor."""
        accepts = replace(self.accepts, limit_bytes=context.uploads.limit_bytes)
        with TemporaryFile(dir=context.admin.home) as opened:
            file = cast("BinaryIO", opened)
            await lane.read(partial(accepts.spool, request, file))
            received = replace(_request_context(request, context, b""), file=file)
            return await lane.work(partial(self._call, received, inputs))

    def _inputs(self, request: Request) -> dict[str, Struct]:
        """Return the path and the query. Raises: ProblemError (404), InvalidInputError."""
        inputs: dict[str, Struct] = {}
        if "path" in self.inputs:
            try:
                inputs["path"] = decode_text(self.inputs["path"], segments(request.path_params))
            except InvalidInputError as error:
                raise ProblemError(HTTPStatus.NOT_FOUND, "Not found.") from error
        if self.lenient_query is None:
            query = decode_text(self.inputs.get("query", Nothing), parameters(request.scope["query_string"]))
            inputs |= {"query": query} if "query" in self.inputs else {}
        return inputs

    def _call(self, request: RequestContext, inputs: dict[str, Struct]) -> Response:
        if "body" in self.inputs:
            choices = {"source": request.services.source_names}
            inputs["body"] = decode(self.inputs["body"], json_object(request.body), choices)
        if "form" in self.inputs:
            inputs["form"] = decode_text(self.inputs["form"], parameters(request.body))
        result = self.handler(request, **inputs)
        return result if isinstance(result, Response) else json_response(result)


def _request_context(request: Request, context: WebContext, body: bytes) -> RequestContext:
    client = request.client.host if request.client else ""
    return RequestContext(context, request.url, request.headers, body, client)


class Resource:
    """One path: an endpoint for each of its methods."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Dispatch by method. Raises: ProblemError (405) for a method that the path does not support."""
        request = Request(scope, receive)
        endpoint = self.endpoints.get(request.method)
        if endpoint is None:
            allowed = {"Allow": ", ".join(sorted(self.endpoints))}
            raise ProblemError(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{request.method} is not supported.", headers=allowed
            )
        response = await endpoint.respond(request)
        await response(scope, receive, send)


class Routes:
    """The endpoints of one module, by path, in the order of their declaration."""

    def __init__(self) -> None:
        self._resources: dict[str, Resource] = {}

    def get(
        self, path: str, answers: Mapping[HTTPStatus, Answer] | None = None, **options: Any
    ) -> Callable[[H], H]:
        """Declare an endpoint that reads: HEAD is answered as GET is, without the body."""
        return self.add(path, ("GET", "HEAD"), answers, **options)

    def post(
        self, path: str, answers: Mapping[HTTPStatus, Answer] | None = None, **options: Any
    ) -> Callable[[H], H]:
        """Declare an endpoint that acts."""
        return self.add(path, ("POST",), answers, **options)

    def add(
        self,
        path: str,
        methods: tuple[str, ...],
        answers: Mapping[HTTPStatus, Answer] | None = None,
        **options: Any,
    ) -> Callable[[H], H]:
        """Declare an endpoint of `methods`; `options` are fields of `Endpoint`."""

        def declare(handler: H) -> H:
            resource = self._resources.setdefault(path, Resource())
            resource.endpoints |= dict.fromkeys(methods, _endpoint(handler, answers, options))
            return handler

        return declare

    def __iter__(self) -> Iterator[Route]:
        return (Route(path, resource) for path, resource in self._resources.items())


def _endpoint(
    handler: Handler, answers: Mapping[HTTPStatus, Answer] | None, options: dict[str, Any]
) -> Endpoint:
    hints = get_type_hints(handler, include_extras=True)
    inputs: dict[str, type[Struct]] = {name: hints[name] for name in _INPUTS if name in hints}
    if "body" in inputs:
        options = {"accepts": JSON_BODY.of(inputs["body"])} | options
    options = {"accepts": FORM_BODY if "form" in inputs else NO_BODY} | options
    return Endpoint(handler, answers or _answers(hints["return"]), inputs, **options)


def _answers(model: Any) -> dict[HTTPStatus, Answer]:
    """Return the one answer of a handler that returns a `model`."""
    described = get_origin(model) or model
    is_model = issubclass(described, Struct)
    return {HTTPStatus.OK: Answer(getdoc(described) or "", model)} if is_model else {}
