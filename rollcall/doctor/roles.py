"""The roles: somebody works, somebody keeps the time, and the web process answers."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http import HTTPStatus

from resilience.heartbeat import Heartbeats
from rollcall.doctor.case import Case
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.doctor.starting import start_command
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, redis_client

_TIMEOUT_SECONDS = 5
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask a server that listens there


def _alive(role: str) -> Callable[[Case], Verdict]:
    def look(case: Case) -> Verdict:
        with redis_client(case.settings) as client:
            found = Heartbeats(client, HEARTBEAT_TTL_SECONDS).alive(role)
        if not found:
            return failure(f"no {role} is alive", start_command(role, managed=case.is_managed))
        return ok(f"{len(found)} alive: {', '.join(beat.instance_id for beat in found)}")

    return look


def _web(case: Case) -> Verdict:
    host, port = case.settings.host, case.settings.port
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return failure(
            f"nothing answers on {host}:{port} ({error})", start_command("web", managed=case.is_managed)
        )
    finally:
        connection.close()
    if status == HTTPStatus.OK:
        return ok(f"ready on {host}:{port}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return warning(f"{host}:{port} answers, and is not ready", "mend what else failed here")
    return failure(f"{host}:{port} answers {status} to /readyz: it is not Rollcall", "correct PORT")


_REDIS = ("settings.REDIS_URL", "settings.ROLLCALL_HOME", "redis")
_LOOKS = (
    ("worker", _alive("worker"), _REDIS),
    ("scheduler", _alive("scheduler"), _REDIS),
    ("jobs", _alive("jobs"), _REDIS),
    ("web", _web, ("settings.HOST", "settings.PORT")),
)


def checks(case: Case) -> tuple[Check, ...]:
    """One for each role."""
    return tuple(
        Check(role, look, start_command(role, managed=case.is_managed), needs) for role, look, needs in _LOOKS
    )
