"""`/livez`, `/readyz`, `/health` and `/metrics`: probes and metrics."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address

from starlette.responses import JSONResponse, Response

from domain.errors import UnreachableError
from ingress import auth
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, readable
from ingress.forms import unread
from ingress.schemas import ref, status
from observability.health import HealthReport


@endpoint(unread(), EndpointDoc({HTTPStatus.OK: ResponseDoc("It does.", status("alive"))}), blocks=False)
def live(_call: RequestContext[bytes]) -> Response:
    """The process answers; it asks nothing of any thread, disk or network."""
    return JSONResponse({"status": "alive"})


@endpoint(
    unread(),
    EndpointDoc(
        {
            HTTPStatus.OK: ResponseDoc("It is ready.", status("healthy")),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseDoc("It is not.", status("degraded", "unhealthy")),
        }
    ),
)
def ready(call: RequestContext[bytes]) -> Response:
    """200 when what every request needs is there, else 503."""
    found = _answered(call.surfaces.ready).status
    is_ready = found == "healthy"
    return JSONResponse({"status": found}, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@endpoint(
    unread(),
    EndpointDoc(
        {
            HTTPStatus.OK: ResponseDoc("It works, perhaps not all of it.", ref("Health")),
            HTTPStatus.SERVICE_UNAVAILABLE: ResponseDoc("It does not work.", ref("Health")),
        },
        eases=auth.either,
    ),
)
def health(call: RequestContext[bytes]) -> Response:
    """The status for everybody, the checks for whoever holds a token; 503 only when unhealthy."""
    is_known = auth.is_given(call.headers)
    if is_known:
        auth.require(call.headers, auth.either(call.surfaces))
    report = _answered(call.surfaces.health if is_known else call.surfaces.latest_health)
    content = {"status": report.status, "checks": report.checks if is_known else {}}
    is_unhealthy = report.status == "unhealthy"
    return JSONResponse(content, HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK)


@endpoint(
    unread(),
    EndpointDoc(
        {HTTPStatus.OK: ResponseDoc("The metrics.", {"type": "string"}, "text/plain")}, eases=auth.either
    ),
)
def metrics(call: RequestContext[bytes]) -> Response:
    """Prometheus text, for this machine; from elsewhere it takes a token."""
    if not _is_loopback(call.client):
        auth.require(call.headers, auth.either(call.surfaces))
    content, content_type = call.surfaces.metrics()
    return Response(content, headers={"Content-Type": content_type})


def _answered(read: Callable[[], HealthReport]) -> HealthReport:
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


ROUTES = (
    readable("/livez", live),
    readable("/readyz", ready),
    readable("/health", health),
    readable("/metrics", metrics),
)
