"""Preview a message, send a test, retry dead notifications, and lift suppressions."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from msgspec import Meta, Struct

from actors.deliver import send_test
from actors.services import Services
from domain.address import checked_address
from domain.errors import InvalidInputError
from domain.notification import DeliveryResult, Notification, OutboundMessage
from domain.observation import Details
from domain.section import SectionKey
from domain.text import duration, plural
from domain.watch import NotificationKind
from operations.context import AdminContext
from operations.dead_letters import Rate
from operations.inputs import DurationText, Email, PositiveId, Text
from operations.operation import Command, Operation, OperationResult, Option, Plan, PlanField
from store.audit import AuditEntry
from store.dead_mail import DeadMail
from store.refusals import ALL_MAIL

_NO_ID = 0  # no watch or notification has this number: the links of a sample change nothing
_DETAILS = Details("CSE 100", "Advanced Data Structures", "Center Hall 101", "MWF 10:00 to 10:50")
_KINDS = tuple((kind.value, kind.value.replace("_", " ")) for kind in NotificationKind)


class SampleInput(Struct, frozen=True):
    """The recipient and the kind of the sample; the console asks for an address that is not given."""

    to: Annotated[str, Option(metavar="EMAIL", is_required=True)] = ""
    kind: Annotated[NotificationKind, Option("The kind of the message.")] = NotificationKind.SEAT_AVAILABLE


class LiftInput(Struct, frozen=True):
    """The suppressed address."""

    email: Email


class RetryInput(Struct, frozen=True, kw_only=True):
    """The filter of dead notifications, and the rate; what is not given does not filter."""

    cause: Annotated[Text | None, Option("Whose reason contains this.")] = None
    older_than: Annotated[DurationText | None, Option("Dead for longer: 90s, 30m, 12h, 7d.")] = None
    notification_ids: Annotated[
        tuple[PositiveId, ...], Meta(min_length=1), Option(metavar="NOTIFICATION_IDS")
    ] = ()
    include_unknown: Annotated[
        bool, Option("Also what may have been sent already, and is then sent twice.")
    ] = False
    rate: Annotated[Rate | None, Option("How many a second at most; an hour's worth is retried.")] = None

    @property
    def filter(self) -> DeadMail:
        """The combined filter."""
        age = None if self.older_than is None else duration(self.older_than)
        return DeadMail(self.cause, age, self.notification_ids, self.include_unknown)


def preview(services: Services, notification_id: int) -> OutboundMessage:
    """Return the message of a notification. Raises: InvalidInputError for an unknown notification."""
    stored = services.store.deliveries.get(notification_id)
    if stored is None:
        raise InvalidInputError({"notification_id": f"there is no notification {notification_id}"})
    return services.render(stored.notification, services.clock.now())


def _plan_test(context: AdminContext, given: SampleInput) -> Plan:
    questions = (PlanField("to", "To", given.to), PlanField("kind", "Message", given.kind.value, _KINDS))
    effects = (
        f"One sample message is sent now through {context.services.mailer.name}, even while mail is paused.",
        "Its links change nothing.",
    )
    return Plan("Send a test?", "Send", effects, questions)


def _test(context: AdminContext, given: SampleInput, entry: AuditEntry) -> OperationResult[DeliveryResult]:
    """Send a sample. Raises: InvalidInputError; RejectedError when it is refused; errors of the transport."""
    services, address = context.services, checked_address("to", given.to)
    suppressed = services.store.deliveries.suppression(address)
    if suppressed is not None:
        raise InvalidInputError({"to": f"mail to this address is suppressed ({suppressed})"})
    sample = _sample(services, given.kind, address)
    context.record(replace(entry, subject=f"address/{address}"))
    result = send_test(services, sample)
    return OperationResult(f"{services.mailer.name} accepted the message to {address} as {result}.", result)


def _sample(services: Services, kind: NotificationKind, to: str) -> OutboundMessage:
    """Return a sample message of `kind` about a fictitious section."""
    key = SectionKey(services.source_names[0], "2261", "12431")
    now, teacher = services.clock.now(), "Ada Lovelace"
    notification = Notification(_NO_ID, _NO_ID, to, kind, key, 1, now, 3, 30, teacher, _DETAILS)
    message = services.render(notification, now)
    return replace(message, subject=f"Test: {message.subject}")


def _plan_lift(context: AdminContext, given: LiftInput) -> Plan:
    store, title = context.services.store, f"Allow mail to {given.email} again?"
    reason = store.deliveries.suppression(given.email)
    if reason is None:
        return Plan.nothing(title, "Mail to this address is not suppressed.")
    if store.opt_outs.has_stopped_all(given.email):
        return Plan(title, "", (f"{reason[0].upper()}{reason[1:]}.",), count=0)
    active = sum(stored.ended_at is None for stored in store.watches.all_of(given.email))
    watches = plural(active, "active watch sends", "active watches send")
    return Plan(title, "Lift", (f"It is suppressed: {reason}.", f"{watches} to it again."))


def _lift(context: AdminContext, given: LiftInput, entry: AuditEntry) -> OperationResult[None]:
    """Lift the suppression after a bounce or a complaint.

    Raises: InvalidInputError for an address that is not suppressed, or whose owner opted out of all mail,
    which only they can revoke.
    """
    store = context.services.store
    is_lifted = store.deliveries.lift(given.email, entry)
    if store.opt_outs.has_stopped_all(given.email):
        also = "the report of the provider is lifted, but " if is_lifted else ""
        raise InvalidInputError({"email": f"{also}{ALL_MAIL}"})
    if not is_lifted:
        raise InvalidInputError({"email": "mail to this address is not suppressed"})
    return OperationResult(f"Mail to {given.email} is allowed again.", None)


def _plan_retry(context: AdminContext, given: RetryInput) -> Plan:
    count = context.services.store.dead_mail.count(given.filter, context.services.clock.now())
    if not count:
        return Plan.nothing("Retry dead notifications?", "No dead notification matches.")
    effects = [
        f"{plural(count, 'dead notification matches', 'dead notifications match')} the filter.",
        "Each is evaluated again before it is sent; one that no longer applies is not sent.",
    ]
    if not given.include_unknown:
        effects.append("Those that may have been sent already are left out.")
    limit, _ = context.bounds(given.rate)
    if limit is not None and count > limit:
        effects.append(f"Only the oldest {limit} are taken; repeat it for more.")
        count = limit
    return Plan(f"Retry {plural(count, 'dead notification')}?", "Retry", tuple(effects), count=count)


def _retry(context: AdminContext, given: RetryInput, entry: AuditEntry) -> OperationResult[int]:
    limit, rate = context.bounds(given.rate)
    dead_mail = context.services.store.dead_mail
    count = dead_mail.retry(given.filter, entry.at, entry, per_second=rate, limit=limit)
    return OperationResult(f"Requeued {plural(count, 'dead notification')}.", count, count=count)


TEST = Operation(
    "mail.test",
    "Send EMAIL a sample message now, and show the answer of the transport.",
    SampleInput,
    lambda given: f"address/{given.to}",
    _plan_test,
    _test,
    commands=(Command("mail send-test"),),
)
LIFT = Operation(
    "mail.lift",
    "Allow mail to EMAIL again after a bounce or a complaint.",
    LiftInput,
    lambda given: f"address/{given.email}",
    _plan_lift,
    _lift,
    help="Only the person can revoke an opt-out of all mail, with a link in any mail to them.",
)
RETRY = Operation(
    "mail.retry",
    "Retry dead notifications that match the filters and NOTIFICATION_IDS.",
    RetryInput,
    lambda _: "dead notifications",
    _plan_retry,
    _retry,
    detail=lambda given: given.filter.criteria,
    help="Each is evaluated again before it is sent; one that no longer applies is not sent.",
    is_bulk=True,
)
