"""`/docs`: the API description as a page for people, from the same source as `/openapi.json`."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from ingress.endpoint import HTML, EndpointDoc, RequestContext, ResponseDoc, endpoint, readable
from ingress.forms import unread
from ingress.pages.html import render_page

Part = Mapping[str, Any]
_TOKENS = {"cron_secret": "CRON_SECRET", "api_token": "API_TOKEN"}


@dataclass(frozen=True, slots=True)
class Field:
    """One table row: a parameter, or a member of a body; `note` describes its values."""

    name: str
    type: str
    note: str
    is_required: bool
    place: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; `tokens` names the accepted tokens, empty where none is needed."""

    id: str
    method: str
    path: str
    summary: str
    tokens: tuple[str, ...]
    parameters: tuple[Field, ...]
    body_type: str
    body: tuple[Field, ...]
    answers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """One schema that responses refer to."""

    name: str
    description: str
    fields: tuple[Field, ...]


@endpoint(
    unread(),
    EndpointDoc({HTTPStatus.OK: ResponseDoc("A page for people.", {"type": "string"}, HTML)}),
    blocks=False,
)
def show(_call: RequestContext[bytes]) -> Response:
    """Every path, what it takes and what it answers, to read."""
    return _page()


ROUTES = (readable("/docs", show),)


@functools.cache
def _page() -> Response:
    from ingress.api.openapi import description  # noqa: PLC0415 - which describes this page as well

    document = description()
    return render_page(
        "docs.html.j2",
        info=document["info"],
        groups=groups(document),
        shapes=[shape(name, schema) for name, schema in document["components"]["schemas"].items()],
    )


def groups(document: Part) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document by tag, in its order."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = _operation(method.upper(), path, described, document)
            found.setdefault(described["tags"][0].replace("_", " "), []).append(operation)
    return found


def shape(name: str, schema: Part) -> Shape:
    """Return a schema as a table of its members."""
    return Shape(name, schema.get("description", ""), tuple(_members(schema)))


def _operation(method: str, path: str, described: Part, document: Part) -> Operation:
    tokens = tuple(_TOKENS[name] for scheme in described["security"] for name in scheme)
    content = described.get("requestBody", {}).get("content", {})
    body_type, body = next(iter(content.items()), ("", {"schema": {}}))
    return Operation(
        id=described["operationId"],
        method=method,
        path=path,
        summary=described["summary"],
        tokens=tokens,
        parameters=tuple(_parameter(each) for each in described["parameters"] if "$ref" not in each),
        body_type=body_type,
        body=tuple(_members(body["schema"])),
        answers=tuple(_answer(status, each, document) for status, each in described["responses"].items()),
    )


def _parameter(described: Part) -> Field:
    schema = described["schema"]
    return Field(described["name"], _type(schema), _note(schema), described["required"], described["in"])


def _answer(status: str, described: Part, document: Part) -> tuple[str, str, str]:
    """Return a response's status, meaning, and schema name."""
    name = described.get("$ref", "").rpartition("/")[2]
    found = document["components"]["responses"][name] if name else described
    schemas = [content["schema"] for content in found.get("content", {}).values()]
    return status, found["description"], _type(schemas[0]) if schemas else ""


def _members(schema: Part) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Field(name, _type(member), _note(member), name in required)


def _type(schema: Part) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "items" in schema.get("properties", {}):
        return f"page of {_type(schema['properties']['items']['items'])}"
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    said = schema.get("type", "any")
    return said if isinstance(said, str) else " or ".join(said)


def _note(schema: Part) -> str:
    """Describe a schema's constraints beyond its type."""
    inner: Part = next((each for each in schema.get("anyOf", ()) if "const" not in each), {})
    said = {**inner, **schema}
    choices = said.get("enum") or said.get("items", {}).get("enum")
    example = next(iter(said.get("examples", ())), None)
    notes = [
        said.get("description", ""),
        f"One of {', '.join(choices)}." if choices else "",
        f"{said['minimum']} to {said['maximum']}." if "maximum" in said and "minimum" in said else "",
        f"{said['default']} by default." if said.get("default") not in (None, "") else "",
        f"Such as {example}." if isinstance(example, str | int) else "",
    ]
    return " ".join(note for note in notes if note)
