"""`/webhooks`: what the mail provider reports afterwards."""

from __future__ import annotations

from email.utils import parseaddr
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from domain.errors import UnauthorisedError
from domain.watch import normal_address
from ingress import bodies
from ingress.endpoint import Call, endpoint, writable
from ingress.problems import ProblemError
from mail.webhooks import MailEvent, ResendEvents
from mail.wording import plain


@endpoint(bytes, body=bodies.JSON)
def receive(call: Call[bytes]) -> Response:
    """Record a signed event once, with its effect; a replay changes nothing."""
    event = _event(_events(call), call)
    services = call.surfaces.services
    is_new = services.store.deliveries.record(
        event.id,
        event.kind,
        provider_id=event.provider_id or None,
        address=normal_address(parseaddr(event.address)[1]),
        reason=plain(event.reason),
        now=services.clock.now(),
    )
    return JSONResponse({"recorded": is_new})


def _events(call: Call[bytes]) -> ResendEvents:
    if call.surfaces.events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "RESEND_WEBHOOK_SECRET is not set.")
    return call.surfaces.events


def _event(events: ResendEvents, call: Call[bytes]) -> MailEvent:
    try:
        return events.read(call.body, call.headers)
    except UnauthorisedError as error:
        challenge = {"WWW-Authenticate": "Svix"}
        raise ProblemError(HTTPStatus.UNAUTHORIZED, f"{error}.", headers=challenge) from error


ROUTES = (writable("/webhooks/resend", POST=receive),)
