"""Builds the OpenAPI description of routes from their endpoints' declarations.

Source: https://spec.openapis.org/oas/v3.1.1. HEAD is omitted: it is answered as GET is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from inspect import getdoc
from typing import Any

from starlette.routing import Route

from ingress import auth
from ingress.endpoint import Endpoint, Resource, ResponseDoc
from ingress.forms import schema_of
from ingress.middleware import REQUEST_ID
from ingress.rules import Schema
from ingress.schemas import SCHEMAS, ref

Part = dict[str, Any]
PROBLEM = "application/problem+json"
_BEARERS: Mapping[auth.Secrets, tuple[str, ...]] = {
    auth.cron_secret: ("cron_secret",),
    auth.api_token: ("api_token",),
    auth.either: ("cron_secret", "api_token"),
}
_PROBLEMS = {
    HTTPStatus.BAD_REQUEST: "What should carry a signature does not carry a valid one.",
    HTTPStatus.UNAUTHORIZED: "The request lacks what proves who sent it, or that is not accepted here.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The answer of this path to any other method; Allow names its own.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is of another type or encoding.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Fields are unknown, missing, repeated or bad; `errors` names each.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that this needs is away; Retry-After says when to try again.",
}
_HEADERS: Mapping[HTTPStatus, tuple[str, ...]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.METHOD_NOT_ALLOWED: ("Allow",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def describe(routes: Iterable[Route], info: Schema) -> Part:
    """Return the description of `routes`, whose endpoints are all `Resource`s."""
    return {
        "openapi": "3.1.1",
        "info": info,
        "servers": [{"url": "/"}],
        "paths": {route.path: _path(route) for route in routes},
        "components": {
            "schemas": SCHEMAS,
            "responses": {f"Problem{status.value}": _problem(status) for status in _PROBLEMS},
            "parameters": {"request_id": _REQUEST_ID},
            "securitySchemes": {
                "cron_secret": {"type": "http", "scheme": "bearer", "description": "CRON_SECRET"},
                "api_token": {"type": "http", "scheme": "bearer", "description": "API_TOKEN"},
            },
        },
    }


def operation_id(method: str, path: str) -> str:
    """Return the id of an operation from its method and path, such as get_cron_runs_id."""
    return "_".join([method.lower(), *re.findall(r"\w+", path)])


def _path(route: Route) -> Part:
    resource = route.endpoint
    if not isinstance(resource, Resource):
        raise TypeError(f"{route.path} does not say what it takes")
    return {
        method.lower(): _operation(operation_id(method, route.path), endpoint)
        for method, endpoint in resource.endpoints.items()
        if method != "HEAD"
    }


def _operation(name: str, endpoint: Endpoint[Any]) -> Part:
    return {
        "operationId": name,
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "summary": getdoc(endpoint.handler),
        "parameters": [*_parameters(endpoint), {"$ref": "#/components/parameters/request_id"}],
        **_request_body(endpoint),
        "responses": {str(status.value): answer for status, answer in sorted(_responses(endpoint).items())},
        "security": _security(endpoint),
    }


def _parameters(endpoint: Endpoint[Any]) -> Iterator[Part]:
    for name, rule in endpoint.path.items():
        yield {"name": name, "in": "path", "required": True, "schema": rule.schema}
    form = schema_of(endpoint.query.form)
    for name, schema in form["properties"].items():
        yield {"name": name, "in": "query", "required": name in form["required"], "schema": schema}
    for name, schema in endpoint.manual.headers.items():
        yield {"name": name, "in": "header", "required": True, "schema": schema}


def _request_body(endpoint: Endpoint[Any]) -> Part:
    body = endpoint.body
    if body.schema is None:
        return {}
    content = {body.media_type or "*/*": {"schema": body.schema}}
    return {"requestBody": {"required": body.media_type is not None, "content": content}}


def _responses(endpoint: Endpoint[Any]) -> dict[HTTPStatus, Part]:
    responses: dict[HTTPStatus, Part] = {
        status: {"$ref": f"#/components/responses/Problem{status.value}"} for status in _problems_of(endpoint)
    }
    for status, answer in endpoint.manual.answers.items():
        responses[status] = _answer(answer)
        if status in _problems_of(endpoint):
            responses[status]["content"] |= {PROBLEM: {"schema": ref("Problem")}}
    return responses


def _problems_of(endpoint: Endpoint[Any]) -> set[HTTPStatus]:
    """Return the problems that follow from the declaration of `endpoint`."""
    follows = {
        HTTPStatus.UNAUTHORIZED: endpoint.secrets or endpoint.manual.eases,
        HTTPStatus.NOT_FOUND: endpoint.path,
        HTTPStatus.METHOD_NOT_ALLOWED: True,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: endpoint.body.limit_bytes,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: endpoint.body.media_type,
        HTTPStatus.UNPROCESSABLE_ENTITY: endpoint.query.is_strict or endpoint.body.media_type,
        HTTPStatus.SERVICE_UNAVAILABLE: endpoint.blocks,
    }
    return {status for status, is_so in follows.items() if is_so} | set(endpoint.manual.problems)


def _answer(answer: ResponseDoc) -> Part:
    described: Part = {"description": answer.description}
    if answer.schema is not None:
        described["content"] = {answer.media_type: {"schema": answer.schema}}
    if answer.headers:
        described["headers"] = {name: _header(schema) for name, schema in answer.headers.items()}
    if answer.follow:
        described["links"] = {
            name: {"operationId": name, "parameters": {parameter: f"$response.body#/{member}"}}
            for name, (parameter, member) in answer.follow.items()
        }
    return described


def _problem(status: HTTPStatus) -> Part:
    return {
        "description": _PROBLEMS[status],
        "headers": {name: _header({"type": "string"}) for name in _HEADERS.get(status, ())},
        "content": {PROBLEM: {"schema": ref("Problem")}},
    }


def _header(schema: Schema) -> Part:
    return {"required": True, "schema": schema}


def _security(endpoint: Endpoint[Any]) -> list[Part]:
    told = endpoint.secrets or endpoint.manual.eases
    anybody: list[Part] = [] if endpoint.secrets else [{}]
    return anybody + ([{name: []} for name in _BEARERS[told]] if told else [])


_REQUEST_ID = {
    "name": REQUEST_ID,
    "in": "header",
    "description": "Names the request in logs and in the answer; one of another shape is replaced.",
    "schema": {"type": "string", "examples": ["job-7"]},
}
