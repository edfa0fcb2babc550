"""`/livez`, `/readyz`, `/health` and `/metrics`: how the process and its house are."""

from __future__ import annotations

from http import HTTPStatus
from ipaddress import ip_address

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingress import bearer
from ingress.endpoint import Call, endpoint, readable


async def live(_request: Request) -> Response:
    """The process answers; it asks nothing of any thread, disk or network."""
    return JSONResponse({"status": "alive"})


@endpoint(bytes)
def ready(call: Call[bytes]) -> Response:
    """200 when what every request needs is there, else 503."""
    status = call.surfaces.ready().status
    is_ready = status == "healthy"
    return JSONResponse({"status": status}, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


@endpoint(bytes)
def health(call: Call[bytes]) -> Response:
    """The status for everybody, the checks for whoever holds a token; 503 only when unhealthy."""
    is_known = bearer.is_given(call.headers)
    if is_known:
        bearer.require(call.headers, bearer.either(call.surfaces))
    report = call.surfaces.health()
    content = {"status": report.status, "checks": report.checks if is_known else {}}
    is_unhealthy = report.status == "unhealthy"
    return JSONResponse(content, HTTPStatus.SERVICE_UNAVAILABLE if is_unhealthy else HTTPStatus.OK)


@endpoint(bytes)
def metrics(call: Call[bytes]) -> Response:
    """Prometheus text, for this machine; from elsewhere it takes a token."""
    if not _is_loopback(call.client):
        bearer.require(call.headers, bearer.either(call.surfaces))
    content, content_type = call.surfaces.metrics()
    return Response(content, headers={"Content-Type": content_type})


def _is_loopback(client: str) -> bool:
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


ROUTES = (
    Route("/livez", live),
    readable("/readyz", ready),
    readable("/health", health),
    readable("/metrics", metrics),
)
