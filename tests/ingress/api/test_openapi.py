from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Mount, Route

from ingress.api.openapi import description, operation_id
from ingress.app import create_app
from ingress.endpoint import Resource
from tests.ingress.site import API, API_TOKEN, CRON, CRON_SECRET, WEBHOOK_SECRET, Reports, Site, web_context
from tests.support.catalog import Row
from tests.support.harness import Harness

CONSOLE = "/console"
NO_RUN = "/cron/runs/" + "0" * 32
EVENT = {"type": "contact.created", "created_at": "2026-01-15T09:00:00Z"}


def _document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(description()))
    return read


def _described() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in _document()["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def test_everyone_may_read_it(site: Site) -> None:
    answer = site.client.get("/openapi.json")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == _document()


def test_it_is_valid() -> None:
    assert list(OpenAPIV31SpecValidator(_document()).iter_errors()) == []


def _routes(rollcall: Harness) -> Iterator[tuple[str, Resource]]:
    """Every route that is for programs: the console is for people."""
    for route in create_app(web_context(rollcall, Reports())).routes:
        if isinstance(route, Mount) or (isinstance(route, Route) and route.path == CONSOLE):
            assert route.path == CONSOLE
            continue
        assert isinstance(route, Route)
        assert isinstance(route.endpoint, Resource), f"{route.path} does not say what it takes"
        yield route.path, route.endpoint


def test_it_describes_what_there_is_but_the_console_and_nothing_else(rollcall: Harness) -> None:
    there_is = {
        (method, path)
        for path, resource in _routes(rollcall)
        for method in resource.endpoints.keys() - {"HEAD"}
    }

    assert {(method, path) for method, path, _ in _described()} == there_is


def test_head_is_get_wherever_it_is_known(rollcall: Harness) -> None:
    for _, resource in _routes(rollcall):
        assert resource.endpoints.get("HEAD") in (None, resource.endpoints.get("GET"))


def test_it_names_every_parameter_of_a_path() -> None:
    for _, path, operation in _described():
        named = {each["name"] for each in operation["parameters"] if each.get("in") == "path"}
        assert all(f"{{{name}}}" in path for name in named)
        assert path.count("{") == len(named)


def test_it_holds_no_secret(site: Site) -> None:
    text = site.client.get("/openapi.json", headers=API).text

    assert not [secret for secret in (CRON_SECRET, API_TOKEN, WEBHOOK_SECRET) if secret in text]


def test_its_examples_are_as_it_says() -> None:
    document = _document()
    found = list(_examples(document))

    assert len(found) > 20
    for schema, example in found:
        Draft202012Validator({**schema, "components": document["components"]}).validate(example)


def test_a_request_of_its_examples_is_taken(site: Site) -> None:
    document = _document()
    watch = document["paths"]["/watches"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    sheet = document["paths"]["/watches/import"]["post"]["requestBody"]["content"]["text/csv"]["schema"]
    wanted = {
        name: schema["examples"][0] for name, schema in watch["properties"].items() if "examples" in schema
    }

    assert wanted.keys() >= set(watch["required"])
    assert site.client.post("/watches", json=wanted, headers=API).status_code == 201
    assert site.upload(sheet["examples"][0]).json() == {"created": 0, "existing": 1, "rejected": []}


def test_every_answer_is_as_it_says(site: Site) -> None:
    watch = site.add().json()
    run = site.client.post("/cron/section-checks", headers=CRON)
    for seats in (0, 3):
        site.rollcall.catalog.rows[site.rollcall.key("12431")] = Row(open_seats=seats)
        site.rollcall.run()
        site.rollcall.clock.advance(60)
    seen = [
        (run, "/cron/section-checks"),
        (site.client.get("/cron/section-checks?stagger=all", headers=CRON), "/cron/section-checks"),
        (site.client.get("/cron/runs", headers=API), "/cron/runs"),
        (site.client.get(f"/cron/runs/{run.json()['run_id']}", headers=API), "/cron/runs/{id}"),
        (site.add(), "/watches"),
        (site.add(section="12433"), "/watches"),
        (site.client.get("/watches?limit=1", headers=API), "/watches"),
        (site.client.get(f"/watches/{watch['id']}", headers=API), "/watches/{id}"),
        (site.upload("email,source,term,section\nx,,2261,1\n"), "/watches/import"),
        (
            site.client.get("/sections/scraper/2261/12431", headers=API),
            "/sections/{source}/{term}/{number}",
        ),
        (site.client.get("/notifications", headers=API), "/notifications"),
        (site.client.get("/unsubscribe?token=x"), "/unsubscribe"),
        (site.event("msg_1", EVENT), "/webhooks/resend"),
        *((site.client.get(path, headers=API), path) for path in ("/livez", "/readyz", "/health")),
        (site.client.get("/metrics"), "/metrics"),
        (site.client.delete(f"/watches/{watch['id']}", headers=API), "/watches/{id}"),
    ]

    for answer, path in seen:
        _require_described(answer, path)
    assert site.client.get("/notifications", headers=API).json()["items"]


@pytest.mark.parametrize(
    ("method", "path", "described", "status"),
    [
        ("GET", "/watches", "/watches", 401),
        ("GET", NO_RUN, "/cron/runs/{id}", 404),
        ("GET", "/watches?colour=green", "/watches", 422),
        ("POST", "/watches", "/watches", 415),
        ("POST", "/unsubscribe", "/unsubscribe", 400),
        ("POST", "/webhooks/resend", "/webhooks/resend", 415),
    ],
)
def test_every_problem_is_as_it_says(site: Site, method: str, path: str, described: str, status: int) -> None:
    answer = site.client.request(method, path, headers={} if status == 401 else API)

    assert answer.status_code == status
    _require_described(answer, described)


def test_a_body_too_large_is_a_problem_as_it_says(site: Site) -> None:
    answer = site.client.post("/watches", json={"email": "x" * 70_000}, headers=API)

    assert answer.status_code == 413
    _require_described(answer, "/watches")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [("GET", "/cron/runs/{id}", "get_cron_runs_id"), ("POST", "/watches/import", "post_watches_import")],
)
def test_operations_are_named_by_method_and_path(method: str, path: str, name: str) -> None:
    assert operation_id(method, path) == name


def _require_described(answer: httpx.Response, path: str) -> None:
    """Raises unless the description knows this answer of `path`, with every member that it has."""
    document = _document()
    operation = document["paths"][path][answer.request.method.lower()]
    described = _resolve(document, operation["responses"][str(answer.status_code)])
    assert described.get("headers", {}).keys() <= {name.title() for name in answer.headers} | {
        "WWW-Authenticate"
    }
    if "content" not in described:
        assert answer.content == b""
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = described["content"][media_type]["schema"]
    shown = answer.json() if media_type.endswith("json") else answer.text
    Draft202012Validator(_closed({**schema, "components": document["components"]})).validate(shown)


def _resolve(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    for name in part["$ref"].removeprefix("#/").split("/"):
        document = document[name]
    return document


def _closed(part: Any) -> Any:
    """The same schema, refusing members that it does not name: none of ours may go undescribed."""
    if isinstance(part, list):
        return [_closed(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {name: _closed(each) for name, each in part.items()}
    return closed | {"additionalProperties": False} if isinstance(part.get("properties"), dict) else closed


def _examples(part: Any) -> Iterator[tuple[dict[str, Any], object]]:
    if isinstance(part, dict):
        yield from ((part, each) for each in part.get("examples", []))
    for each in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _examples(each)
