"""`/livez`, `/readyz`, `/health` and `/metrics`: probes and metrics."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

from starlette.responses import Response

from domain.errors import UnreachableError
from ingress import auth
from ingress.endpoint import Answer, Nothing, Routes, json_response
from ingress.request import RequestContext
from ingress.schemas import Health, Liveness, Readiness
from observability.health import HealthReport

routes = Routes()


@routes.get("/livez", {HTTPStatus.OK: Answer("It responds.", Liveness)}, lenient_query=Nothing, blocks=False)
def live(_request: RequestContext) -> Liveness:
    """Check that the process responds, without a thread, disk or network."""
    return Liveness("alive")


@routes.get(
    "/readyz",
    {
        HTTPStatus.OK: Answer("It is ready.", Readiness),
        HTTPStatus.SERVICE_UNAVAILABLE: Answer("It is not ready.", Readiness),
    },
    lenient_query=Nothing,
)
def ready(request: RequestContext) -> Response:
    """Check that every dependency that requests need is available."""
    status: Any = _report(request.context.ready).status
    is_ready = status == "healthy"
    return json_response(Readiness(status), HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@routes.get(
    "/health",
    {
        HTTPStatus.OK: Answer("It works, at least in part.", Health),
        HTTPStatus.SERVICE_UNAVAILABLE: Answer("It does not work.", Health),
    },
    optional_secrets=auth.either,
    lenient_query=Nothing,
)
def health(request: RequestContext) -> Response:
    """Get the status, and with a token the checks; 503 only when unhealthy."""
    is_detailed = auth.is_given(request.headers)
    if is_detailed:
        auth.require(request.headers, auth.either(request.context))
    report = _report(request.context.health if is_detailed else request.context.latest_health)
    status: Any = report.status
    is_unhealthy = status == "unhealthy"
    return json_response(
        Health(status, report.checks if is_detailed else {}),
        HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK,
    )


@routes.get(
    "/metrics",
    {HTTPStatus.OK: Answer("The metrics.", str, "text/plain")},
    optional_secrets=auth.either,
    lenient_query=Nothing,
)
def metrics(request: RequestContext) -> Response:
    """Get the metrics as Prometheus text; a token is required from another machine."""
    if not _is_loopback(request.client):
        auth.require(request.headers, auth.either(request.context))
    content, content_type = request.context.metrics()
    return Response(content, headers={"Content-Type": content_type})


def _report(read: Callable[[], HealthReport]) -> HealthReport:
    """Return the result of `read`; a reading that times out is unhealthy."""
    try:
        return read()
    except UnreachableError as error:
        return HealthReport("unhealthy", {"health": {"error": str(error)}})


def _is_loopback(client: str) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
