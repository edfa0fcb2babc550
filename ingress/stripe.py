"""`/webhooks/stripe`: what the payment provider tells."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import JSONResponse, Response

from actors.payments import handle_payment_event
from domain.errors import UnauthorisedError
from domain.money import PaymentEvent
from ingress import bodies
from ingress.bodies import KIBIBYTE, Body
from ingress.endpoint import RequestContext, endpoint, writable
from ingress.forms import unread
from ingress.manual import EndpointDoc, ResponseDoc
from ingress.problems import ProblemError

_SIGNATURE = "Stripe-Signature"
_EVENT = {
    "type": "object",
    "description": "An event of Stripe, https://docs.stripe.com/api/events.",
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "data": {"type": "object"}},
    "required": ["id", "type", "data"],
}
_RECORDED = {
    "type": "object",
    "properties": {"recorded": {"type": "boolean", "description": "false for a repetition."}},
    "required": ["recorded"],
}
_BODY = Body(256 * KIBIBYTE, bodies.JSON.media_type)


@endpoint(
    unread(),
    EndpointDoc(
        {HTTPStatus.OK: ResponseDoc("It is taken, with the job that it causes.", _RECORDED)},
        headers={_SIGNATURE: {"type": "string"}},
        problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
    ),
    body=_BODY.of(_EVENT),
)
def receive(call: RequestContext[bytes]) -> Response:
    """Record a signed event once, with the job that it causes; a repetition changes nothing."""
    event = _event(call)
    surfaces = call.surfaces
    return JSONResponse({"recorded": handle_payment_event(surfaces.services, event, surfaces.default_source)})


def _event(call: RequestContext[bytes]) -> PaymentEvent:
    events = call.surfaces.payment_events
    if events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "STRIPE_WEBHOOK_SECRET is not set.")
    try:
        return events.read(call.body, call.headers.get(_SIGNATURE, ""))
    except UnauthorisedError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{error}.") from error


ROUTES = (writable("/webhooks/stripe", POST=receive),)
