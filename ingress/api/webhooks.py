"""`/webhooks`: signed events of the mail provider. `/webhooks/stripe`: those of the payment provider."""

from __future__ import annotations

from email.utils import parseaddr
from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from actors.payments import handle_payment_event
from domain.address import normal_address
from domain.errors import UnauthorisedError
from domain.money import PaymentEvent
from domain.notification import MAIL
from domain.retry import ACCOUNT_RECHECK
from domain.text import one_line
from ingress import bodies
from ingress.bodies import KIBIBYTE, Body
from ingress.endpoint import EndpointDoc, RequestContext, ResponseDoc, endpoint, writable
from ingress.forms import unread
from ingress.problems import ProblemError
from ingress.schemas import ref
from notifications.resend_events import DeliveryEvent, ResendEvents
from observability.recorders import MAILS, REPORTED
from store.notifications.deliveries import UNSENT
from store.pauses import ROLLCALL

_SIGNED = {name: {"type": "string"} for name in ("svix-id", "svix-timestamp", "svix-signature")}
_RECORDED = {
    "type": "object",
    "properties": {"recorded": {"type": "boolean", "description": "false for a replay."}},
    "required": ["recorded"],
}


@endpoint(
    unread(),
    EndpointDoc(
        {HTTPStatus.OK: ResponseDoc("It is taken.", _RECORDED)},
        headers=_SIGNED,
        problems=(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
    ),
    body=bodies.JSON.of(ref("Event")),
)
def receive(call: RequestContext[bytes]) -> Response:
    """Record a signed event once, with its effect; a replay changes nothing."""
    event = _event(_events(call), call)
    services = call.surfaces.services
    is_new = services.store.deliveries.record(
        event.id,
        event.kind,
        provider_id=event.provider_id or None,
        address=normal_address(parseaddr(event.address)[1]),
        reason=one_line(event.reason),
        now=services.clock.now(),
    )
    if is_new and event.kind == UNSENT:
        now = services.clock.now()
        reason = f"the provider accepts mail and does not send it: {one_line(event.reason)}"
        services.store.pauses.pause(MAIL, now + ACCOUNT_RECHECK, reason, ROLLCALL, now)
    if is_new and event.kind in REPORTED:
        services.tally.add(MAILS, event.kind)
    return JSONResponse({"recorded": is_new})


def _events(call: RequestContext[bytes]) -> ResendEvents:
    if call.surfaces.events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "RESEND_WEBHOOK_SECRET is not set.")
    return call.surfaces.events


def _event(events: ResendEvents, call: RequestContext[bytes]) -> DeliveryEvent:
    try:
        return events.read(call.body, call.headers)
    except UnauthorisedError as error:
        challenge = {"WWW-Authenticate": "Svix"}
        raise ProblemError(HTTPStatus.UNAUTHORIZED, f"{error}.", headers=challenge) from error


_SIGNATURE = "Stripe-Signature"
_EVENT = {
    "type": "object",
    "description": "An event of Stripe, https://docs.stripe.com/api/events.",
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "data": {"type": "object"}},
    "required": ["id", "type", "data"],
}
_PAYMENT_RECORDED = {
    "type": "object",
    "properties": {"recorded": {"type": "boolean", "description": "false for a repetition."}},
    "required": ["recorded"],
}
_BODY = Body(256 * KIBIBYTE, bodies.JSON.media_type)


@endpoint(
    unread(),
    EndpointDoc(
        {HTTPStatus.OK: ResponseDoc("It is taken, with the job that it causes.", _PAYMENT_RECORDED)},
        headers={_SIGNATURE: {"type": "string"}},
        problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
    ),
    body=_BODY.of(_EVENT),
)
def receive_payment(call: RequestContext[bytes]) -> Response:
    """Record a signed event once, with the job that it causes; a repetition changes nothing."""
    event = _payment_event(call)
    surfaces = call.surfaces
    return JSONResponse({"recorded": handle_payment_event(surfaces.services, event, surfaces.default_source)})


def _payment_event(call: RequestContext[bytes]) -> PaymentEvent:
    events = call.surfaces.payment_events
    if events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "STRIPE_WEBHOOK_SECRET is not set.")
    try:
        return events.read(call.body, call.headers.get(_SIGNATURE, ""))
    except UnauthorisedError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{error}.") from error


ROUTES = (
    writable("/webhooks/resend", POST=receive),
    writable("/webhooks/stripe", POST=receive_payment),
)
