"""`/webhooks`: signed events of the mail provider. `/webhooks/stripe`: those of the payment provider."""

from __future__ import annotations

from email.utils import parseaddr
from http import HTTPStatus
from typing import Annotated, Any

from msgspec import Meta, Struct

from actors.payments import handle_payment_event
from domain.address import normal_address
from domain.errors import UnauthorisedError
from domain.money import PaymentEvent
from domain.notification import MAIL
from domain.retry import ACCOUNT_RECHECK
from domain.text import one_line
from ingress.endpoint import Answer, Nothing, Routes
from ingress.problems import ProblemError
from ingress.request import JSON_BODY, KIBIBYTE, Body, RequestContext
from ingress.schemas import Recorded, Time
from notifications.resend_events import DeliveryEvent, ResendEvents
from observability.recorders import DELIVERIES, REPORTED
from store.notifications.deliveries import UNSENT

_SIGNATURE = "Stripe-Signature"
_SIGNED = dict.fromkeys(("svix-id", "svix-timestamp", "svix-signature"), str)
routes = Routes()


class ResendEvent(Struct):
    """An event of Resend, https://resend.com/docs/webhooks."""

    type: Annotated[str, Meta(examples=["email.delivered"])]
    created_at: Time


class StripeEvent(Struct):
    """An event of Stripe, https://docs.stripe.com/api/events."""

    id: str
    type: str
    data: dict[str, Any]


@routes.post(
    "/webhooks/resend",
    {HTTPStatus.OK: Answer("It is recorded.", Recorded)},
    accepts=JSON_BODY.of(ResendEvent),
    headers=_SIGNED,
    lenient_query=Nothing,
    problems=(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND),
)
def receive(request: RequestContext) -> Recorded:
    """Record a signed event once, with its effect; a repeated event changes nothing."""
    event = _event(_events(request), request)
    services = request.services
    is_new = services.store.deliveries.record(
        event.id,
        event.kind,
        provider_id=event.provider_id or None,
        address=normal_address(parseaddr(event.address)[1]),
        reason=one_line(event.reason),
        now=services.clock.now(),
    )
    if is_new and event.kind == UNSENT:
        reason = f"the provider accepts mail and does not send it: {one_line(event.reason)}"
        services.store.pauses.pause_for(MAIL, ACCOUNT_RECHECK, reason, services.clock.now())
    if is_new and event.kind in REPORTED:
        services.recorder.add(DELIVERIES, event.kind)
    return Recorded(is_new)


def _events(request: RequestContext) -> ResendEvents:
    if request.context.events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "RESEND_WEBHOOK_SECRET is not set.")
    return request.context.events


def _event(events: ResendEvents, request: RequestContext) -> DeliveryEvent:
    try:
        return events.read(request.body, request.headers)
    except UnauthorisedError as error:
        challenge = {"WWW-Authenticate": "Svix"}
        raise ProblemError(HTTPStatus.UNAUTHORIZED, f"{error}.", headers=challenge) from error


@routes.post(
    "/webhooks/stripe",
    {HTTPStatus.OK: Answer("It is recorded, with the job that it causes.", Recorded)},
    accepts=Body(256 * KIBIBYTE, JSON_BODY.media_type, StripeEvent),
    headers={_SIGNATURE: str},
    lenient_query=Nothing,
    problems=(HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
)
def receive_payment(request: RequestContext) -> Recorded:
    """Record a signed event once, with the job that it causes; a repeated event changes nothing."""
    event = _payment_event(request)
    context = request.context
    return Recorded(handle_payment_event(context.services, event, context.default_source))


def _payment_event(request: RequestContext) -> PaymentEvent:
    events = request.context.payment_events
    if events is None:
        raise ProblemError(HTTPStatus.NOT_FOUND, "STRIPE_WEBHOOK_SECRET is not set.")
    try:
        return events.read(request.body, request.headers.get(_SIGNATURE, ""))
    except UnauthorisedError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"{error}.") from error
