"""Mail previews, transport tests, retries of dead notifications, and suppressed addresses."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from actors.services import Services
from domain.address import checked_address
from domain.errors import InvalidInputError
from domain.notification import Accepted, DeliveryResult, Notification, OutboundMessage
from domain.observation import Details
from domain.section import SectionKey
from domain.watch import NotificationKind
from operations.operation import entry, record
from store.dead_mail import DeadMail
from store.refusals import ALL_MAIL

_NOBODYS = 0  # no watch or notification has this number: the links of a sample change nothing
_DETAILS = Details("CSE 100", "Advanced Data Structures", "Center Hall 101", "MWF 10:00 to 10:50")


def preview(services: Services, notification_id: int) -> OutboundMessage:
    """Return the message of a notification. Raises: InvalidInputError for an unknown notification."""
    stored = services.store.deliveries.get(notification_id)
    if stored is None:
        raise InvalidInputError({"notification_id": f"there is no notification {notification_id}"})
    return services.render(stored.notification, services.clock.now())


def send_test(
    services: Services, to: str, by: str, kind: NotificationKind = NotificationKind.SEAT_AVAILABLE
) -> DeliveryResult:
    """Send a sample to `to` at once, ignoring pauses; return the transport's answer.

    Raises: InvalidInputError when `to` is not an address, or is suppressed; RollcallError from the transport.
    """
    address = checked_address("to", to)
    suppressed = services.store.deliveries.suppression(address)
    if suppressed is not None:
        raise InvalidInputError({"to": f"mail to this address is suppressed ({suppressed})"})
    message = _sample(services, kind, address)
    message = replace(message, subject=f"Test: {message.subject}")
    (receipt,) = services.mailer.send([message], f"rollcall-test-{uuid4().hex}")
    is_accepted = isinstance(receipt, Accepted)
    record(services, by, "mail.test", f"address/{address}", is_accepted=is_accepted)
    return receipt


def retry(
    services: Services,
    wanted: DeadMail,
    by: str,
    *,
    per_second: float | None = None,
    limit: int | None = None,
) -> int:
    """Requeue dead notifications, oldest first; record and return the count."""
    told = entry(services, by, "mail.retry", "dead notifications", **wanted.criteria)
    now = services.clock.now()
    return services.store.dead_mail.retry(wanted, now, told, per_second=per_second, limit=limit)


def lift(services: Services, email: str, by: str) -> None:
    """Lift the suppression of `email` after a bounce or a complaint.

    Raises: InvalidInputError for an address that is invalid or not suppressed, or whose owner opted out of
    all mail, which only they can revoke.
    """
    address = checked_address("email", email)
    told = entry(services, by, "mail.lift", f"address/{address}")
    is_lifted = services.store.deliveries.lift(address, told)
    if services.store.opt_outs.has_stopped_all(address):
        also = "the report of the provider is lifted, but " if is_lifted else ""
        raise InvalidInputError({"email": f"{also}{ALL_MAIL}"})
    if not is_lifted:
        raise InvalidInputError({"email": "mail to this address is not suppressed"})


def _sample(services: Services, kind: NotificationKind, to: str) -> OutboundMessage:
    """Return a sample message of `kind` about a fictitious section."""
    key = SectionKey(next(iter(services.sources)), "2261", "12431")
    seen, teacher = services.clock.now(), "Ada Lovelace"
    notification = Notification(_NOBODYS, _NOBODYS, to, kind, key, 1, seen, 3, 30, teacher, _DETAILS)
    return services.render(notification, seen)
