"""Send a test, retry dead notifications, and lift suppressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from domain.errors import RejectedError
from domain.notification import Accepted
from domain.text import duration
from domain.watch import NotificationKind
from ingress.console.actions import Operation
from ingress.console.formatting import plural
from ingress.console.plan import Plan, PlanField
from ingress.console.selection import length
from ingress.fields import address, one_of, text, unless_blank
from operations import mail
from operations.operation import AdminContext
from store.dead_mail import DeadMail

_AT_ONCE, _PER_SECOND = 1000, 100.0
_KINDS = tuple((kind.value, kind.value.replace("_", " ")) for kind in NotificationKind)


@dataclass(frozen=True, slots=True)
class SendForm:
    """The recipient and the sample; an empty address asks for one."""

    to: Annotated[str, text] = ""
    kind: Annotated[NotificationKind, one_of(NotificationKind)] = NotificationKind.SEAT_AVAILABLE


@dataclass(frozen=True, slots=True)
class LiftForm:
    """The suppressed address."""

    email: Annotated[str, address]


@dataclass(frozen=True, slots=True)
class RetryForm:
    """The dead notifications; a blank field does not filter."""

    cause: Annotated[str | None, unless_blank(text)] = None
    older_than: Annotated[str | None, unless_blank(length)] = None

    @property
    def wanted(self) -> DeadMail:
        """Return the combined filter."""
        return DeadMail(self.cause, None if self.older_than is None else duration(self.older_than))


def _plan_test(room: AdminContext, form: SendForm) -> Plan:
    questions = (PlanField("to", "To", form.to), PlanField("kind", "Letter", form.kind.value, _KINDS))
    effects = (
        f"One sample letter leaves now, through {room.services.mailer.name}, even where mail is paused.",
        "Its links stop nothing.",
    )
    return Plan("Send a test?", "Send", effects, questions)


def _send_test(room: AdminContext, form: SendForm, by: str) -> str:
    receipt = mail.send_test(room.services, form.to, by, form.kind)
    transport = room.services.mailer.name
    if not isinstance(receipt, Accepted):
        raise RejectedError(f"{transport} refused the letter: {receipt.reason}")
    return f"{transport} took the letter to {form.to} as {receipt}."


def _plan_lift(room: AdminContext, form: LiftForm) -> Plan:
    title, reason = (
        f"Let mail to {form.email} leave again?",
        room.services.store.deliveries.suppression(form.email),
    )
    if reason is None:
        return Plan(title, "", ("Nothing holds mail to this address; there is nothing to do.",))
    if room.services.store.opt_outs.has_stopped_all(form.email):
        return Plan(title, "", (f"{reason[0].upper()}{reason[1:]}.",))
    active = sum(stored.ended_at is None for stored in room.services.store.watches.all_of(form.email))
    effects = (f"It was stopped: {reason}.", f"{active} of its watches are living and may send again.")
    return Plan(title, "Lift", effects)


def _lift(room: AdminContext, form: LiftForm, by: str) -> str:
    mail.lift(room.services, form.email, by)
    return f"Mail to {form.email} may leave again."


def _plan_retry(room: AdminContext, form: RetryForm) -> Plan:
    services = room.services
    count = services.store.dead_mail.count(form.wanted, services.clock.now())
    if not count:
        return Plan(
            "Retry dead notifications?", "", ("No dead notification matches; there is nothing to do.",)
        )
    effects = [
        f"{plural(count, 'dead notification matches', 'dead notifications match')} the filter.",
        "Each is judged before it leaves: what is no longer so is not sent.",
        "What may have been sent already is left out; the command line has an option for that.",
    ]
    if count > _AT_ONCE:
        effects.append(f"The oldest {_AT_ONCE} are taken; do it again for more.")
    return Plan(f"Retry {plural(min(count, _AT_ONCE), 'dead notification')}?", "Retry", tuple(effects))


def _retry(room: AdminContext, form: RetryForm, by: str) -> str:
    done = mail.retry(room.services, form.wanted, by, per_second=_PER_SECOND, limit=_AT_ONCE)
    return f"{plural(done, 'dead notification is', 'dead notifications are')} on the way again."


ACTIONS = (
    Operation("mail-retry", RetryForm, _plan_retry, _retry),
    Operation("mail-test", SendForm, _plan_test, _send_test),
    Operation("mail-lift", LiftForm, _plan_lift, _lift),
)
