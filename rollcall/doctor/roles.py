"""The roles: somebody works, somebody keeps the time, and the web process answers."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http import HTTPStatus

from resilience.heartbeat import Heartbeats
from rollcall.doctor.case import Case
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, redis_client

_TIMEOUT_SECONDS = 5
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask a server that listens there


def _alive(role: str) -> Callable[[Case], Verdict]:
    def look(case: Case) -> Verdict:
        with redis_client(case.settings) as client:
            found = Heartbeats(client, HEARTBEAT_TTL_SECONDS).alive(role)
        if not found:
            return failure(f"no {role} is alive", f"rollcall {role}")
        return ok(f"{len(found)} alive: {', '.join(beat.instance_id for beat in found)}")

    return look


def _web(case: Case) -> Verdict:
    host, port = case.settings.host, case.settings.port
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return failure(f"nothing answers on {host}:{port} ({error})", "rollcall web")
    finally:
        connection.close()
    if status == HTTPStatus.OK:
        return ok(f"ready on {host}:{port}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return warning(f"{host}:{port} answers, and is not ready", "mend what else failed here")
    return failure(f"{host}:{port} answers {status} to /readyz: it is not Rollcall", "correct PORT")


_REDIS = ("settings.REDIS_URL", "settings.ROLLCALL_HOME", "redis")
CHECKS = (
    Check("worker", _alive("worker"), "rollcall worker", _REDIS),
    Check("scheduler", _alive("scheduler"), "rollcall scheduler", _REDIS),
    Check("jobs", _alive("jobs"), "rollcall jobs", _REDIS),
    Check("web", _web, "rollcall web", ("settings.HOST", "settings.PORT")),
)
