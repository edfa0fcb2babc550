"""Checks of the roles: workers and the scheduler are alive, and the web process answers."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from http import HTTPStatus

from domain.errors import UnreachableError
from observability.checks.infrastructure import STALE_TICK
from resilience.heartbeats import TICKED_AT, Heartbeat, Heartbeats
from rollcall.doctor.case import InspectedSettings
from rollcall.doctor.examination import Check
from rollcall.doctor.finding import Verdict, failure, ok, warning
from rollcall.doctor.starting import start_command
from rollcall.wiring import HEARTBEAT_TTL_SECONDS, SystemClock, redis_client

_TIMEOUT_SECONDS = 5
_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask a server that listens there


def _alive(role: str) -> Callable[[InspectedSettings], Verdict]:
    def look(case: InspectedSettings) -> Verdict:
        found = _heartbeats(case, role)
        if not found:
            return failure(f"no {role} is alive", start_command(role, managed=case.is_managed))
        return ok(f"{len(found)} alive: {', '.join(beat.instance_id for beat in found)}")

    return look


def _scheduler(case: InspectedSettings) -> Verdict:
    alive = _alive("scheduler")(case)
    ticks = [
        float(beat.facts[TICKED_AT]) for beat in _heartbeats(case, "scheduler") if TICKED_AT in beat.facts
    ]
    idle_seconds = SystemClock().now().timestamp() - max(ticks) if ticks else 0
    if idle_seconds > STALE_TICK.total_seconds():
        hint = "systemctl restart rollcall-scheduler" if case.is_managed else "restart rollcall scheduler"
        return failure(f"{alive.seen}, and its last tick was {idle_seconds:.0f} s ago", hint)
    return alive


def _heartbeats(case: InspectedSettings, role: str) -> list[Heartbeat]:
    with redis_client(case.settings) as client:
        return Heartbeats(client, HEARTBEAT_TTL_SECONDS).alive(role)


def _web(case: InspectedSettings) -> Verdict:
    """Ask the address that the web role reports: this shell's settings may differ from its own."""
    set_here = f"{case.settings.host}:{case.settings.port}"
    address = _listening(case) or set_here
    verdict = _ask(address, managed=case.is_managed)
    if address == set_here:
        return verdict
    return Verdict(verdict.status, f"{verdict.seen} (the settings here say {set_here})", verdict.hint)


def _listening(case: InspectedSettings) -> str | None:
    """Return where a live web process listens, or None."""
    try:
        with redis_client(case.settings) as client:
            return Heartbeats(client, HEARTBEAT_TTL_SECONDS).web_address()
    except UnreachableError:
        return None


def _ask(address: str, *, managed: bool) -> Verdict:
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(_ANY_ADDRESS.get(host, host), int(port), timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return failure(f"nothing answers on {address} ({error})", start_command("web", managed=managed))
    finally:
        connection.close()
    if status == HTTPStatus.OK:
        return ok(f"ready on {address}")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return warning(f"{address} answers, and is not ready", "correct what else failed here")
    return failure(f"{address} answers {status} to /readyz: it is not Rollcall", "correct PORT")


_REDIS = ("settings.REDIS_URL", "settings.ROLLCALL_HOME", "redis")
_LOOKS = (
    ("worker", _alive("worker"), _REDIS),
    ("scheduler", _scheduler, _REDIS),
    ("jobs", _alive("jobs"), _REDIS),
    ("web", _web, ("settings.HOST", "settings.PORT")),
)


def checks(case: InspectedSettings) -> tuple[Check, ...]:
    """Return one check per role."""
    return tuple(
        Check(role, look, start_command(role, managed=case.is_managed), needs) for role, look, needs in _LOOKS
    )
