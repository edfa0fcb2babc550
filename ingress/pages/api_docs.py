"""`/docs`: an OpenAPI document as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

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
class Model:
    """A model that requests or responses refer to."""

    name: str
    description: str
    fields: tuple[Field, ...]


def render_docs(document: Part) -> Response:
    """Return the page of an OpenAPI document."""
    return render_page(
        "docs.html.j2",
        info=document["info"],
        groups=groups(document),
        models=[model(name, schema) for name, schema in document["components"]["schemas"].items()],
    )


def groups(document: Part) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document by tag, in its order."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = _operation(method.upper(), path, described, document)
            found.setdefault(described["tags"][0].replace("_", " "), []).append(operation)
    return found


def model(name: str, schema: Part) -> Model:
    """Return a schema as a table of its members."""
    return Model(_title(name), schema.get("description", ""), tuple(_members(schema)))


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
        return _title(str(schema["$ref"]).rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    return str(schema.get("type", "string" if "enum" in schema else "any"))


def _title(name: str) -> str:
    """Return the name of a model; the component of a generic one is named like Page_Watch_."""
    return name.rstrip("_").replace("_", " of ")


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
        f"Default: {said['default']}." if said.get("default") not in (None, "") else "",
        f"Example: {example}." if isinstance(example, str | int) else "",
    ]
    return " ".join(note for note in notes if note)
