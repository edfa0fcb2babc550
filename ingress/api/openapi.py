"""`/`, `/openapi.json` and `/docs`: the entry points, and the description of the API.

The description is built from the endpoints' declarations and their models. HEAD is omitted: it is answered as
GET is. Source: https://spec.openapis.org/oas/v3.1.1.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from inspect import getdoc
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ingress import auth, schemas
from ingress.api import credits as credit_endpoints
from ingress.api import cron, health, jobs, operations, uploads, watches, webhooks
from ingress.endpoint import JSON, PAGE, Answer, Endpoint, Nothing, Resource, Routes
from ingress.middleware import REQUEST_ID
from ingress.pages import api_docs, runbook, unsubscribe
from ingress.request import RequestContext

Part = dict[str, Any]
PROBLEM = "application/problem+json"
_REFERENCE = "#/components/schemas/{name}"
_HOME = "/console/"
_INFO = {
    "title": "Rollcall",
    "version": "1",
    "summary": "Watches university class sections and sends e-mail as soon as a seat opens.",
    "description": "Errors are problem documents (RFC 9457). Times are ISO 8601 in UTC. Unknown fields and "
    "parameters are rejected by name. HEAD works wherever GET reads.",
}
_BEARERS: Mapping[auth.Secrets, tuple[str, ...]] = {
    auth.cron_secret: ("cron_secret",),
    auth.api_token: ("api_token",),
    auth.either: ("cron_secret", "api_token"),
}
_PROBLEMS: Mapping[HTTPStatus, tuple[str, tuple[str, ...]]] = {
    HTTPStatus.BAD_REQUEST: ("The signature is missing or invalid.", ()),
    HTTPStatus.UNAUTHORIZED: ("The credentials are missing or invalid.", ("WWW-Authenticate",)),
    HTTPStatus.NOT_FOUND: ("Not found.", ()),
    HTTPStatus.METHOD_NOT_ALLOWED: ("The path does not support the method.", ("Allow",)),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ("The body is too large.", ()),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: ("The body's media type or encoding is not supported.", ()),
    HTTPStatus.UNPROCESSABLE_ENTITY: ("Validation failed; `errors` names each invalid field.", ()),
    HTTPStatus.SERVICE_UNAVAILABLE: ("A dependency is unavailable; try again later.", ("Retry-After",)),
}
"""The description and the headers of each problem."""
_REQUEST_ID = {
    "name": REQUEST_ID,
    "in": "header",
    "description": "The id of the request in logs and in the response; a malformed one is replaced.",
    "schema": {"type": "string", "examples": ["job-7"]},
}
routes = Routes()
Location = Annotated[str, Meta(extra_json_schema={"const": _HOME})]


@routes.get(
    "/",
    {HTTPStatus.TEMPORARY_REDIRECT: Answer("The console.", headers={"Location": Location})},
    lenient_query=Nothing,
    blocks=False,
)
def redirect_to_console(_request: RequestContext) -> Response:
    """Redirect to the console; programs start at /openapi.json."""
    return RedirectResponse(_HOME, HTTPStatus.TEMPORARY_REDIRECT)


@routes.get(
    "/openapi.json",
    {HTTPStatus.OK: Answer("The description.", dict[str, Any])},
    lenient_query=Nothing,
    blocks=False,
)
def get_description(_request: RequestContext) -> Response:
    """Get this OpenAPI description."""
    return Response(_encoded(), media_type=JSON)


@routes.get("/docs", PAGE, lenient_query=Nothing, blocks=False)
def get_docs(_request: RequestContext) -> Response:
    """Read the API reference: every path, its input and its responses."""
    return _docs()


ROUTES = tuple(
    route
    for module in (
        *(cron, watches, jobs, uploads, credit_endpoints, operations),
        *(unsubscribe, webhooks, health, runbook),
    )
    for route in module.routes
) + tuple(routes)
"""Every route but the console's."""


@functools.cache
def description() -> Part:
    """Return the OpenAPI document of `ROUTES`."""
    types = _Schemas()
    problem = types.of(schemas.Problem)
    return {
        "openapi": "3.1.1",
        "info": _INFO,
        "servers": [{"url": "/"}],
        "paths": {route.path: _path(route, types) for route in ROUTES},
        "components": {
            "schemas": types.components,
            "responses": {f"Problem{status.value}": _problem(status, problem) for status in _PROBLEMS},
            "parameters": {"request_id": _REQUEST_ID},
            "securitySchemes": {
                "cron_secret": {"type": "http", "scheme": "bearer", "description": "CRON_SECRET"},
                "api_token": {"type": "http", "scheme": "bearer", "description": "API_TOKEN"},
            },
        },
    }


@functools.cache
def _encoded() -> bytes:
    return json.dumps(description()).encode()


@functools.cache
def _docs() -> Response:
    return api_docs.render_docs(description())


class _Schemas:
    """JSON Schemas of models; structs and enumerations become components."""

    def __init__(self) -> None:
        self.components: dict[str, Part] = {}

    def of(self, model: Any) -> Part:
        """Return the schema of a type."""
        (schema,), found = msgspec.json.schema_components([model], ref_template=_REFERENCE)
        self.components |= found
        return schema

    def of_input(self, model: type[Struct], blank: Part | None = None) -> Part:
        """Return the schema of an input model: without null, and with `blank` for optional fields."""
        _, found = msgspec.json.schema_components([model], ref_template=_REFERENCE)
        own = found.pop(model.__name__)
        self.components |= found
        members = {name: _present(member, blank) for name, member in own["properties"].items()}
        return {**own, "properties": members, "additionalProperties": False}


def _present(member: Part, blank: Part | None) -> Part:
    """Return the schema of a member that is given."""
    if "default" in member and member["default"] in (None, "", []):
        del member["default"]
    options = member.pop("anyOf", None)
    if options is None:
        return member
    given = [option for option in options if option != {"type": "null"}]
    if "type" in member:  # of a type with its own parser
        return member
    if blank is not None:
        return {**member, "anyOf": [*given, blank]}
    return {**given[0], **member} if len(given) == 1 else {**member, "anyOf": given}


def operation_id(method: str, path: str) -> str:
    """Return the id of an operation from its method and path, such as get_cron_runs_id."""
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _path(route: Route, types: _Schemas) -> Part:
    resource = route.endpoint
    if not isinstance(resource, Resource):
        raise TypeError(f"{route.path} has no declared endpoints")
    return {
        method.lower(): _operation(operation_id(method, route.path), endpoint, types)
        for method, endpoint in resource.endpoints.items()
        if method != "HEAD"
    }


def _operation(name: str, endpoint: Endpoint, types: _Schemas) -> Part:
    return {
        "operationId": name,
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "summary": getdoc(endpoint.handler),
        "parameters": [*_parameters(endpoint, types), {"$ref": "#/components/parameters/request_id"}],
        **_request_body(endpoint, types),
        "responses": {
            str(status.value): answer for status, answer in sorted(_responses(endpoint, types).items())
        },
        "security": _security(endpoint),
    }


def _parameters(endpoint: Endpoint, types: _Schemas) -> Iterator[Part]:
    blank = {"type": "string", "const": ""}
    query = endpoint.lenient_query or endpoint.inputs.get("query", Nothing)
    for place, model in (("path", endpoint.inputs.get("path", Nothing)), ("query", query)):
        form = types.of_input(model, blank)
        for name, schema in form["properties"].items():
            yield {"name": name, "in": place, "required": name in form["required"], "schema": schema}
    for name, header in endpoint.headers.items():
        yield {"name": name, "in": "header", "required": True, "schema": types.of(header)}


def _request_body(endpoint: Endpoint, types: _Schemas) -> Part:
    body = endpoint.accepts
    if body.model is None:
        return {}
    is_model = isinstance(body.model, type) and issubclass(body.model, Struct)
    is_input = is_model and endpoint.secrets is not None  # webhooks take members that we do not name
    schema = types.of_input(body.model) if is_input else types.of(body.model)
    content = {body.media_type or "*/*": {"schema": schema}}
    return {"requestBody": {"required": body.media_type is not None, "content": content}}


def _responses(endpoint: Endpoint, types: _Schemas) -> dict[HTTPStatus, Part]:
    problems = _problems_of(endpoint)
    responses: dict[HTTPStatus, Part] = {
        status: {"$ref": f"#/components/responses/Problem{status.value}"} for status in problems
    }
    for status, answer in endpoint.answers.items():
        responses[status] = _answer(answer, types)
        if status in problems:
            responses[status]["content"] |= {PROBLEM: {"schema": types.of(schemas.Problem)}}
    return responses


def _problems_of(endpoint: Endpoint) -> set[HTTPStatus]:
    """Return the problems that follow from the declaration of `endpoint`."""
    follows = {
        HTTPStatus.UNAUTHORIZED: endpoint.secrets or endpoint.optional_secrets,
        HTTPStatus.NOT_FOUND: "path" in endpoint.inputs,
        HTTPStatus.METHOD_NOT_ALLOWED: True,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: endpoint.accepts.limit_bytes,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: endpoint.accepts.media_type,
        HTTPStatus.UNPROCESSABLE_ENTITY: endpoint.lenient_query is None or endpoint.accepts.media_type,
        HTTPStatus.SERVICE_UNAVAILABLE: endpoint.blocks,
    }
    return {status for status, does_follow in follows.items() if does_follow} | set(endpoint.problems)


def _answer(answer: Answer, types: _Schemas) -> Part:
    described: Part = {"description": answer.description}
    if answer.model is not None:
        described["content"] = {answer.media_type: {"schema": types.of(answer.model)}}
    if answer.headers:
        described["headers"] = {name: _header(types.of(model)) for name, model in answer.headers.items()}
    if answer.follow:
        described["links"] = {
            name: {"operationId": name, "parameters": {parameter: f"$response.body#/{member}"}}
            for name, (parameter, member) in answer.follow.items()
        }
    return described


def _problem(status: HTTPStatus, schema: Part) -> Part:
    meaning, headers = _PROBLEMS[status]
    return {
        "description": meaning,
        "headers": {name: _header({"type": "string"}) for name in headers},
        "content": {PROBLEM: {"schema": schema}},
    }


def _header(schema: Part) -> Part:
    return {"required": True, "schema": schema}


def _security(endpoint: Endpoint) -> list[Part]:
    secrets = endpoint.secrets or endpoint.optional_secrets
    anonymous: list[Part] = [] if endpoint.secrets else [{}]
    return anonymous + ([{name: []} for name in _BEARERS[secrets]] if secrets else [])
